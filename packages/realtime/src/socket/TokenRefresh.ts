/** The refresh of a token on an open socket: the new token must be valid, of the same user, and not revoked. */
import type { Identity } from "@armoricore/auth/Identity"
import { tokenRevoked, type Revocations } from "@armoricore/auth/Revocations"
import type { Tokens } from "@armoricore/auth/Tokens"
import { Effect } from "effect"
import * as ChannelErrors from "../channel/ChannelError.ts"

/** The event with a new token, which clients may send on every joined topic. */
export const refreshEvent = "access_token"

interface TokenServices {
  readonly tokens: Tokens["Service"]
  readonly revocations: Revocations["Service"]
}

/** The identity of the new token. A failure other than an invalid token becomes `unavailable`. */
export const verify = (
  { revocations, tokens }: TokenServices,
  current: Identity,
  payload: unknown,
): Effect.Effect<Identity, ChannelErrors.ChannelError> =>
  tokens.verify(tokenFrom(payload)).pipe(
    Effect.catchCause((cause) => {
      const error = cause.reasons.find((reason) => reason._tag === "Fail")?.error
      return Effect.fail(
        error?._tag === "Unauthorized" ? ChannelErrors.unauthorized(error.message) : ChannelErrors.unavailable,
      )
    }),
    Effect.flatMap((identity) => {
      if (identity.userId !== current.userId) {
        return Effect.fail(ChannelErrors.unauthorized("the token belongs to another user"))
      }
      if (revocations.isRevoked(identity)) return Effect.fail(ChannelErrors.unauthorized(tokenRevoked.message))
      return Effect.succeed(identity)
    }),
  )

const tokenFrom = (payload: unknown): string | undefined =>
  typeof payload === "object" && payload !== null && "token" in payload && typeof payload.token === "string"
    ? payload.token
    : undefined
