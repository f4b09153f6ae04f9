/**
 * Starts this version on the data of an earlier one: a data folder, NATS streams, PostgreSQL tables, RabbitMQ queues.
 * `npm run upgrade:fixture` writes that data to `fixtures/upgrade/` with the program of the earlier version.
 */
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as PostgresServer from "@armoricore/testing/PostgresServer";
import * as Programs from "@armoricore/testing/Programs";
import * as RabbitServer from "@armoricore/testing/RabbitServer";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Schema } from "effect";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { request, retryUntil } from "../packages/armoricore/test/support/ApiClient.ts";
import * as ProgramFixture from "../packages/armoricore/test/support/ProgramFixture.ts";
import * as ProgramProcess from "../packages/armoricore/test/support/ProgramProcess.ts";
import * as ChatRoom from "./support/ChatRoom.ts";
import * as NatsSnapshot from "./support/NatsSnapshot.ts";
import * as RabbitSnapshot from "./support/RabbitSnapshot.ts";
import { env as common, fixturesPath, room, futureSource, RecordedState, user, chatMessages, } from "./support/UpgradeScenario.ts";
import * as TimeShift from "./support/TimeShift.ts";
const fixtures = fileURLToPath(new URL(`../${fixturesPath}/`, import.meta.url));
const ffmpeg = Programs.requireProgram("ffmpeg");
const nats = Programs.requireProgram("nats-server");
const postgres = Programs.requireProgram("postgres");
const psql = Programs.requireProgram("psql");
const rabbit = Programs.requireProgram("rabbitmq-server");
const read = (name, schema) => Effect.orDie(Schema.decodeEffect(Schema.fromJsonString(schema))(readFileSync(join(fixtures, name), "utf8")));
/** A copy of the stored data folder, the recorded responses, and the age of both in milliseconds. */
const unpack = Effect.fnUntraced(function* (name) {
    const data = yield* ProgramProcess.temporaryDirectory;
    execFileSync("tar", ["-xzmf", join(fixtures, `${name}.tar.gz`), "-C", data]);
    const recorded = yield* read(`${name}.json`, RecordedState);
    return {
        data,
        recorded,
        later: Date.now() - recorded.at,
        env: { ...common, ...futureSource, ARMORICORE_DATA_DIR: data },
    };
});
const at = (document, ...path) => path.reduce((value, name) => (typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined), document);
/** URLs contain the port of the program that created them. */
const portless = (value) => JSON.parse(JSON.stringify(value).replaceAll(/127\.0\.0\.1:\d+/g, "host"));
/** `redelivers`: the bus delivers every event a second time, so the rejected one is accepted before the replay. */
const checkStoredData = Effect.fnUntraced(function* (env, recorded, redelivers = false) {
    const { url } = yield* ProgramFixture.start(env);
    const token = yield* ProgramFixture.tokenFor(env, "--user", user);
    const get = (path) => request(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
    const mediaIs = (id, status) => retryUntil(get(`/v1/media/${id}`), ({ json }) => at(json, "status") === status);
    // The program handles the pending event, and after a replay also the dead letter: this version knows its source.
    yield* mediaIs(recorded.waiting, "ready");
    const deadLetters = (...args) => ProgramProcess.run(["dead-letters", ...args], env);
    assert.include((yield* deadLetters("show", recorded.deadLetter)).stdout, `"media_id\\":\\"${recorded.rejected}`);
    if (!redelivers)
        assert.strictEqual((yield* get(`/v1/media/${recorded.rejected}`)).status, 404);
    assert.include((yield* deadLetters("replay", recorded.deadLetter)).stdout, `replayed ${recorded.deadLetter}`);
    yield* mediaIs(recorded.rejected, "ready");
    assert.strictEqual((yield* deadLetters("list")).stdout, "");
    // Results of finished work are unchanged, and the program does not repeat the work.
    const ready = (yield* get(`/v1/media/${String(recorded.ready["media_id"])}`)).json;
    assert.deepStrictEqual(portless(ready), portless(recorded.ready));
    // The stored URLs name the address of the earlier program.
    const master = String(at(ready, "ready", "playback_urls", "hls")).replace(/http:\/\/127\.0\.0\.1:\d+/, url);
    const playlist = (yield* request(master)).json;
    const rendition = /^[^#\n].*$/m.exec(String(playlist))?.[0] ?? "";
    const segments = String((yield* request(new URL(rendition, master).href)).json);
    assert.include(segments, "#EXT-X-ENDLIST");
    const segment = /^[^#\n].*$/m.exec(segments)?.[0] ?? "";
    assert.strictEqual((yield* request(new URL(segment, new URL(rendition, master)).href)).status, 200);
    const id = String(recorded.notification["notification_id"]);
    assert.deepStrictEqual((yield* get(`/v1/notifications/${id}`)).json, recorded.notification);
    assert.deepStrictEqual(at((yield* get("/v1/inbox")).json, "messages"), recorded.inbox);
    // The room still has its messages with their sequence numbers, and accepts new ones.
    const chat = yield* ChatRoom.join(url, token, room);
    assert.deepStrictEqual(chat.messages.map(({ content }) => content), chatMessages);
    assert.deepStrictEqual(chat.messages, recorded.chat);
    const last = Number(recorded.chat.at(-1)?.["seq"]);
    const sent = yield* chat.say("the tide is in");
    assert.isAbove(Number(sent["seq"]), last);
    const later = yield* ChatRoom.join(url, token, room, { since: last });
    assert.deepStrictEqual(later.messages.map(({ id: messageId, seq }) => ({ id: messageId, seq })), [{ id: sent["id"], seq: sent["seq"] }]);
    assert.isTrue(later.recovered);
});
const setUp = Effect.fnUntraced(function* (env) {
    const { code, stderr, stdout } = yield* ProgramProcess.run(["setup"], env);
    assert.strictEqual(code, 0, stderr);
    return stdout;
});
/** A new database with the stored tables. */
const restoreTables = Effect.fnUntraced(function* (dump, later) {
    const { url } = yield* PostgresServer.make();
    execFileSync(psql.path, ["-v", "ON_ERROR_STOP=1", "-q", "-d", url, "-f", join(fixtures, dump)]);
    TimeShift.shiftPostgres(psql.path, url, later);
    return url;
});
describe.skipIf(ffmpeg.missing)("stored data of an earlier version", () => {
    it.live("an embedded data folder is usable", () => Effect.gen(function* () {
        const { data, env, later, recorded } = yield* unpack("embedded");
        TimeShift.shiftEmbedded(data, later);
        yield* checkStoredData(env, recorded);
    }));
    it.live.skipIf(nats.missing)("streams, consumers and buckets of NATS are usable", () => Effect.gen(function* () {
        const { env, later, recorded } = yield* unpack("nats");
        const server = yield* NatsServer.make();
        yield* NatsSnapshot.restore(server.url, yield* read("nats-streams.json", NatsSnapshot.NatsSnapshot), later);
        const onNats = { ...env, MESSAGE_BUS_URL: server.url };
        // The stored layout is the current one: setup changes nothing.
        assert.notMatch(yield* setUp(onNats), /: (updated|created)|changed/);
        yield* checkStoredData(onNats, recorded, true);
    }));
    it.live.skipIf(postgres.missing || psql.missing)("tables of PostgreSQL are usable", () => Effect.gen(function* () {
        const { data, env, later, recorded } = yield* unpack("postgres");
        const url = yield* restoreTables("postgres.sql", later);
        TimeShift.shiftEmbedded(data, later);
        const onPostgres = { ...env, STATE_URL: url };
        yield* setUp(onPostgres);
        yield* checkStoredData(onPostgres, recorded);
    }));
    it.live.skipIf(rabbit.missing || postgres.missing || psql.missing)("queues of RabbitMQ are usable", () => Effect.gen(function* () {
        const { env, later, recorded } = yield* unpack("rabbitmq");
        const server = yield* RabbitServer.make({ virtualHosts: 1 });
        const bus = yield* server.newUrl;
        yield* RabbitSnapshot.restore(bus, yield* read("rabbitmq-queues.json", RabbitSnapshot.RabbitSnapshot));
        const onRabbit = { ...env, MESSAGE_BUS_URL: bus, STATE_URL: yield* restoreTables("rabbitmq.sql", later) };
        yield* setUp(onRabbit);
        yield* checkStoredData(onRabbit, recorded);
    }));
});
describe("stored data of a newer version", () => {
    it.live("a data folder is rejected with a message and stays unchanged", () => Effect.gen(function* () {
        const { data, env } = yield* unpack("embedded");
        const file = join(data, "engine", "engine.sqlite");
        const database = new DatabaseSync(file);
        database.exec("UPDATE armoricore_schema SET version = 99 WHERE module = 'bus'");
        database.close();
        const { code, stderr } = yield* ProgramProcess.run(["start"], { PORT: "0", ...env });
        assert.strictEqual(code, 1);
        assert.match(stderr, /written by a newer version of armoricore \(module bus has schema 99, this version knows \d+\); update armoricore, or/);
        assert.notInclude(stderr, "    at ");
        const unchanged = new DatabaseSync(file);
        assert.deepStrictEqual({ ...unchanged.prepare("SELECT version FROM armoricore_schema WHERE module = 'bus'").get() }, { version: 99 });
        unchanged.close();
    }));
    it.live.skipIf(nats.missing)("streams and buckets of NATS are rejected with a message", () => Effect.gen(function* () {
        const server = yield* NatsServer.make();
        const env = {
            ...common,
            ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
            MESSAGE_BUS_URL: server.url,
        };
        yield* setUp(env);
        for (const stream of ["KV_armoricore_media", "ARMORICORE"]) {
            yield* NatsSnapshot.setDescription(server.url, stream, "armoricore schema 99");
            const { code, stderr } = yield* ProgramProcess.run(["start"], { PORT: "0", ...env });
            assert.strictEqual(code, 1);
            assert.match(stderr, /written by a newer Armoricore \(schema 99; this one reads 1\): start that version, or/);
            assert.notInclude(stderr, "    at ");
        }
    }));
});
