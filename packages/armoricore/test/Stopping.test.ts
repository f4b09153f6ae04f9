import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { writeFileSync } from "node:fs"
import { request as open } from "node:http"
import { join } from "node:path"
import * as Upload from "../src/demo/Upload.ts"
import { request, until } from "./support/Client.ts"
import { start, tokenFor } from "./support/Flow.ts"
import * as Program from "./support/Program.ts"

/** An upload whose first half is sent; `finish` sends the rest and tells how it was answered. */
const half = Effect.fnUntraced(function* (grant: Upload.Grant, bytes: Buffer) {
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

describe("SIGTERM", () => {
  it.live("requests that were under way were answered 503 without a word", () =>
    Effect.gen(function* () {
      const env = { ARMORICORE_DATA_DIR: yield* Program.folder }
      const file = join(yield* Program.folder, "clip.mp4")
      const bytes = Buffer.alloc(200_000, "x")
      writeFileSync(file, bytes)
      const { program, url } = yield* start(env)
      const grant = yield* Upload.ask(url, yield* tokenFor(env, "--user", "u1"), file)
      const upload = yield* half(grant, bytes)
      yield* program.signal("SIGTERM")
      yield* until(
        Effect.match(request(`${url}/readyz`), {
          onFailure: () => "refused",
          onSuccess: ({ status }) => String(status),
        }),
        (answer) => answer !== "200",
      )
      assert.strictEqual(yield* upload.finish, 200)
      const { code, stderr } = yield* program.ended
      assert.strictEqual(code, 0, stderr)
    }).pipe(Effect.provide(NodeServices.layer)),
  )
})
