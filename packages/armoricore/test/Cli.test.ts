import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { execFile } from "node:child_process"
import { request, retryUntil } from "./support/ApiClient.ts"
import * as BundledProgram from "./support/BundledProgram.ts"
import * as ProgramProcess from "./support/ProgramProcess.ts"

const oneLine = /^armoricore: [^\n]+\n$/

describe("the command line", () => {
  it.live("exits with 0 on success, 1 on failure, 2 on a usage error, with one line on stderr per failure", () =>
    Effect.gen(function* () {
      const data = yield* ProgramProcess.temporaryDirectory
      const env = { ARMORICORE_DATA_DIR: data, LOG_LEVEL: "error" }
      const cases: ReadonlyArray<readonly [number, ReadonlyArray<string>, Readonly<Record<string, string>>?]> = [
        [0, ["token", "--user", "u1"]],
        [0, ["--version"]],
        [2, ["token"]],
        [2, ["nonsense"]],
        [2, ["token", "--user", "u1", "--ttl", "-1h"]],
        [2, ["token", "--user", "u1", "--ttl", "0"]],
        [2, ["start", "--services", "media,tea"]],
        [2, ["token", "--user", "u1", "--role", "superuser"]],
        [2, ["dead-letters", "list", "--reason", "bogus"]],
        [0, ["dead-letters", "list", "--reason", "timeout", "--json"]],
        [2, ["dead-letters", "list", "--limit", "0"]],
        [1, ["operator", "jobs", "--context", "nowhere"], { XDG_CONFIG_HOME: data }],
        [1, ["token", "--user", "u1"], { PORT: "http", RETRY_CAP: "soon" }],
        [1, ["publish", "/there/is/no/such/file"]],
        [1, ["token", "--user", "u1"], { ARMORICORE_DATA_DIR: "/proc/armoricore" }],
        [1, ["start", "--services", "media"]],
        [1, ["dead-letters", "show", "none"]],
      ]
      yield* Effect.forEach(
        cases,
        Effect.fnUntraced(function* ([code, args, more]) {
          const ended = yield* ProgramProcess.run(args, { ...env, ...more })
          assert.strictEqual(ended.code, code, `${args.join(" ")}: ${ended.stderr}`)
          if (code === 0) assert.strictEqual(ended.stderr, "")
          else assert.match(ended.stderr, oneLine, args.join(" "))
        }),
        { concurrency: 2 },
      )
    }),
  )

  it.live("prints only the token on stdout, also when it generates the secret first", () =>
    Effect.gen(function* () {
      const data = yield* ProgramProcess.temporaryDirectory
      const ended = yield* ProgramProcess.run(["token", "--user", "u1"], {
        ARMORICORE_DATA_DIR: data,
        LOG_FORMAT: "json",
      })
      assert.match(ended.stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/)
      assert.include(ended.stderr, "generated a JWT secret")
    }),
  )

  it.live("names the valid values of a wrong flag, and shows defaults in the help", () =>
    Effect.gen(function* () {
      const env = { ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory, LOG_LEVEL: "error" }
      const outputs = yield* Effect.forEach(
        [
          ["token", "--user", "u1", "--role", "superuser"],
          ["dead-letters", "list", "--reason", "bogus"],
          ["token", "--help"],
          ["dead-letters", "list", "--help"],
        ],
        (args) => Effect.map(ProgramProcess.run(args, env), ({ stderr, stdout }) => stdout + stderr),
        { concurrency: 2 },
      )
      const [role = "", reason = "", tokenHelp = "", listHelp = ""] = outputs
      assert.match(role, /superuser.*publisher.*operator.*guest/)
      assert.match(reason, /bogus; --reason is one of undecodable, invalid, unknown_type/)
      assert.include(tokenHelp, "(default: 1h)")
      assert.include(listHelp, "(default: 100)")
    }),
  )

  it.live("check-config prints each error on its own line", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* ProgramProcess.run(["check-config"], {
        PORT: "http",
        APNS_KEY: "x",
        JWT_SECRET: "short",
      })
      assert.strictEqual(code, 1)
      assert.strictEqual(stderr.trim().split("\n").length, 5)
      assert.notMatch(stderr, /^\s+at /m)
    }),
  )

  it.live("a data folder has one owner; commands share it while it runs", () =>
    Effect.gen(function* () {
      const data = yield* ProgramProcess.temporaryDirectory
      const env = { ARMORICORE_DATA_DIR: data, PORT: "0", LOG_LEVEL: "error" }
      const owner = yield* ProgramProcess.launch(["start"], env)
      const [, url = ""] = yield* owner.waitForOutput(/armoricore listens on (http:\S+)/)
      yield* retryUntil(request(`${url}/readyz`), ({ status }) => status === 200)

      const second = yield* ProgramProcess.run(["start"], env)
      assert.strictEqual(second.code, 1)
      assert.match(second.stderr, oneLine)
      assert.match(second.stderr, new RegExp(`belongs to process ${owner.child.pid}`))

      const file = join(data, "event.json")
      const media = { media_id: "m-1", user_id: 7, file_path: "s3://media/none.mp4", metadata: [] }
      writeFileSync(file, JSON.stringify(media))
      const published = yield* ProgramProcess.run(["publish", "--wait", "--type", "media.uploaded", file], env)
      const [id = "", result = ""] = published.stdout.split("\n")
      assert.match(id, /^[0-9a-f-]{36}$/, published.stderr)
      assert.deepInclude(JSON.parse(result), { event_type: "media.failed" })
      assert.strictEqual(published.code, 1)
      assert.match(published.stderr, /^armoricore: media\.failed: [^\n]+\n$/)
      const token = (yield* ProgramProcess.run(["token", "--user", "7"], env)).stdout.trim()
      const answer = yield* retryUntil(
        request(`${url}/v1/media/m-1`, { headers: { authorization: `Bearer ${token}` } }),
        ({ json }) => JSON.stringify(json).includes('"status":"failed"'),
      )
      assert.include(JSON.stringify(answer.json), "source_missing")
      // regression: the router answered 404 for ids with more than 100 characters.
      assert.strictEqual((yield* request(`${url}/v1/users/${"u".repeat(128)}/rooms`)).status, 401)

      yield* owner.signal("SIGTERM")
      const { code, stderr, stdout } = yield* owner.exited
      assert.strictEqual(code, 0)
      // regression: without a terminal, a log collector received an operator's token and lines that are not JSON
      assert.notInclude(stdout + stderr, "token=")
      for (const line of (stdout + stderr).trim().split("\n")) assert.isObject(JSON.parse(line), line)
    }),
  )

  it.live("a published event waits for the first worker; an unauthorised one becomes a dead letter", () =>
    Effect.gen(function* () {
      const data = yield* ProgramProcess.temporaryDirectory
      const env = { ARMORICORE_DATA_DIR: data, PORT: "0", LOG_LEVEL: "error" }
      assert.strictEqual((yield* ProgramProcess.run(["setup"], env)).code, 0)
      const file = join(data, "event.json")
      const envelope = {
        event_type: "media.uploaded",
        event_id: crypto.randomUUID(),
        timestamp: new Date().toISOString(),
        source: "shop",
        payload: { media_id: "m-2", user_id: "u", file_path: "s3://media/none.mp4" },
      }
      writeFileSync(file, JSON.stringify(envelope))
      const refused = yield* ProgramProcess.run(["publish", file], env)
      assert.match(refused.stderr, /the source shop may not publish media.uploaded/)
      const allowed = { ...env, EVENT_SOURCES: '{"shop":["media.uploaded"]}' }
      assert.strictEqual((yield* ProgramProcess.run(["publish", file], allowed)).stdout.trim(), envelope.event_id)

      const worker = yield* ProgramProcess.launch(["start"], env)
      yield* worker.waitForOutput(/armoricore listens on/)
      const listed = yield* retryUntil(ProgramProcess.run(["dead-letters", "list"], env), ({ stdout }) => stdout !== "")
      assert.match(listed.stdout, /\tmedia\tmedia\.uploaded\tunauthorized\tsource\t/)
      const [letter = ""] = listed.stdout.split("\t")
      const shown = yield* ProgramProcess.run(["dead-letters", "show", letter], env)
      assert.include(shown.stdout, envelope.event_id)
      assert.strictEqual((yield* ProgramProcess.run(["dead-letters", "discard", letter], env)).code, 0)
      assert.strictEqual((yield* ProgramProcess.run(["dead-letters", "list"], env)).stdout, "")
    }),
  )

  it.live("an old Node runs the newer Node of the installation, or fails with one sentence", () =>
    Effect.gen(function* () {
      const old = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.1.0" } })`
      const asOld = (env: Readonly<Record<string, string>>) =>
        Effect.callback<{ readonly code: number; readonly stdout: string; readonly stderr: string }>((resume) => {
          execFile(
            process.execPath,
            ["--import", `data:text/javascript,${encodeURIComponent(old)}`, BundledProgram.checkout, "token", "--help"],
            { env: { PATH: process.env["PATH"], ...env } },
            (error, stdout, stderr) => resume(Effect.succeed({ code: Number(error?.code ?? 0), stdout, stderr })),
          )
        })
      const without = yield* asOld({ ARMORICORE_IN_OWN_NODE: "1" })
      assert.strictEqual(without.code, 1)
      assert.match(without.stderr, /^armoricore needs Node 22\.19 or newer and this is 20\.1\.0; [^\n]+\n$/)
      if (process.platform !== "linux") return
      const withOwn = yield* asOld({})
      assert.strictEqual(withOwn.code, 0, withOwn.stderr)
      assert.match(withOwn.stdout, /--user/)
    }),
  )
})
