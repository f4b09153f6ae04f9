import * as NatsServer from "@armoricore/testing/NatsServer";
import * as Programs from "@armoricore/testing/Programs";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import * as UploadClient from "@armoricore/demo/UploadClient";
import { verifyStream } from "@armoricore/demo/StreamVerifier";
import { watchMedia } from "@armoricore/demo/MediaWatcher";
import { request, retryUntil } from "../support/ApiClient.ts";
import * as TestClip from "../support/TestClip.ts";
import { publishUploaded, start, tokenFor } from "../support/ProgramFixture.ts";
import * as ProgramProcess from "../support/ProgramProcess.ts";
const ffmpeg = Programs.requireProgram("ffmpeg");
const nats = Programs.requireProgram("nats-server");
describe.skipIf(ffmpeg.missing || nats.missing)("services in separate processes", () => {
    it.live("media and realtime share the work over NATS; realtime without the bus stays ready, media does not", () => Effect.gen(function* () {
        const server = yield* NatsServer.make();
        const env = {
            MESSAGE_BUS_URL: server.url,
            ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
            JWT_SECRET: "a secret that both processes share, for this test",
            LOG_LEVEL: "error",
        };
        const media = yield* start(env, "--services", "media");
        const realtime = yield* start(env, "--services", "realtime");
        const token = yield* tokenFor(env, "--user", "u1");
        assert.strictEqual((yield* request(`${media.url}/v1/uploads`, { method: "POST" })).status, 404);
        const clip = yield* TestClip.make(ffmpeg.path, 3);
        const grant = yield* UploadClient.requestUpload(realtime.url, token, clip);
        yield* UploadClient.uploadFile(grant, clip);
        const ready = yield* watchMedia(realtime.url, token, grant.media_id, () => { });
        yield* publishUploaded(env, realtime.url, grant);
        const made = yield* ready;
        assert.strictEqual((yield* verifyStream(made)).renditions, made.resolutions.length);
        yield* server.kill;
        const withoutBus = (url) => retryUntil(request(`${url}/readyz`), ({ json }) => JSON.stringify(json).includes("bus: not connected"));
        assert.strictEqual((yield* withoutBus(media.url)).status, 503);
        const degraded = yield* withoutBus(realtime.url);
        assert.strictEqual(degraded.status, 200);
        assert.deepInclude(degraded.json, { ready: true, degraded: true });
        yield* server.restart;
        yield* retryUntil(request(`${media.url}/readyz`), ({ status }) => status === 200);
    }).pipe(Effect.provide(NodeServices.layer)), 120_000);
});
