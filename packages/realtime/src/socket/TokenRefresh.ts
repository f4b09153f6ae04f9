/** A new token on a live socket: it must be good, the same user's, and not revoked. */
import type { Identity } from "@armoricore/auth/Identity"
import { tokenRevoked, type Revocations } from "@armoricore/auth/Revocations"
import type { Tokens } from "@armoricore/auth/Tokens"
import { Effect } from "effect"
import * as ChannelErrors from "../channel/ChannelError.ts"

/** Brings a new token before the old one ends; the one event that every channel has. */
export const refreshEvent = "access_token"

interface TokenServices {
  readonly tokens: Tokens["Service"]
  readonly revocations: Revocations["Service"]
}

/** Who the token says its bearer is. Whatever else goes wrong is the server's fault: `unavailable`. */
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
        return Effect.fail(ChannelErrors.unauthorized("the token is somebody else's"))
      }
      if (revocations.isRevoked(identity)) return Effect.fail(ChannelErrors.unauthorized(tokenRevoked.message))
      return Effect.succeed(identity)
    }),
  )

const tokenFrom = (payload: unknown): string | undefined =>
  typeof payload === "object" && payload !== null && "token" in payload && typeof payload.token === "string"
    ? payload.token
    : undefined
