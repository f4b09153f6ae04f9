/** The operators' API of a running installation, for commands: `--url` says where, `--token` who asks. */
import { Tokens } from "@armoricore/auth/Tokens"
import { NotFound, PermanentError, TransientError } from "@armoricore/domain/Errors"
import { OperatorClient } from "@armoricore/operator/OperatorClient"
import type { DeadLetter } from "@armoricore/operator/api/DeadLetter"
import { DeadLetters } from "@armoricore/worker/DeadLetters"
import { Duration, Effect, Layer, Option, Redacted, SchemaIssue } from "effect"
import { Flag } from "effect/cli"
import { RpcClientError } from "effect/rpc"
import * as Access from "../Access.ts"
import { CommandFailed } from "../Failure.ts"
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

const addressOf = ({ url }: Where) =>
  Effect.map(Settings, ({ HOST, PORT, PUBLIC_URL }) => {
    const host = HOST === "0.0.0.0" || HOST === "::" ? "127.0.0.1" : HOST
    return Option.getOrElse(url, () => PUBLIC_URL ?? `http://${host}:${PORT}`)
  })

const client = ({ token, url }: Where) =>
  Layer.unwrap(
    Effect.gen(function* () {
      return OperatorClient.layer({
        url: yield* addressOf({ token, url }),
        token: Redacted.make(Option.isSome(token) ? token.value : yield* ownToken),
      })
    }),
  )

/** For commands that need a running installation; what was asked wrongly, or of nobody, is said in a sentence. */
export const reached = <A, E, R>(effect: Effect.Effect<A, E, R>, where: Where) =>
  effect.pipe(
    Effect.catchDefect((defect) => wronglyAsked(defect) ?? Effect.die(defect)),
    Effect.catchIf(isUnanswered, () =>
      Effect.flatMap(addressOf(where), (url) => new CommandFailed({ message: nobody(`at ${url}`) })),
    ),
    Effect.provide(client(where)),
  )

/** The client checks arguments before it sends them. */
const wronglyAsked = (defect: unknown): CommandFailed | undefined =>
  defect instanceof Error && SchemaIssue.isIssue(defect.cause)
    ? new CommandFailed({ message: sentenceOf(defect.cause) })
    : undefined
const sentenceOf = SchemaIssue.makeFormatterDefault()

const isUnanswered = (error: unknown): error is RpcClientError.RpcClientError =>
  error instanceof RpcClientError.RpcClientError

const nobody = (at: string): string =>
  `nothing that speaks the operators' API answers ${at}: name a process that runs realtime with --url`

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
        list: Effect.fnUntraced(function* ({ limit, ...filter }) {
          const found: Array<DeadLetter> = []
          while (found.length < limit) {
            const asked = Math.min(limit - found.length, page)
            const after = found.at(-1)?.id ?? filter.after
            const next = yield* api
              .ListDeadLetters({ ...filter, limit: asked, ...(after === undefined ? {} : { after }) })
              .pipe(Effect.mapError(failed))
            found.push(...next)
            if (next.length < asked) break
          }
          return found.map((letter) => letterOf(letter, ""))
        }),
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

/** The API gives no more at once. */
const page = 1_000

interface Told {
  readonly _tag: string
  readonly message: string
}

const missing = (id: string, error: Told): NotFound | undefined =>
  "code" in error && error.code === "not_found" ? new NotFound({ what: "dead letter", id }) : undefined

const failed = (error: Told) =>
  new TransientError({
    dependency: "operator",
    code: "failed",
    message: isUnanswered(error) ? nobody("there") : error.message,
  })

const refused = (error: Told): TransientError | PermanentError =>
  error._tag === "NotDone" ? new PermanentError({ code: "refused", message: error.message }) : failed(error)
