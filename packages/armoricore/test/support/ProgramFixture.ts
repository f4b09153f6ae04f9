/** A running program with the calls of its backend and clients: tokens, uploads, `media.uploaded`. */
import { Effect } from "effect"
import type * as UploadClient from "@armoricore/demo/UploadClient"
import { request } from "./ApiClient.ts"
import * as ProgramProcess from "./ProgramProcess.ts"

export type Env = Readonly<Record<string, string>>

/** Starts `armoricore start` and waits until it listens on `url`. */
export const start = Effect.fnUntraced(function* (env: Env, ...args: ReadonlyArray<string>) {
  const program = yield* ProgramProcess.launch(["start", ...args], {
    PORT: "0",
    LOG_LEVEL: "info",
    DRAIN_TIMEOUT: "30 s",
    ...env,
  })
  const [, url = ""] = yield* program.waitForOutput(/armoricore listens on (http:\S+)/)
  return { program, url }
})

/** A token that a program with this environment accepts. */
export const tokenFor = Effect.fnUntraced(function* (env: Env, ...args: ReadonlyArray<string>) {
  const { stdout } = yield* ProgramProcess.run(["token", ...args], env)
  return stdout.trim()
})

/** `POST /v1/events` with `media.uploaded` for the user of the upload; fails unless it is accepted. */
export const publishUploaded = Effect.fnUntraced(function* (
  env: Env,
  url: string,
  grant: UploadClient.UploadGrant,
  userId = "u1",
) {
  const answer = yield* request(`${url}/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${yield* tokenFor(env, "--user", "php", "--role", "publisher")}` },
    body: JSON.stringify({
      event_type: "media.uploaded",
      event_id: crypto.randomUUID(),
      timestamp: new Date().toISOString(),
      source: "php-backend",
      payload: {
        media_id: grant.media_id,
        user_id: userId,
        file_path: grant.file_path,
        upload_token: grant.upload_token,
      },
    }),
  })
  if (answer.status !== 202) return yield* Effect.fail(new Error(`${answer.status} ${JSON.stringify(answer.json)}`))
})
