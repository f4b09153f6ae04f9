import * as Programs from "@armoricore/testing/Programs"
import * as NatsServer from "@armoricore/testing/NatsServer"
import * as PostgresServer from "@armoricore/testing/PostgresServer"
import * as RabbitServer from "@armoricore/testing/RabbitServer"
import { S3Server } from "@armoricore/testing/S3Server"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as ProgramProcess from "../support/ProgramProcess.ts"
import * as TestClip from "../support/TestClip.ts"

const ffmpeg = Programs.requireProgram("ffmpeg")
const nats = Programs.requireProgram("nats-server")
const ready = /Ready: 720p, 480p, 360p \(3 renditions, [0-9]+ segments, 5 thumbnails fetched\)/

describe("armoricore demo --once", () => {
  it.live(
    "makes a stream of its clip on the embedded defaults",
    () =>
      Effect.gen(function* () {
        const { code, stderr, stdout } = yield* ProgramProcess.run(["demo", "--once"], {})
        assert.strictEqual(code, 0, stderr)
        assert.match(stdout, ready)
      }),
    120_000,
  )

  it.live("exits with 1 and one sentence for a file that is not media", () =>
    Effect.gen(function* () {
      const file = join(yield* ProgramProcess.temporaryDirectory, "letter.mp4")
      writeFileSync(file, "Dear reader, this is not a video.\n".repeat(50))
      const { code, stderr } = yield* ProgramProcess.run(["demo", "--once", "--input", file], { LOG_LEVEL: "error" })
      assert.strictEqual(code, 1)
      assert.match(stderr, /^armoricore: cannot process the file \([a-z_]+\): [^\n]+\n$/)
    }),
  )
})

describe.skipIf(nats.missing || ffmpeg.missing)("armoricore demo --once with servers", () => {
  it.live(
    "on NATS and with S3 storage",
    () =>
      Effect.gen(function* () {
        const { url } = yield* NatsServer.make()
        const s3 = yield* S3Server
        const clip = yield* TestClip.make(ffmpeg.path, 1)
        const { code, stderr, stdout } = yield* ProgramProcess.run(["demo", "--once", "--input", clip], {
          MESSAGE_BUS_URL: url,
          OBJECT_STORAGE_ENDPOINT: s3.endpoint,
          OBJECT_STORAGE_ACCESS_KEY: s3.accessKey,
          OBJECT_STORAGE_SECRET_KEY: Redacted.value(s3.secretKey),
        })
        assert.strictEqual(code, 0, stderr)
        assert.match(stdout, ready)
      }).pipe(Effect.provide(S3Server.layer({ buckets: ["media"] }))),
    120_000,
  )
})

const rabbit = Programs.requireProgram("rabbitmq-server")
const postgres = Programs.requireProgram("postgres")

describe.skipIf(rabbit.missing || postgres.missing || ffmpeg.missing)(
  "armoricore demo --once with RabbitMQ and PostgreSQL",
  () => {
    it.live(
      "makes a stream over AMQP with its state in the database",
      () =>
        Effect.gen(function* () {
          const bus = yield* RabbitServer.make({ virtualHosts: 1 })
          const state = yield* PostgresServer.make()
          const clip = yield* TestClip.make(ffmpeg.path, 1)
          const { code, stderr, stdout } = yield* ProgramProcess.run(["demo", "--once", "--input", clip], {
            MESSAGE_BUS_URL: yield* bus.newUrl,
            STATE_URL: state.url,
          })
          assert.strictEqual(code, 0, stderr)
          assert.match(stdout, ready)
        }),
      180_000,
    )
  },
)
