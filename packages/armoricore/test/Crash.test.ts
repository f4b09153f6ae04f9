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

const start = Effect.fnUntraced(function* (data: string, temporary: string) {
  const program = yield* Program.launch(["start"], {
    ARMORICORE_DATA_DIR: data,
    TMPDIR: temporary,
    PORT: "0",
    LOG_LEVEL: "info",
    DRAIN_GRACE: "30 s",
  })
  const [, url = ""] = yield* program.says(/armoricore listens on (http:\S+)/)
  return { program, url }
})

const tokenFor = Effect.fnUntraced(function* (data: string, ...args: ReadonlyArray<string>) {
  const { stdout } = yield* Program.run(["token", ...args], { ARMORICORE_DATA_DIR: data })
  return stdout.trim()
})

const publish = Effect.fnUntraced(function* (data: string, url: string, grant: Upload.Grant) {
  const answer = yield* request(`${url}/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${yield* tokenFor(data, "--user", "php", "--role", "publisher")}` },
    body: JSON.stringify({
      event_type: "media.uploaded",
      event_id: crypto.randomUUID(),
      timestamp: new Date().toISOString(),
      source: "php-backend",
      payload: { media_id: grant.media_id, user_id: "u1", file_path: grant.file_path },
    }),
  })
  assert.strictEqual(answer.status, 202, JSON.stringify(answer.json))
})

describe.skipIf(ffmpeg.missing)("the program as a process", () => {
  it.live(
    "kill -9 in the middle of a transcode: the next start finishes it, one media.ready, no ffmpeg left over",
    () =>
      Effect.gen(function* () {
        const data = yield* Program.folder
        const temporary = yield* Program.folder
        const clip = yield* Clip.make(ffmpeg.path, 16)
        const first = yield* start(data, temporary)
        const token = yield* tokenFor(data, "--user", "u1")
        const grant = yield* Upload.ask(first.url, token, clip)
        yield* Upload.put(grant, clip)
        yield* publish(data, first.url, grant)
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

        const second = yield* start(data, temporary)
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
        const clip = yield* Clip.make(ffmpeg.path, 6)
        const { program, url } = yield* start(data, temporary)
        const token = yield* tokenFor(data, "--user", "u1")
        const grant = yield* Upload.ask(url, token, clip)
        yield* Upload.put(grant, clip)
        const ready = yield* watch(url, token, grant.media_id, () => {})
        yield* publish(data, url, grant)
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
