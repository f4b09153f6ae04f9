import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as UploadClient from "@armoricore/demo/UploadClient"
import { watchMedia } from "@armoricore/demo/MediaWatcher"
import { verifyStream } from "@armoricore/demo/StreamVerifier"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { request, retryUntil } from "../support/ApiClient.ts"
import * as TestClip from "../support/TestClip.ts"
import { publishUploaded, start, tokenFor } from "../support/ProgramFixture.ts"
import * as ProgramProcess from "../support/ProgramProcess.ts"

const ffmpeg = Programs.requireProgram("ffmpeg")

/** Processes of this machine whose command line contains the text; zombies have no command line. */
const processesThatName = (text: string): ReadonlyArray<string> =>
  readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .flatMap((pid) => {
      try {
        const command = readFileSync(join("/proc", pid, "cmdline"), "utf8").replaceAll("\0", " ")
        return command.includes("ffmpeg") && command.includes(text) ? [`${pid} ${command}`] : []
      } catch {
        // The process exited after it was listed.
        return []
      }
    })

describe.skipIf(ffmpeg.missing)("the program as a process", () => {
  it.live(
    "after kill -9 during a transcode the next start finishes it with one media.ready and no leftover ffmpeg",
    () =>
      Effect.gen(function* () {
        const data = yield* ProgramProcess.temporaryDirectory
        const temporary = yield* ProgramProcess.temporaryDirectory
        const env = { ARMORICORE_DATA_DIR: data, TMPDIR: temporary }
        const clip = yield* TestClip.make(ffmpeg.path, 6)
        const first = yield* start(env)
        const token = yield* tokenFor(env, "--user", "u1")
        const grant = yield* UploadClient.requestUpload(first.url, token, clip)
        yield* UploadClient.uploadFile(grant, clip)
        yield* publishUploaded(env, first.url, grant)
        yield* retryUntil(
          request(`${first.url}/v1/media/${grant.media_id}`, { headers: { authorization: `Bearer ${token}` } }),
          ({ json }) => JSON.stringify(json).includes('"stage":"transcoding"'),
        )
        yield* retryUntil(
          Effect.sync(() => processesThatName(temporary)),
          (found) => found.length > 0,
        )
        yield* first.program.signal("SIGKILL")
        yield* first.program.exited
        yield* retryUntil(
          Effect.sync(() => processesThatName(temporary)),
          (found) => found.length === 0,
        )

        const second = yield* start(env)
        const ready = yield* watchMedia(second.url, token, grant.media_id, () => {})
        const made = yield* ready
        assert.strictEqual((yield* verifyStream(made)).renditions, made.resolutions.length)

        // Published once, for any number of attempts.
        yield* second.program.signal("SIGTERM")
        assert.strictEqual((yield* second.program.exited).code, 0)
        assert.strictEqual(new Set(yield* TestClip.readyEventIds(data, grant.media_id)).size, 1)
        assert.deepStrictEqual(processesThatName(temporary), [])
      }).pipe(Effect.provide(NodeServices.layer)),
    180_000,
  )

  it.live(
    "SIGTERM lets the running transcode finish, refuses nothing it has taken, and ends with 0",
    () =>
      Effect.gen(function* () {
        const data = yield* ProgramProcess.temporaryDirectory
        const temporary = yield* ProgramProcess.temporaryDirectory
        const env = { ARMORICORE_DATA_DIR: data, TMPDIR: temporary }
        const clip = yield* TestClip.make(ffmpeg.path, 6)
        const { program, url } = yield* start(env)
        const token = yield* tokenFor(env, "--user", "u1")
        const grant = yield* UploadClient.requestUpload(url, token, clip)
        yield* UploadClient.uploadFile(grant, clip)
        const ready = yield* watchMedia(url, token, grant.media_id, () => {})
        yield* publishUploaded(env, url, grant)
        yield* retryUntil(
          Effect.sync(() => processesThatName(temporary)),
          (found) => found.length > 0,
        )
        yield* program.signal("SIGTERM")
        const [made, report] = yield* Effect.all(
          [ready, retryUntil(request(`${url}/readyz`), ({ status }) => status === 503)],
          {
            concurrency: 2,
          },
        )
        assert.strictEqual(made.media_id, grant.media_id)
        assert.deepInclude(report.json, { ready: false, reasons: ["the program is stopping"] })
        const { code, stderr } = yield* program.exited
        assert.strictEqual(code, 0, stderr)
      }).pipe(Effect.provide(NodeServices.layer)),
    120_000,
  )
})
