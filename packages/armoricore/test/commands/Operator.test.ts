/** `armoricore operator` and `dead-letters --url` against a running program, over its API only. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { retryUntil } from "../support/ApiClient.ts"
import * as ProgramFixture from "../support/ProgramFixture.ts"
import * as ProgramProcess from "../support/ProgramProcess.ts"

const letter = {
  event_type: "notification.requested",
  event_id: crypto.randomUUID(),
  timestamp: new Date().toISOString(),
  source: "shop",
  payload: { user_id: "ada", notification_type: "email", title: "t", body: "b", data: { email: "ada@example.com" } },
}

it.live(
  "armoricore operator and dead-letters --url work on a running installation",
  () =>
    Effect.gen(function* () {
      const data = yield* ProgramProcess.temporaryDirectory
      const env = { ARMORICORE_DATA_DIR: data, JWT_SECRET: "a secret of this test, long enough for it" }
      const { url } = yield* ProgramFixture.start(env)
      // As on another machine: only the URL and the secret, no shared data folder.
      const away = { JWT_SECRET: env.JWT_SECRET, ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory }
      const run = (...args: ReadonlyArray<string>) => ProgramProcess.run([...args, "--url", url], away)

      const overview = yield* run("operator", "overview")
      assert.include(overview.stdout, "media,notify,ai,realtime", overview.stderr)
      const file = join(data, "event.json")
      writeFileSync(file, JSON.stringify(letter))
      yield* ProgramProcess.run(["publish", file], { ...env, EVENT_SOURCES: '{"shop":["notification.requested"]}' })
      const letters = Effect.map(run("dead-letters", "list"), ({ stdout }) => stdout)
      const [id = ""] = (yield* retryUntil(letters, (text) => text.includes("unauthorized"))).split("\t")
      writeFileSync(file, JSON.stringify({ ...letter, source: "php-backend" }))
      assert.include((yield* run("dead-letters", "replay", id, "--body", file)).stdout, `replayed ${id}`)

      assert.strictEqual((yield* run("operator", "pause", "provider:inbox", "--reason", "trying")).code, 0)
      assert.include((yield* run("operator", "circuits")).stdout, "provider:inbox\tpaused")
      assert.strictEqual((yield* run("operator", "resume", "provider:inbox")).code, 0)
      assert.strictEqual((yield* run("operator", "log-level", "debug")).code, 0)
      const cancel = yield* run("operator", "cancel", "nothing")
      assert.deepStrictEqual([cancel.code, cancel.stdout], [1, ""])
      assert.include(cancel.stderr, "media nothing does not exist")

      assert.strictEqual((yield* run("operator", "runs", "--json")).stdout, "")
      const missing = yield* run("operator", "run", "r9")
      assert.include(missing.stderr, "workflow run r9 does not exist")

      // A context names the URL and a token; lists print one JSON object per line.
      const config = { XDG_CONFIG_HOME: away.ARMORICORE_DATA_DIR }
      const tokenFile = join(away.ARMORICORE_DATA_DIR, "token")
      writeFileSync(tokenFile, `${yield* ProgramFixture.tokenFor(env, "--user", "ida", "--role", "operator")}\n`)
      const inContext = (...args: ReadonlyArray<string>) =>
        ProgramProcess.run(args, { ARMORICORE_DATA_DIR: away.ARMORICORE_DATA_DIR, ...config })
      const added = yield* inContext("operator", "add-context", "here", "--url", url, "--token-file", tokenFile)
      assert.strictEqual(added.code, 0, added.stderr)
      assert.strictEqual((yield* inContext("operator", "contexts")).stdout, `here\t${url}\t${tokenFile}\n`)
      const entries = yield* inContext("operator", "audit", "--json", "--context", "here")
      const [newest = ""] = entries.stdout.split("\n")
      assert.deepInclude(JSON.parse(newest), { action: "CancelJob", outcome: "failed" }, entries.stderr)
      const audit = (yield* run("operator", "audit")).stdout
      for (const act of ["ReplayDeadLetter", "PauseCircuit", "ResumeCircuit", "SetLogLevel"]) assert.include(audit, act)

      // regression: a wrong name and an unreachable URL failed with "Schema validation failed" and "HttpError"
      const misnamed = yield* run("operator", "pause", "fcm")
      assert.deepStrictEqual([misnamed.code, misnamed.stdout], [1, ""])
      assert.include(misnamed.stderr, "the name of a circuit as it is listed")
      const unreachable = yield* ProgramProcess.run(["operator", "overview", "--url", "http://127.0.0.1:1"], away)
      assert.strictEqual(unreachable.code, 1)
      assert.include(
        unreachable.stderr,
        "No operator API at http://127.0.0.1:1. Point --url at a process that runs the realtime service.",
      )

      const plain = yield* ProgramFixture.tokenFor(env, "--user", "eve")
      const refused = yield* run("operator", "overview", "--token", plain)
      assert.strictEqual(refused.code, 1)
      assert.include(refused.stderr, "lacks the role operator")
    }).pipe(Effect.scoped),
  120_000,
)
