/**
 * Who gets through to the operators' API: the token must be good, not revoked, and have the role `operator`. Every
 * refusal is written into the audit log.
 */
import { hasRole, type Identity } from "@armoricore/auth/Identity"
import { Revocations } from "@armoricore/auth/Revocations"
import { Tokens } from "@armoricore/auth/Tokens"
import { Clock, Context, Effect, Layer, Schema } from "effect"
import type { Headers } from "effect/http"
import { Refused } from "./api/Failures.ts"
import { Audit } from "./Audit.ts"

export interface Call {
  /** The procedure's name. */
  readonly act: string
  readonly headers: Headers.Headers
  /** Decoded or as it came. */
  readonly payload: unknown
}

export class Admission extends Context.Service<
  Admission,
  {
    readonly admit: (call: Call) => Effect.Effect<Identity, Refused>
    /** Fails when the token no longer counts. */
    readonly ended: (who: Identity) => Effect.Effect<never, Refused>
  }
>()("@armoricore/operator/Admission") {
  static readonly layer: Layer.Layer<Admission, never, Tokens | Revocations | Audit> = Layer.effect(
    Admission,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
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

  return Admission.of({
    admit: ({ act, headers, payload }) =>
      Effect.catch(verify(headers), ({ refused, who }) =>
        Effect.andThen(
          audit.refused(
            { act, about: jsonOf(payload), ...(who === undefined ? {} : { user_id: who.userId }) },
            refused.message,
          ),
          Effect.fail(refused),
        ),
      ),
    ended: (who) =>
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
      ),
  })
})

const revoked = new Refused({ reason: "revoked", message: "the token was revoked: get a new one" })
const expired = new Refused({ reason: "expired", message: "the token has expired: get a new one" })
const lacking = new Refused({
  reason: "role_missing",
  message: "the token lacks the role operator: `armoricore token --user ID --role operator` makes one",
})

const bearerOf = (headers: Headers.Headers): string | undefined =>
  /^bearer +(\S+)$/i.exec(headers["authorization"] ?? "")?.[1]

const isJson = Schema.is(Schema.Json)

/** Payloads came as JSON; what of one is not is left out. */
export const jsonOf = (payload: unknown): Schema.Json => {
  const json: unknown = JSON.parse(JSON.stringify(payload ?? null))
  return isJson(json) ? json : null
}
