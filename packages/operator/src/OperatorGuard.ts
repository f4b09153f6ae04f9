/**
 * Who gets through to the operators' API: the token must be good, not revoked, and have the role `operator`. Acts are
 * written into the audit log, and so is every refusal. A stream ends when its token does.
 */
import { hasRole, type Identity } from "@armoricore/auth/Identity"
import { Revocations } from "@armoricore/auth/Revocations"
import { Tokens } from "@armoricore/auth/Tokens"
import { Clock, Context, Effect, Exit, Layer, Option, Schema } from "effect"
import type { Headers } from "effect/http"
import { Refused } from "./api/Failures.ts"
import { Audit } from "./Audit.ts"
import { Act, Caller, Guard } from "./OperatorApi.ts"

export const layer: Layer.Layer<Guard, never, Tokens | Revocations | Audit> = Layer.effect(
  Guard,
  Effect.gen(function* () {
    const tokens = yield* Tokens
    const revocations = yield* Revocations
    const audit = yield* Audit

    const verify = (
      headers: Headers.Headers,
    ): Effect.Effect<Identity, { readonly who?: Identity; readonly refused: Refused }> =>
      Effect.gen(function* () {
        const who = yield* tokens.verify(bearerOf(headers)).pipe(
          Effect.mapError((error) => ({
            refused:
              error._tag === "Unauthorized"
                ? new Refused({ reason: error.reason, message: error.message })
                : new Refused({ reason: "unverified", message: `${error.message}; try again later` }),
          })),
        )
        if (revocations.isRevoked(who)) return yield* Effect.fail({ who, refused: revoked })
        if (!hasRole(who, "operator")) return yield* Effect.fail({ who, refused: lacking })
        return who
      })

    /** Fails when the token no longer counts. */
    const ended = (who: Identity): Effect.Effect<never, Refused> =>
      Effect.raceFirst(
        Effect.gen(function* () {
          for (;;) {
            const left = who.expiresAt - (yield* Clock.currentTimeMillis)
            if (left <= 0) return yield* expired
            // Timers know no more than 24 days.
            yield* Effect.sleep(Math.min(left, 86_400_000))
          }
        }),
        Effect.callback<never, Refused>((resume) => {
          const stop = revocations.onChange(() => {
            if (revocations.isRevoked(who)) resume(Effect.fail(revoked))
          })
          return Effect.sync(stop)
        }),
      )

    return Guard.of((effect, { headers, payload, rpc }) =>
      Effect.gen(function* () {
        const about = jsonOf(payload)
        const checked = yield* Effect.result(verify(headers))
        if (checked._tag === "Failure") {
          const { refused, who } = checked.failure
          yield* audit.refused(
            { act: rpc._tag, about, ...(who === undefined ? {} : { user_id: who.userId }) },
            refused.message,
          )
          return yield* refused
        }
        const who = checked.success
        const allowed = effect.pipe(
          Effect.provideService(Caller, { userId: who.userId, expiresAt: who.expiresAt }),
          (running) => Effect.raceFirst(running, ended(who)),
        )
        if (!Context.get(rpc.annotations, Act)) return yield* allowed
        // What fails is an error of the API, each with its sentence; the middleware does not see which.
        const exit = yield* audit
          .act(
            { act: rpc._tag, about, user_id: who.userId },
            Effect.flatMap(Effect.exit(allowed), (exit) =>
              Exit.isSuccess(exit) ? Effect.succeed(exit) : Effect.fail({ message: sentenceOf(exit), exit }),
            ),
          )
          .pipe(Effect.catch(({ exit }) => Effect.succeed(exit)))
        return yield* exit
      }),
    )
  }),
)

const revoked = new Refused({ reason: "revoked", message: "the token was revoked: get a new one" })
const expired = new Refused({ reason: "expired", message: "the token has expired: get a new one" })
const lacking = new Refused({
  reason: "role_missing",
  message: "the token lacks the role operator: `armoricore token --user ID --role operator` makes one",
})

const bearerOf = (headers: Headers.Headers): string | undefined =>
  /^bearer +(\S+)$/i.exec(headers["authorization"] ?? "")?.[1]

const sentenceOf = (exit: Exit.Failure<unknown, unknown>): string => {
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  return error instanceof Error ? error.message : "it died or was interrupted; the log says more"
}

const isJson = Schema.is(Schema.Json)

/** Payloads came as JSON; what of one is not is left out. */
const jsonOf = (payload: unknown): Schema.Json => {
  const json: unknown = JSON.parse(JSON.stringify(payload ?? null))
  return isJson(json) ? json : null
}
