/** `armoricore dead-letters` beside a running program, on the embedded default and on NATS. */
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { retryUntil } from "../support/ApiClient.ts";
import * as ProgramProcess from "../support/ProgramProcess.ts";
const nats = Programs.requireProgram("nats-server");
const envelope = (more = {}) => ({
    event_type: "media.uploaded",
    event_id: crypto.randomUUID(),
    timestamp: new Date().toISOString(),
    source: "php-backend",
    payload: { media_id: "m", user_id: "u", file_path: "s3://media/none.mp4" },
    ...more,
});
const story = (bus) => Effect.gen(function* () {
    const data = yield* ProgramProcess.temporaryDirectory;
    const env = { ARMORICORE_DATA_DIR: data, PORT: "0", LOG_LEVEL: "none", JWT_SECRET: "a secret of this test", ...bus };
    const program = yield* ProgramProcess.launch(["start"], env);
    yield* program.waitForOutput(/armoricore listens on/);
    const letters = (...args) => ProgramProcess.run(["dead-letters", ...args], env);
    const ids = (...filters) => Effect.map(letters("list", ...filters), ({ stdout }) => stdout.split("\n").flatMap((line) => (line === "" ? [] : [line.split("\t")[0] ?? ""])));
    const file = join(data, "event.json");
    const send = (value, sources) => Effect.gen(function* () {
        writeFileSync(file, JSON.stringify(value));
        const { code, stderr } = yield* ProgramProcess.run(["publish", file], { ...env, EVENT_SOURCES: sources });
        assert.strictEqual(code, 0, stderr);
    });
    // Two events that the running program rejects, although the rules of this publisher accept them.
    const mended = envelope();
    yield* send({ ...mended, source: "shop" }, '{"shop":["media.uploaded"]}');
    yield* send(envelope({ source: "shop" }), '{"shop":["media.uploaded"]}');
    const [first = "", second = ""] = yield* retryUntil(ids(), (found) => found.length === 2);
    assert.deepStrictEqual(yield* ids("--reason", "unauthorized", "--service", "media"), [first, second]);
    assert.deepStrictEqual(yield* ids("--reason", "timeout"), []);
    assert.strictEqual((yield* letters("replay", first, "--all")).code, 1);
    // The edited event is accepted. Its file does not exist: a permanent failure, which makes no dead letter.
    writeFileSync(file, JSON.stringify(mended));
    assert.strictEqual((yield* letters("replay", first, "--body", file)).code, 0);
    yield* retryUntil(ids(), (found) => found.length === 1 && found[0] === second);
    // Unchanged, it fails again: a new dead letter that refers to the old one.
    assert.include((yield* letters("replay", "--all", "--reason", "unauthorized")).stdout, `replayed ${second}`);
    const [third = ""] = yield* retryUntil(ids(), (found) => found.length === 1 && found[0] !== second);
    const shown = JSON.parse((yield* letters("show", third)).stdout);
    assert.strictEqual(shown.replay_of, second);
    assert.strictEqual(shown.path, "source");
    assert.include(shown.body, '"source":"shop"');
    assert.strictEqual((yield* letters("discard", "--all")).stdout.trim(), `discarded ${third}`);
    assert.deepStrictEqual(yield* ids(), []);
});
describe("dead letters from the command line", () => {
    it.live("while a program owns the embedded data folder", () => story({}), 120_000);
    it.live.skipIf(nats.missing)("on NATS", () => Effect.flatMap(NatsServer.make(), ({ url }) => story({ MESSAGE_BUS_URL: url })), 120_000);
});
