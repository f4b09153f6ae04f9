/** The operators' API of a running installation, for commands: `--url` says where, `--token` who asks. */
import { Tokens } from "@armoricore/auth/Tokens"
import { NotFound, PermanentError, TransientError } from "@armoricore/domain/Errors"
import { OperatorClient } from "@armoricore/operator/OperatorClient"
import type { DeadLetter } from "@armoricore/operator/api/DeadLetter"
import { DeadLetters } from "@armoricore/worker/DeadLetters"
import { Duration, Effect, Layer, Option, Redacted } from "effect"
import { Flag } from "effect/cli"
import * as Access from "../Access.ts"
import { Settings } from "../Settings.ts"

export const flags = {
  url: Flag.String("url").pipe(
    Flag.withDescription("the running installation; without it, the one on HOST and PORT"),
    Flag.withMetavar("URL"),
    Flag.optional,
  ),
  token: Flag.String("token").pipe(
    Flag.withDescription("a token with the role operator; without it one is signed with JWT_SECRET"),
    Flag.withMetavar("JWT"),
    Flag.optional,
  ),
}

export interface Where {
  readonly url: Option.Option<string>
  readonly token: Option.Option<string>
}

const ownToken = Effect.gen(function* () {
  const tokens = yield* Tokens
  return yield* tokens.sign({ userId: "armoricore-cli", roles: ["operator"], ttl: Duration.minutes(10) })
}).pipe(Effect.provide(Access.layer))

const client = ({ token, url }: Where) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { HOST, PORT, PUBLIC_URL } = yield* Settings
      const host = HOST === "0.0.0.0" || HOST === "::" ? "127.0.0.1" : HOST
      return OperatorClient.layer({
        url: Option.getOrElse(url, () => PUBLIC_URL ?? `http://${host}:${PORT}`),
        token: Redacted.make(Option.isSome(token) ? token.value : yield* ownToken),
      })
    }),
  )

/** For commands that need a running installation. */
export const reached = <A, E, R>(effect: Effect.Effect<A, E, R>, where: Where) => Effect.provide(effect, client(where))

/** The dead letters of a running installation in place of those on the bus. */
export const lettersOf = (
  where: Where,
): Layer.Layer<DeadLetters, Layer.Error<ReturnType<typeof client>>, Layer.Services<ReturnType<typeof client>>> =>
  Layer.effect(
    DeadLetters,
    Effect.gen(function* () {
      const api = yield* OperatorClient
      const letterOf = ({ id, trace_id: _trace, ...info }: DeadLetter, body: string) => ({
        id,
        info: { ...info, subject: "", message_id: "" },
        body: new TextEncoder().encode(body),
      })
      return DeadLetters.of({
        list: ({ limit, ...filter }) =>
          api.ListDeadLetters({ ...filter, limit: Math.min(limit, 1_000) }).pipe(
            Effect.map((found) => found.map((letter) => letterOf(letter, ""))),
            Effect.mapError(failed),
          ),
        get: (id) =>
          api.GetDeadLetter({ id }).pipe(
            Effect.map(({ body, bytes: _bytes, ...letter }) => letterOf(letter, body)),
            Effect.mapError((error) => missing(id, error) ?? failed(error)),
          ),
        replay: (id, body) =>
          api
            .ReplayDeadLetter({ id, ...(body === undefined ? {} : { body: new TextDecoder().decode(body) }) })
            .pipe(Effect.mapError((error) => missing(id, error) ?? refused(error))),
        discard: (id) =>
          api.DiscardDeadLetter({ id }).pipe(Effect.mapError((error) => missing(id, error) ?? failed(error))),
      })
    }),
  ).pipe(Layer.provide(client(where)))

interface Told {
  readonly _tag: string
  readonly message: string
}

const missing = (id: string, error: Told): NotFound | undefined =>
  "code" in error && error.code === "not_found" ? new NotFound({ what: "dead letter", id }) : undefined

const failed = ({ message }: Told) => new TransientError({ dependency: "operator", code: "failed", message })

const refused = (error: Told): TransientError | PermanentError =>
  error._tag === "NotDone" ? new PermanentError({ code: "refused", message: error.message }) : failed(error)
