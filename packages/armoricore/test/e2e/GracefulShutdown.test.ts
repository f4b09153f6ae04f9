import { childPids } from "@armoricore/testing/Processes"
import * as Programs from "@armoricore/testing/Programs"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { readdirSync, writeFileSync } from "node:fs"
import { request as open } from "node:http"
import { connect } from "node:net"
import { join } from "node:path"
import * as UploadClient from "@armoricore/demo/UploadClient"
import { request, retryUntil } from "../support/ApiClient.ts"
import * as TestClip from "../support/TestClip.ts"
import { publishUploaded, start, tokenFor } from "../support/ProgramFixture.ts"
import * as StalledFfmpeg from "../support/StalledFfmpeg.ts"
import * as BundledProgram from "../support/BundledProgram.ts"
import * as ProgramProcess from "../support/ProgramProcess.ts"

const ffmpeg = Programs.requireProgram("ffmpeg")

/** An upload whose first half is sent; `finish` sends the rest and returns the response. */
const half = Effect.fnUntraced(function* (grant: UploadClient.UploadGrant, bytes: Buffer) {
  const answered = yield* Deferred.make<number, Error>()
  const upload = open(grant.upload_url, {
    method: grant.method,
    headers: { ...grant.headers, "content-length": bytes.length },
  })
  upload.on("response", (response) => {
    response.resume()
    Deferred.doneUnsafe(answered, Effect.succeed(response.statusCode ?? 0))
  })
  upload.on("error", (error) => Deferred.doneUnsafe(answered, Effect.fail(error)))
  yield* Effect.callback<void>((resume) => {
    upload.write(bytes.subarray(0, bytes.length / 2), () => resume(Effect.void))
  })
  return {
    finish: Effect.suspend(() => {
      upload.end(bytes.subarray(bytes.length / 2))
      return Deferred.await(answered)
    }),
  }
})

/** A connection without a request, as browsers and load balancers open in advance. */
const silence = (url: string) =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof connect>>((resume) => {
      const socket = connect(Number(new URL(url).port), "127.0.0.1", () => resume(Effect.succeed(socket)))
      socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => socket.destroy()),
  )

/** Waits until the program drains, or no longer listens. */
const noLongerReady = (url: string) =>
  retryUntil(
    Effect.match(request(`${url}/readyz`), { onFailure: () => 0, onSuccess: ({ status }) => status }),
    (status) => status !== 200,
  )

describe("SIGTERM", () => {
  // regression: running requests got an empty 503
  it.live("running requests finish with their normal response", () =>
    Effect.gen(function* () {
      const env = { ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory }
      const file = join(yield* ProgramProcess.temporaryDirectory, "clip.mp4")
      const bytes = Buffer.alloc(200_000, "x")
      writeFileSync(file, bytes)
      const { program, url } = yield* start(env)
      const grant = yield* UploadClient.requestUpload(url, yield* tokenFor(env, "--user", "u1"), file)
      const upload = yield* half(grant, bytes)
      yield* program.signal("SIGTERM")
      yield* noLongerReady(url)
      assert.strictEqual(yield* upload.finish, 200)
      const { code, stderr } = yield* program.exited
      assert.strictEqual(code, 0, stderr)
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  // regression: such a connection delayed the exit by five seconds
  it.live("a connection without a request does not delay the exit", () =>
    Effect.gen(function* () {
      const { program, url } = yield* start({ ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory })
      yield* silence(url)
      yield* request(`${url}/healthz`)
      const from = performance.now()
      yield* program.signal("SIGTERM")
      assert.strictEqual((yield* program.exited).code, 0)
      assert.isBelow(performance.now() - from, 4_500)
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  // regression: the second signal ended the process at once
  it.live("a Ctrl-C that arrives twice still drains", () =>
    Effect.gen(function* () {
      const { program, url } = yield* start({ ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory })
      yield* silence(url)
      yield* program.signal("SIGINT")
      // One from the terminal and one that npm forwards; the system would merge two pending ones.
      yield* noLongerReady(url)
      yield* program.signal("SIGINT")
      assert.strictEqual((yield* program.exited).code, 0)
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  // regression: they exited at once and were replaced
  it.live("realtime workers that receive Ctrl-C wait for the primary process to drain them", () =>
    Effect.gen(function* () {
      const { program, url } = yield* start(
        { ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory },
        "--realtime-workers",
        "2",
      )
      const workers = childPids(program.child.pid ?? 0)
      assert.strictEqual(workers.length, 2)
      for (const worker of workers) process.kill(worker, "SIGINT")
      assert.strictEqual((yield* request(`${url}/readyz`)).status, 200)
      yield* program.signal("SIGINT")
      const { code, stderr } = yield* program.exited
      assert.strictEqual(code, 0)
      assert.notMatch(stderr, /"level":"error"/)
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  // regression: it exited with 128 for every signal
  it.live("the launcher on an old Node exits with the code of the signal that ended the program", () =>
    Effect.gen(function* () {
      const old = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.1.0" } })`
      const env = {
        ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
        PORT: "0",
        NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(`if (process.env.ARMORICORE_IN_OWN_NODE === undefined) ${old}`)}`,
      }
      const program = yield* ProgramProcess.launch(["start"], env, BundledProgram.checkout)
      const [child] = yield* retryUntil(
        Effect.sync(() => childPids(program.child.pid ?? 0)),
        (children) => children.length === 1,
      )
      process.kill(child ?? 0, "SIGKILL")
      assert.strictEqual((yield* program.exited).code, 128 + 9)
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.live.skipIf(ffmpeg.missing)(
    // regression: the workers reported that they were ready
    "realtime workers report that they are not ready while the primary process drains its jobs",
    () =>
      Effect.gen(function* () {
        const temporary = yield* ProgramProcess.temporaryDirectory
        const held = StalledFfmpeg.make(yield* ProgramProcess.temporaryDirectory, ffmpeg.path)
        const env = {
          ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
          DRAIN_TIMEOUT: "5 s",
          FFMPEG_PATH: held.script,
          MEDIA_WORK_DIR: temporary,
        }
        const { program, url } = yield* start(env, "--realtime-workers", "2")
        const file = yield* TestClip.make(ffmpeg.path, 4)
        const authorization = `Bearer ${yield* tokenFor(env, "--user", "u1")}`
        const grant = yield* UploadClient.requestUpload(url, authorization.slice(7), file)
        yield* UploadClient.uploadFile(grant, file)
        held.stall()
        yield* publishUploaded(env, url, grant)
        yield* retryUntil(request(`${url}/v1/media/${grant.media_id}`, { headers: { authorization } }), ({ json }) =>
          JSON.stringify(json).includes('"processing"'),
        )
        yield* program.signal("SIGTERM")
        const answer = yield* retryUntil(request(`${url}/readyz`), ({ status }) => status !== 200)
        assert.strictEqual(answer.status, 503)
        assert.include(JSON.stringify(answer.json), "stopping")
        const { code, stderr } = yield* program.exited
        assert.strictEqual(code, 0)
        // The interrupted job leaves no scratch files.
        assert.match(stderr, /Handlers of media did not finish within the drain timeout/)
        assert.deepStrictEqual(readdirSync(temporary), [])
      }).pipe(Effect.provide(NodeServices.layer)),
    90_000,
  )
})
