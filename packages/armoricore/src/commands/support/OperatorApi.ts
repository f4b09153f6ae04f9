/** The operators' API of a running installation, for commands: `--url` says where, `--token` who asks. */
import { Tokens } from "@armoricore/auth/Tokens"
import { NotFound, PermanentError, TransientError } from "@armoricore/domain/Errors"
import { OperatorClient } from "@armoricore/operator/OperatorClient"
import type { DeadLetter } from "@armoricore/operator/api/DeadLetter"
import { DeadLetters } from "@armoricore/worker/dead-letters/DeadLetters"
import { Duration, Effect, Layer, Option, Redacted, SchemaIssue } from "effect"
import { Flag } from "effect/cli"
import { RpcClientError } from "effect/rpc"
import * as TokensLayer from "../../wiring/TokensLayer.ts"
import { CommandFailed } from "../../app/CommandErrors.ts"
import { Settings } from "../../settings/Settings.ts"

export const operatorApiFlags = {
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

export interface OperatorApiTarget {
  readonly url: Option.Option<string>
  readonly token: Option.Option<string>
}

const signOperatorToken = Effect.gen(function* () {
  const tokens = yield* Tokens
  return yield* tokens.sign({ userId: "armoricore-cli", roles: ["operator"], ttl: Duration.minutes(10) })
}).pipe(Effect.provide(TokensLayer.layer))

const resolveUrl = ({ url }: OperatorApiTarget) =>
  Effect.map(Settings, ({ HOST, PORT, PUBLIC_URL }) => {
    const host = HOST === "0.0.0.0" || HOST === "::" ? "127.0.0.1" : HOST
    return Option.getOrElse(url, () => PUBLIC_URL ?? `http://${host}:${PORT}`)
  })

const client = ({ token, url }: OperatorApiTarget) =>
  Layer.unwrap(
    Effect.gen(function* () {
      return OperatorClient.layer({
        url: yield* resolveUrl({ token, url }),
        token: Redacted.make(Option.isSome(token) ? token.value : yield* signOperatorToken),
      })
    }),
  )

/** For commands that need a running installation; what was asked wrongly, or of nobody, is said in a sentence. */
export const withOperatorApi = <A, E, R>(effect: Effect.Effect<A, E, R>, where: OperatorApiTarget) =>
  effect.pipe(
    Effect.catchDefect((defect) => usageError(defect) ?? Effect.die(defect)),
    Effect.catchIf(isConnectionError, () =>
      Effect.flatMap(resolveUrl(where), (url) => new CommandFailed({ message: noOperatorApi(`at ${url}`) })),
    ),
    Effect.provide(client(where)),
  )

/** The client checks arguments before it sends them. */
const usageError = (defect: unknown): CommandFailed | undefined =>
  defect instanceof Error && SchemaIssue.isIssue(defect.cause)
    ? new CommandFailed({ message: formatIssue(defect.cause) })
    : undefined
const formatIssue = SchemaIssue.makeFormatterDefault()

const isConnectionError = (error: unknown): error is RpcClientError.RpcClientError =>
  error instanceof RpcClientError.RpcClientError

const noOperatorApi = (at: string): string =>
  `nothing that speaks the operators' API answers ${at}: name a process that runs realtime with --url`

/** The dead letters of a running installation in place of those on the bus. */
export const remoteDeadLetters = (
  where: OperatorApiTarget,
): Layer.Layer<DeadLetters, Layer.Error<ReturnType<typeof client>>, Layer.Services<ReturnType<typeof client>>> =>
  Layer.effect(
    DeadLetters,
    Effect.gen(function* () {
      const api = yield* OperatorClient
      const toDeadLetter = ({ id, trace_id: _trace, ...info }: DeadLetter, body: string) => ({
        id,
        record: { ...info, subject: "", message_id: "" },
        body: new TextEncoder().encode(body),
      })
      return DeadLetters.of({
        list: Effect.fnUntraced(function* ({ limit, ...filter }) {
          const found: Array<DeadLetter> = []
          while (found.length < limit) {
            const batchSize = Math.min(limit - found.length, maxPageSize)
            const after = found.at(-1)?.id ?? filter.after
            const next = yield* api
              .ListDeadLetters({ ...filter, limit: batchSize, ...(after === undefined ? {} : { after }) })
              .pipe(Effect.mapError(transientError))
            found.push(...next)
            if (next.length < batchSize) break
          }
          return found.map((letter) => toDeadLetter(letter, ""))
        }),
        get: (id) =>
          api.GetDeadLetter({ id }).pipe(
            Effect.map(({ body, bytes: _bytes, ...letter }) => toDeadLetter(letter, body)),
            Effect.mapError((error) => notFoundError(id, error) ?? transientError(error)),
          ),
        replay: (id, body) =>
          api
            .ReplayDeadLetter({ id, ...(body === undefined ? {} : { body: new TextDecoder().decode(body) }) })
            .pipe(Effect.mapError((error) => notFoundError(id, error) ?? replayError(error))),
        discard: (id) =>
          api
            .DiscardDeadLetter({ id })
            .pipe(Effect.mapError((error) => notFoundError(id, error) ?? transientError(error))),
      })
    }),
  ).pipe(Layer.provide(client(where)))

/** The API gives no more at once. */
const maxPageSize = 1_000

interface ApiError {
  readonly _tag: string
  readonly message: string
}

const notFoundError = (id: string, error: ApiError): NotFound | undefined =>
  "code" in error && error.code === "not_found" ? new NotFound({ resource: "dead letter", id }) : undefined

const transientError = (error: ApiError) =>
  new TransientError({
    dependency: "operator",
    code: "failed",
    message: isConnectionError(error) ? noOperatorApi("there") : error.message,
  })

const replayError = (error: ApiError): TransientError | PermanentError =>
  error._tag === "ActionRejected"
    ? new PermanentError({ code: "refused", message: error.message })
    : transientError(error)
