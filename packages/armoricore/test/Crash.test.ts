import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Upload from "../src/demo/Upload.ts"
import { watch } from "../src/demo/Watch.ts"
import { verify } from "../src/demo/Verify.ts"
import { NodeServices } from "@effect/platform-node"
import { request, until } from "./support/Client.ts"
import * as Clip from "./support/Clip.ts"
import { publish, start, tokenFor } from "./support/Flow.ts"
import * as Program from "./support/Program.ts"

const ffmpeg = Programs.need("ffmpeg")

/** Processes of this machine whose command line names the text; zombies have none. */
const processesThatName = (text: string): ReadonlyArray<string> =>
  readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .flatMap((pid) => {
      try {
        const command = readFileSync(join("/proc", pid, "cmdline"), "utf8").replaceAll("\0", " ")
        return command.includes("ffmpeg") && command.includes(text) ? [`${pid} ${command}`] : []
      } catch {
        // It ended between the listing and the look.
        return []
      }
    })

describe.skipIf(ffmpeg.missing)("the program as a process", () => {
  it.live(
    "kill -9 in the middle of a transcode: the next start finishes it, one media.ready, no ffmpeg left over",
    () =>
      Effect.gen(function* () {
        const data = yield* Program.folder
        const temporary = yield* Program.folder
        const env = { ARMORICORE_DATA_DIR: data, TMPDIR: temporary }
        const clip = yield* Clip.make(ffmpeg.path, 16)
        const first = yield* start(env)
        const token = yield* tokenFor(env, "--user", "u1")
        const grant = yield* Upload.ask(first.url, token, clip)
        yield* Upload.put(grant, clip)
        yield* publish(env, first.url, grant)
        yield* until(
          request(`${first.url}/v1/media/${grant.media_id}`, { headers: { authorization: `Bearer ${token}` } }),
          ({ json }) => JSON.stringify(json).includes('"stage":"transcoding"'),
        )
        yield* until(
          Effect.sync(() => processesThatName(temporary)),
          (found) => found.length > 0,
        )
        yield* first.program.signal("SIGKILL")
        yield* first.program.ended
        yield* until(
          Effect.sync(() => processesThatName(temporary)),
          (found) => found.length === 0,
        )

        const second = yield* start(env)
        const ready = yield* watch(second.url, token, grant.media_id, () => {})
        const made = yield* ready
        assert.strictEqual((yield* verify(made)).rungs, made.resolutions.length)

        // Announced once, whatever the number of tries.
        yield* second.program.signal("SIGTERM")
        assert.strictEqual((yield* second.program.ended).code, 0)
        assert.strictEqual(new Set(yield* Clip.readyEventIds(data, grant.media_id)).size, 1)
        assert.deepStrictEqual(processesThatName(temporary), [])
      }).pipe(Effect.provide(NodeServices.layer)),
    180_000,
  )

  it.live(
    "SIGTERM lets the running transcode finish, refuses nothing it has taken, and ends with 0",
    () =>
      Effect.gen(function* () {
        const data = yield* Program.folder
        const temporary = yield* Program.folder
        const env = { ARMORICORE_DATA_DIR: data, TMPDIR: temporary }
        const clip = yield* Clip.make(ffmpeg.path, 6)
        const { program, url } = yield* start(env)
        const token = yield* tokenFor(env, "--user", "u1")
        const grant = yield* Upload.ask(url, token, clip)
        yield* Upload.put(grant, clip)
        const ready = yield* watch(url, token, grant.media_id, () => {})
        yield* publish(env, url, grant)
        yield* until(
          Effect.sync(() => processesThatName(temporary)),
          (found) => found.length > 0,
        )
        yield* program.signal("SIGTERM")
        const [made, report] = yield* Effect.all(
          [ready, until(request(`${url}/readyz`), ({ status }) => status === 503)],
          {
            concurrency: 2,
          },
        )
        assert.strictEqual(made.media_id, grant.media_id)
        assert.deepInclude(report.json, { ready: false, reasons: ["the program is stopping"] })
        const { code, stderr } = yield* program.ended
        assert.strictEqual(code, 0, stderr)
      }).pipe(Effect.provide(NodeServices.layer)),
    120_000,
  )
})
