/**
 * The operator API with one process per service on one NATS server. A request to one realtime node acts on the jobs of
 * another process and on the sockets of another node, and reports a process that dies.
 */
import { OperatorClient } from "@armoricore/operator";
import { FakeSpeech, apiKey } from "@armoricore/testing/fakes/FakeSpeech";
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as Programs from "@armoricore/testing/Programs";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { assert, describe, it } from "@effect/vitest";
import { Context, Effect, Layer, Redacted, Stream } from "effect";
import * as UploadClient from "@armoricore/demo/UploadClient";
import { request, retryUntil } from "../support/ApiClient.ts";
import * as ChatClient from "../support/ChatClient.ts";
import * as ProgramFixture from "../support/ProgramFixture.ts";
import * as StalledFfmpeg from "../support/StalledFfmpeg.ts";
import * as ProgramProcess from "../support/ProgramProcess.ts";
import * as SpeechVideo from "../support/SpeechVideo.ts";
const ffmpeg = Programs.requireProgram("ffmpeg");
const nats = Programs.requireProgram("nats-server");
const room = "chat:room:harbour";
const send = Effect.fnUntraced(function* (url, publisher, type, payload) {
    const event_id = crypto.randomUUID();
    const answer = yield* request(`${url}/v1/events`, {
        method: "POST",
        headers: { authorization: `Bearer ${publisher}` },
        body: JSON.stringify({
            event_type: type,
            event_id,
            timestamp: new Date().toISOString(),
            source: "php-backend",
            payload,
        }),
    });
    assert.strictEqual(answer.status, 202, JSON.stringify(answer.json));
    return event_id;
});
describe.skipIf(ffmpeg.missing || nats.missing)("the operator API over several processes", () => {
    it.live("cancels, retries, pauses, kicks, bans and sets log levels on other nodes, and names a dead process", () => Effect.gen(function* () {
        const server = yield* NatsServer.make();
        const speech = yield* FakeSpeech;
        const held = StalledFfmpeg.make(yield* ProgramProcess.temporaryDirectory, ffmpeg.path);
        const env = {
            MESSAGE_BUS_URL: server.url,
            ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
            JWT_SECRET: "a secret that all processes share, for this test",
            FFMPEG_PATH: held.script,
            SPEECH_ENGINE: "openai",
            SPEECH_BASE_URL: `${speech.url}/v1`,
            SPEECH_API_KEY: apiKey,
            LOG_LEVEL: "error",
        };
        const works = yield* ProgramFixture.start(env, "--services", "media,ai,notify");
        const [here, there] = [
            yield* ProgramFixture.start(env, "--services", "realtime"),
            yield* ProgramFixture.start(env, "--services", "realtime"),
        ];
        const tokenOf = (...args) => ProgramFixture.tokenFor(env, ...args);
        const operator = yield* tokenOf("--user", "ida", "--role", "operator");
        const publisher = yield* tokenOf("--user", "php", "--role", "publisher");
        const [ada, bob] = [yield* tokenOf("--user", "ada"), yield* tokenOf("--user", "bob")];
        const through = (url) => Effect.map(Layer.build(OperatorClient.layer({ url, token: Redacted.make(operator) })), (built) => Context.get(built, OperatorClient));
        const [api, other] = [yield* through(here.url), yield* through(there.url)];
        const all = yield* retryUntil(api.GetOverview(), ({ nodes }) => nodes.length === 3);
        assert.deepStrictEqual(all.unresponsive, []);
        // A job of the media process is cancelled, then retried.
        const film = yield* SpeechVideo.make(ffmpeg.path);
        held.stall();
        const grant = yield* UploadClient.requestUpload(here.url, ada, film);
        yield* UploadClient.uploadFile(grant, film);
        yield* ProgramFixture.publishUploaded(env, there.url, grant, "ada");
        const about = { media_id: grant.media_id };
        yield* retryUntil(api.GetJob(about), ({ stage, status }) => status === "processing" && stage !== "queued");
        yield* api.CancelJob(about);
        const cancelled = yield* retryUntil(other.GetJob(about), ({ status }) => status === "failed");
        assert.strictEqual(cancelled.error?.code, "cancelled");
        // A node that reads the job for the first time sees the same state.
        assert.match(cancelled.trace_id ?? "", /^[0-9a-f]{32}$/);
        held.resume();
        yield* api.RetryJob(about);
        yield* retryUntil(other.GetJob(about), ({ status }) => status === "ready");
        // Captions of a missing file fail; after its upload they are retried.
        const late = yield* UploadClient.requestUpload(here.url, ada, film);
        const captions = { kind: "transcription", media_id: late.media_id };
        yield* send(there.url, publisher, "transcription.requested", {
            media_id: late.media_id,
            user_id: "ada",
            source_file_path: late.file_path,
            language: "en",
        });
        const failed = yield* retryUntil(api.GetJob(captions), ({ status }) => status === "failed");
        assert.deepInclude(failed, { kind: "transcription", retryable: true });
        yield* UploadClient.uploadFile(late, film);
        yield* api.RetryJob(captions);
        const done = yield* retryUntil(other.GetJob(captions), ({ status }) => status === "ready");
        assert.deepStrictEqual(done.languages, ["en"]);
        const listed = yield* api.ListJobs({ kind: "transcription" });
        assert.deepStrictEqual(listed.map(({ languages, status }) => [status, languages]), [["ready", ["en"]]]);
        // Captions that wait for an unresponsive speech engine are cancelled in their process.
        speech.behavior.rateLimitedRequests = 1_000;
        const unheard = { ...captions, media_id: grant.media_id };
        yield* send(here.url, publisher, "transcription.requested", {
            media_id: grant.media_id,
            user_id: "ada",
            source_file_path: grant.file_path,
            language: "en",
        });
        yield* retryUntil(other.GetJob(unheard), ({ stage }) => stage === "transcribing");
        yield* api.CancelJob(unheard);
        const ended = yield* retryUntil(other.GetJob(unheard), ({ status }) => status === "failed");
        assert.strictEqual(ended.error?.code, "cancelled");
        speech.behavior.rateLimitedRequests = 0;
        // A pause applies in the notify process, and every node shows it.
        yield* api.PauseCircuit({ name: "provider:inbox", reason: "trying" });
        const pauseOf = Effect.map(other.ListCircuits(), ({ circuits }) => circuits.find(({ name }) => name === "provider:inbox")?.paused);
        assert.deepInclude(yield* retryUntil(pauseOf, (paused) => paused !== undefined), {
            by: "ida",
            reason: "trying",
        });
        const note = yield* send(there.url, publisher, "notification.requested", {
            user_id: "ada",
            notification_type: "email",
            title: "t",
            body: "b",
            data: { email: "ada@example.com" },
        });
        const statusOf = request(`${here.url}/v1/notifications/${note}`, {
            headers: { authorization: `Bearer ${operator}` },
        });
        yield* retryUntil(statusOf, ({ status }) => status === 200);
        const waiting = yield* retryUntil(api.GetOverview(), ({ queues }) => queues.some(({ in_flight, name, pending }) => name === "notify-work-deliver-email" && in_flight + pending > 0));
        assert.deepStrictEqual(waiting.unhealthy_circuits, ["provider:inbox"]);
        assert.notInclude(JSON.stringify((yield* statusOf).json), '"sent"');
        yield* other.ResumeCircuit({ name: "provider:inbox" });
        yield* retryUntil(statusOf, ({ json }) => JSON.stringify(json).includes('"status":"sent"'));
        // Every process changes its log level.
        const level = yield* api.SetLogLevel({ level: "warn" });
        assert.strictEqual(level.nodes.length, 3);
        yield* retryUntil(other.GetOverview(), ({ nodes }) => nodes.every(({ log_level }) => log_level === "warn"));
        yield* retryUntil(Effect.sync(() => [works, here, there].map(({ program }) => program.output())), (said) => said.every((text) => text.includes("log level changed from error to warn")));
        // Users of the other node are kicked and banned.
        const [adaThere, bobThere] = [
            yield* ChatClient.join(there.url, ada, room),
            yield* ChatClient.join(there.url, bob, room),
        ];
        yield* ChatClient.join(here.url, bob, room);
        const { rooms } = yield* retryUntil(api.ListRooms({}), ({ rooms: [one] }) => one?.members === 3);
        assert.strictEqual(rooms[0]?.nodes.length, 2);
        const kicked = yield* api.Kick({ user_id: "bob", reason: "no krakens" });
        assert.deepStrictEqual(kicked, { kicked: 2, unresponsive: [] });
        yield* api.Ban({ user_id: "ada", reason: "spam" });
        yield* retryUntil(Effect.sync(() => [bobThere.closeCodes[0], adaThere.closeCodes[0]]), ([kick, ban]) => kick === 4002 && ban === 4001);
        // The worker dies while a client watches: the overview names it, and then the services without a process.
        const said = [];
        yield* Effect.forkScoped(Stream.runForEach(other.WatchOverview(), ({ warnings }) => Effect.sync(() => void said.push(...warnings.map(({ level: how, message }) => `${how} ${message}`)))));
        const saying = (pattern) => retryUntil(Effect.sync(() => said), (lines) => lines.some((line) => pattern.test(line)));
        yield* works.program.signal("SIGKILL");
        yield* works.program.exited;
        yield* saying(/^fault The process \S+ does not respond\.$/);
        for (const service of ["media", "ai", "notify"]) {
            yield* saying(new RegExp(`^fault No process runs ${service}: \\S+ sent its last heartbeat \\d+ s ago\\.$`));
        }
        said.length = 0;
        yield* ProgramFixture.start(env, "--services", "media,ai,notify");
        yield* saying(/^warning The process \S+ sent its last heartbeat .* ago; other processes do its work\.$/);
        // Both nodes write one audit log, which survives the restart of a node.
        const acts = (yield* other.ListAudit({})).map(({ action, outcome }) => `${action} ${outcome}`);
        assert.deepStrictEqual(acts.reverse(), [
            "CancelJob done",
            "RetryJob done",
            "RetryJob done",
            "CancelJob done",
            "PauseCircuit done",
            "ResumeCircuit done",
            "SetLogLevel done",
            "Kick done",
            "Ban done",
        ]);
    }).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(FakeSpeech.layer, NodeServices.layer))), 180_000);
});
