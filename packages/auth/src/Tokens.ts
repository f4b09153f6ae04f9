/**
 * Verifies and signs JWTs. `KeySets` verifies a token's signature and its registered claims; `Claims` reads the identity.
 *
 * Claims: the user's id and roles under the configured names; `exp` (required); optional `channels` (see {@link Identity});
 * `iat` and `jti`, by which tokens are revoked; `nbf`; and issuer and audience if they are configured.
 */
import { ConfigurationError, type TransientError } from "@armoricore/domain/Errors"
import { Clock, Context, Duration, Effect, Layer, Result } from "effect"
import * as Jose from "jose"
import * as Claims from "./Claims.ts"
import type { Identity } from "./Identity.ts"
import * as KeySets from "./KeySets.ts"
import { invalidToken, missingToken, Unauthorized } from "./Unauthorized.ts"

export { Unauthorized }

export interface SignOptions {
  readonly userId: string
  readonly roles?: ReadonlyArray<string>
  readonly channels?: ReadonlyArray<string>
  /** Lifetime, at least one second, rounded up to whole seconds. */
  readonly ttl: Duration.Duration
}

export interface TokensOptions extends Claims.ClaimOptions, KeySets.ExpectedClaims {
  readonly keys: KeySets.Keys
}

export class Tokens extends Context.Service<
  Tokens,
  {
    /**
     * The identity that a token proves. An absent or empty token is `Unauthorized` with the reason `missing`. Fails with
     * `TransientError` (dependency `jwks`) if the key server is unavailable; the token may be valid.
     */
    readonly verify: (token: string | undefined) => Effect.Effect<Identity, Unauthorized | TransientError>
    /** Signs a token for `armoricore token`. With public keys only the owner of the private ones can sign. */
    readonly sign: (options: SignOptions) => Effect.Effect<string, ConfigurationError>
  }
>()("@armoricore/auth/Tokens") {}

export const layer = (options: TokensOptions): Layer.Layer<Tokens, ConfigurationError> =>
  Layer.effect(
    Tokens,
    Effect.gen(function* () {
      const keys = yield* KeySets.make(options.keys, options)
      const identityOf = Claims.identityReader(options)
      const [issuer] = options.issuers ?? []

      // Untraced: it runs for every request and connection, inside the span of the request.
      const verify = Effect.fnUntraced(function* (token: string | undefined) {
        if (token === undefined || token === "") return yield* missingToken
        const now = yield* Clock.currentTimeMillis
        const claims = yield* keys.verify(token, now)
        return yield* Effect.fromResult(Result.mapError(identityOf(claims, now), invalidToken))
      })

      const sign = Effect.fn("Tokens.sign")(function* ({ channels, roles = [], ttl, userId }: SignOptions) {
        const key = keys.signingKey
        if (key === undefined) {
          return yield* new ConfigurationError({
            setting: "JWT_SECRET",
            message:
              "tokens are verified with public keys (JWT_JWKS_URL, JWT_PUBLIC_KEY), so only the owner of the private keys can sign; set JWT_SECRET instead",
          })
        }
        const now = (yield* Clock.currentTimeMillis) / 1000
        const issuedAt = Math.floor(now)
        const seconds = Math.max(1, Duration.toSeconds(ttl))
        const claims = {
          ...Claims.identityClaims(options, { userId, roles }),
          ...(channels === undefined ? {} : { channels: [...channels] }),
          iat: issuedAt,
          // Whole seconds. A token of a few seconds would lose much of its time if `exp` were not rounded up.
          exp: seconds < 60 ? Math.ceil(now + seconds) : issuedAt + Math.ceil(seconds),
          ...(issuer === undefined ? {} : { iss: issuer }),
          ...(options.audience === undefined ? {} : { aud: options.audience }),
        }
        return yield* Effect.promise(() =>
          new Jose.SignJWT(claims).setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(key),
        )
      })

      return { verify, sign }
    }),
  )
