import * as NatsServer from "@armoricore/testing/NatsServer"
import * as Programs from "@armoricore/testing/Programs"
import { S3Server } from "@armoricore/testing/S3Server"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as Upload from "../src/demo/Upload.ts"
import { verify } from "../src/demo/Verify.ts"
import { watch } from "../src/demo/Watch.ts"
import * as Clip from "./support/Clip.ts"
import { publish, start, tokenFor } from "./support/Flow.ts"
import * as Program from "./support/Program.ts"

const ffmpeg = Programs.need("ffmpeg")
const nats = Programs.need("nats-server")

describe.skipIf(ffmpeg.missing || nats.missing)("services on machines of their own, without a CDN", () => {
  // Regression: media signed them with a key of its own folder, and realtime knew none but that of its JWT_SECRET.
  it.live(
    "realtime plays what media signed with the same URL_SECRET, and media needs no JWT_SECRET for it",
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
          ARMORICORE_DATA_DIR: yield* Program.folder,
          JWT_SECRET: "a secret of realtime alone",
        }
        const realtime = yield* start(front, "--services", "realtime")
        const back = { ...common, ARMORICORE_DATA_DIR: yield* Program.folder, PUBLIC_URL: realtime.url }
        yield* start(back, "--services", "media")
        const token = yield* tokenFor(front, "--user", "u1")
        const clip = yield* Clip.make(ffmpeg.path, 2)
        const grant = yield* Upload.ask(realtime.url, token, clip)
        yield* Upload.put(grant, clip)
        const ready = yield* watch(realtime.url, token, grant.media_id, () => {})
        yield* publish(front, realtime.url, grant)
        const made = yield* ready
        assert.isTrue(made.playback_urls.hls.startsWith(`${realtime.url}/play/`))
        assert.strictEqual((yield* verify(made)).rungs, made.resolutions.length)
      }).pipe(Effect.provide(S3Server.layer({ buckets: ["media"] })), Effect.provide(NodeServices.layer)),
    120_000,
  )
})
