/**
 * The whole program as in production: `armoricore setup` as one NATS user, then each service as its own user with only the
 * permissions of deploy/nats.conf. The log of the server names every violation; there must be none.
 */
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import * as NatsBus from "@armoricore/bus/nats/NatsBus";
import { OperatorClient } from "@armoricore/operator";
import { channel } from "@armoricore/client";
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as Programs from "@armoricore/testing/Programs";
import * as FakeHttpServer from "@armoricore/testing/fakes/FakeHttpServer";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { assert, describe, it } from "@effect/vitest";
import { Context, Effect, Layer, Logger, Redacted, Stream } from "effect";
import { fileURLToPath } from "node:url";
import { Socket } from "phoenix";
import * as UploadClient from "@armoricore/demo/UploadClient";
import { watchMedia } from "@armoricore/demo/MediaWatcher";
import { serviceNames } from "../../src/app/Services.ts";
import { request, retryUntil } from "../support/ApiClient.ts";
import * as TestClip from "../support/TestClip.ts";
import { publishUploaded, start, tokenFor } from "../support/ProgramFixture.ts";
import * as ProgramProcess from "../support/ProgramProcess.ts";
const ffmpeg = Programs.requireProgram("ffmpeg");
const nats = Programs.requireProgram("nats-server");
const conf = fileURLToPath(new URL("../../../../deploy/nats.conf", import.meta.url));
const users = ["setup", "publisher", ...serviceNames];
const secretOf = (user) => `${user}-secret`;
/** The backend behind WEBHOOK_URL, with the event types that it received. */
const backend = Effect.gen(function* () {
    const reported = new Set();
    const url = yield* FakeHttpServer.listenHttp(({ headers }) => {
        reported.add(String(headers["armoricore-event-type"]));
        return { status: 200 };
    });
    return { url, reported };
});
const send = Effect.fnUntraced(function* (env, url, type, payload) {
    const answer = yield* request(`${url}/v1/events`, {
        method: "POST",
        headers: { authorization: `Bearer ${yield* tokenFor(env, "--user", "php", "--role", "publisher")}` },
        body: JSON.stringify({
            event_type: type,
            event_id: crypto.randomUUID(),
            timestamp: new Date().toISOString(),
            source: "php-backend",
            payload,
        }),
    });
    assert.strictEqual(answer.status, 202, JSON.stringify(answer.json));
});
describe.skipIf(ffmpeg.missing || nats.missing)("each service as its own NATS user", () => {
    it.live("does all its work within the permissions of deploy/nats.conf", () => Effect.gen(function* () {
        const passwords = users.map((user) => [`ARMORICORE_${user.toUpperCase()}_PASSWORD`, secretOf(user)]);
        const server = yield* NatsServer.make(["-c", conf], Object.fromEntries(passwords));
        const { reported, url: webhook } = yield* backend;
        const as = (user) => server.url.replace("nats://", `nats://${user}:${secretOf(user)}@`);
        const common = {
            ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
            JWT_SECRET: "a secret that all processes share, for this test",
            MODERATION_WORDS: "badword",
            WEBHOOK_URL: webhook,
            WEBHOOK_SECRET: "shared-1",
            LOG_FORMAT: "json",
        };
        const envOf = (user) => ({
            ...common,
            MESSAGE_BUS_URL: as(user),
            ...(user === "setup" ? {} : { NATS_SETUP: "verify", NATS_INBOX_PREFIX: `_INBOX_${user}` }),
        });
        // Before the setup, a service exits with a message that names `armoricore setup`.
        const early = yield* ProgramProcess.run(["start", "--services", "media"], { ...envOf("media"), PORT: "0" });
        assert.strictEqual(early.code, 1);
        assert.include(early.stderr, "armoricore setup");
        const prepared = yield* ProgramProcess.run(["setup"], envOf("setup"));
        assert.strictEqual(prepared.code, 0, prepared.stderr);
        const processes = yield* Effect.forEach(serviceNames, (name) => Effect.map(start(envOf(name), "--services", name), (running) => [name, running]), { concurrency: "unbounded" });
        const running = new Map(processes);
        const url = running.get("realtime")?.url ?? "";
        for (const [, one] of processes)
            yield* retryUntil(request(`${one.url}/readyz`), ({ status }) => status === 200);
        // An operator watches the events and the log lines of all four.
        const env = envOf("realtime");
        const operator = yield* tokenFor(env, "--user", "ida", "--role", "operator");
        const built = yield* Layer.build(OperatorClient.layer({ url, token: Redacted.make(operator) }));
        const api = Context.get(built, OperatorClient);
        const live = [];
        yield* Effect.forkScoped(Stream.runForEach(api.WatchLive({}), (line) => Effect.sync(() => void live.push(line))));
        const loggingNodes = () => new Set(live.flatMap((line) => (line._tag === "Log" ? [line.node] : [])));
        yield* retryUntil(Effect.andThen(api.SetLogLevel({ level: "info" }), Effect.sync(loggingNodes)), ({ size }) => size === serviceNames.length);
        // media
        const token = yield* tokenFor(env, "--user", "u1");
        const clip = yield* TestClip.make(ffmpeg.path, 2);
        const grant = yield* UploadClient.requestUpload(url, token, clip);
        yield* UploadClient.uploadFile(grant, clip);
        const ready = yield* watchMedia(url, token, grant.media_id, () => { });
        yield* publishUploaded(env, url, grant);
        assert.strictEqual((yield* ready).media_id, grant.media_id);
        const bearer = { headers: { authorization: `Bearer ${token}` } };
        yield* request(`${url}/v1/media/${grant.media_id}`, { ...bearer, method: "DELETE" });
        // notify, ai: the backend receives their results
        yield* send(env, url, "notification.requested", {
            user_id: "u1",
            notification_type: "email",
            title: "t",
            body: "b",
            recipients: [{ email: "u1@example.com" }],
        });
        yield* send(env, url, "transcription.requested", {
            media_id: "m2",
            user_id: "u1",
            source_file_path: "s3://media/none.mp4",
        });
        // realtime and ai: a message is stored, moderated and removed
        const socket = yield* Effect.acquireRelease(Effect.sync(() => {
            const made = new Socket(`${url.replace(/^http/, "ws")}/socket`, { params: { token }, transport: WebSocket });
            made.connect();
            return made;
        }), (made) => Effect.sync(() => made.disconnect()));
        const removed = [];
        const room = channel(socket, "chat:room:x", {});
        room.on("message_removed", ({ id }) => removed.push(id));
        yield* Effect.promise(() => room.join());
        const said = yield* Effect.promise(() => room.push("new_message", { content: "such a badword" }));
        yield* retryUntil(Effect.sync(() => removed), (ids) => ids.includes(said.id));
        // Events that the HTTP API would reject arrive over the bus: dead letters of media and of the guard.
        yield* Effect.gen(function* () {
            const bus = yield* EventBus;
            for (const type of ["media.uploaded", "no.such"]) {
                yield* bus.publish({ address: event(type), id: `broken ${type}`, body: new TextEncoder().encode("{") });
            }
            yield* bus.deadLetters
                .list({ limit: 10 })
                .pipe(Effect.repeat({ until: ({ length }) => length === 2 }), Effect.timeout("30 seconds"));
        }).pipe(Effect.provide(NatsBus.layerWithConnection({
            servers: [server.url],
            user: "setup",
            password: Redacted.make(secretOf("setup")),
            manage: "verify",
        })), Effect.provide(Logger.layer([])));
        yield* retryUntil(Effect.sync(() => [...reported]), (types) => ["media.ready", "notification.sent", "transcription.failed", "moderation.flagged"].every((type) => types.includes(type)));
        const liveEvents = JSON.stringify(live.flatMap((line) => (line._tag === "Event" ? [line.event] : [])));
        for (const source of ["php-backend", ...serviceNames])
            assert.include(liveEvents, `"source":"${source}"`);
        // operators: a retry reaches the service of the job, and node requests reach every node
        const captions = { kind: "transcription", media_id: "m2" };
        const before = yield* retryUntil(api.GetJob(captions), ({ status }) => status === "failed");
        yield* api.RetryJob(captions);
        yield* retryUntil(api.GetJob(captions), ({ event_id, status }) => status === "failed" && event_id !== before.event_id);
        assert.deepStrictEqual((yield* api.GetOverview()).unresponsive, []);
        yield* api.PauseCircuit({ name: "provider:inbox", reason: "" });
        yield* api.ResumeCircuit({ name: "provider:inbox" });
        const letters = yield* api.ListDeadLetters({});
        assert.sameMembers(letters.map(({ consumer }) => consumer), ["media-media-uploaded", "guard"]);
        const id = letters.find(({ consumer }) => consumer !== "guard")?.id ?? "";
        yield* api.ReplayDeadLetter({ id });
        const again = yield* retryUntil(api.ListDeadLetters({ service: "media" }), (found) => found.some((one) => one.id !== id && one.consumer !== "guard"));
        yield* api.DiscardDeadLetter({ id: again.find(({ consumer }) => consumer !== "guard")?.id ?? "" });
        const audit = (yield* api.ListAudit({})).filter(({ action }) => action !== "SetLogLevel");
        assert.lengthOf(audit, 5);
        for (const [name, { program }] of processes) {
            const faults = program
                .output()
                .split("\n")
                .filter((line) => /permission|may not|forbidden/i.test(line));
            assert.deepStrictEqual(faults, [], name);
        }
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 120_000);
});
