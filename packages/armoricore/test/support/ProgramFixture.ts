/** A running program with the calls of its backend and clients: tokens, uploads, `media.uploaded`. */
import * as Tokens from "@armoricore/auth/Tokens"
import { Duration, Effect, Redacted } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import type * as UploadClient from "@armoricore/demo/UploadClient"
import { request } from "./ApiClient.ts"
import * as ProgramProcess from "./ProgramProcess.ts"

export type Env = Readonly<Record<string, string>>

/** Starts `armoricore start`. `url` waits until it listens. */
export const launch = (env: Env, ...args: ReadonlyArray<string>) =>
  ProgramProcess.launch(["start", ...args], { PORT: "0", LOG_LEVEL: "info", DRAIN_TIMEOUT: "30 s", ...env }).pipe(
    Effect.map((program) => ({
      program,
      url: Effect.map(program.waitForOutput(/armoricore listens on (http:\S+)/), ([, url = ""]) => url),
    })),
  )

/** Starts `armoricore start` and waits until it listens on `url`. */
export const start = Effect.fnUntraced(function* (env: Env, ...args: ReadonlyArray<string>) {
  const { program, url } = yield* launch(env, ...args)
  return { program, url: yield* url }
})

/**
 * A token that a program with this environment accepts, with the arguments of `armoricore token`. Signed here where the
 * secret is known: the command is tested by itself and costs a process of 0.7 s of a core.
 */
export const tokenFor = Effect.fnUntraced(function* (env: Env, ...args: ReadonlyArray<string>) {
  const secret = jwtSecretOf(env)
  if (secret === undefined || args.includes("--ttl"))
    return (yield* ProgramProcess.run(["token", ...args], env)).stdout.trim()
  const { values } = parseArgs({
    args: [...args],
    options: { user: { type: "string" }, role: { type: "string", multiple: true } },
  })
  const signed = Effect.flatMap(Tokens.Tokens, (tokens) =>
    tokens.sign({ userId: values.user ?? "", roles: values.role ?? [], ttl: Duration.hours(1) }),
  )
  const keys = { _tag: "Secret", secret: Redacted.make(secret) } as const
  return yield* signed.pipe(Effect.provide(Tokens.layer({ keys })), Effect.orDie)
})

/** `JWT_SECRET`, or what a started program has generated. Other settings of tokens are for the command to apply. */
const jwtSecretOf = (env: Env): string | undefined => {
  const names = Object.keys(env).filter((name) => name.startsWith("JWT_"))
  if (names.some((name) => name !== "JWT_SECRET")) return undefined
  const file = join(env["ARMORICORE_DATA_DIR"] ?? "", "secrets", "jwt")
  return env["JWT_SECRET"] ?? (existsSync(file) ? readFileSync(file, "utf8") : undefined)
}

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
