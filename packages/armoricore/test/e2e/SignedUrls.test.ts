import * as NatsServer from "@armoricore/testing/NatsServer"
import * as Programs from "@armoricore/testing/Programs"
import { S3Server } from "@armoricore/testing/S3Server"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as UploadClient from "@armoricore/demo/UploadClient"
import { verifyStream } from "@armoricore/demo/StreamVerifier"
import { watchMedia } from "@armoricore/demo/MediaWatcher"
import * as TestClip from "../support/TestClip.ts"
import { publishUploaded, start, tokenFor } from "../support/ProgramFixture.ts"
import * as ProgramProcess from "../support/ProgramProcess.ts"

const ffmpeg = Programs.requireProgram("ffmpeg")
const nats = Programs.requireProgram("nats-server")

describe.skipIf(ffmpeg.missing || nats.missing)("services on separate machines, without a CDN", () => {
  // regression: media signed URLs with a key of its own data folder, and realtime verified them with its JWT_SECRET
  it.live(
    "realtime serves URLs that media signed with the same URL_SECRET; media needs no JWT_SECRET",
    () =>
      Effect.gen(function* () {
        const bus = yield* NatsServer.make()
        const store = yield* S3Server
        const common = {
          MESSAGE_BUS_URL: bus.url,
          URL_SECRET: "a secret of the signed URLs of this test",
          OBJECT_STORAGE_ENDPOINT: store.endpoint,
          OBJECT_STORAGE_REGION: store.region,
          OBJECT_STORAGE_ACCESS_KEY: store.accessKey,
          OBJECT_STORAGE_SECRET_KEY: Redacted.value(store.secretKey),
        }
        const front = {
          ...common,
          ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
          JWT_SECRET: "a secret of realtime alone",
          // The owner joins below before the upload is announced.
          MEDIA_TOPIC_POLICY: "owner",
        }
        const realtime = yield* start(front, "--services", "realtime")
        const back = {
          ...common,
          ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
          PUBLIC_URL: realtime.url,
        }
        yield* start(back, "--services", "media")
        const token = yield* tokenFor(front, "--user", "u1")
        const clip = yield* TestClip.make(ffmpeg.path, 2)
        const grant = yield* UploadClient.requestUpload(realtime.url, token, clip)
        yield* UploadClient.uploadFile(grant, clip)
        const ready = yield* watchMedia(realtime.url, token, grant.media_id, () => {})
        yield* publishUploaded(front, realtime.url, grant)
        const made = yield* ready
        assert.isTrue(made.playback_urls.hls.startsWith(`${realtime.url}/play/`))
        assert.strictEqual((yield* verifyStream(made)).renditions, made.resolutions.length)
      }).pipe(Effect.provide(S3Server.layer({ buckets: ["media"] })), Effect.provide(NodeServices.layer)),
    120_000,
  )
})
