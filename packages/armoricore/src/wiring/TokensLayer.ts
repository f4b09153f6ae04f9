/** Whose tokens count: those signed with JWT_SECRET or by the keys of JWT_JWKS_URL, or with a secret of our own. */
import * as Tokens from "@armoricore/auth/Tokens"
import { Effect, Layer } from "effect"
import { generatedSecret } from "../security/GeneratedSecret.ts"
import { Settings } from "../settings/Settings.ts"

export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const { JWT_AUDIENCE, JWT_ISSUER, JWT_JWKS_URL, JWT_SECRET } = yield* Settings
    const keys: Tokens.TokensOptions["keys"] =
      JWT_JWKS_URL !== undefined
        ? { _tag: "Jwks", url: new URL(JWT_JWKS_URL) }
        : {
            _tag: "Secret",
            secret: JWT_SECRET ?? (yield* generatedSecret("jwt", "a JWT secret (JWT_SECRET is not set)")),
          }
    return Tokens.layer({
      keys,
      ...(JWT_ISSUER === undefined ? {} : { issuer: JWT_ISSUER }),
      ...(JWT_AUDIENCE === undefined ? {} : { audience: JWT_AUDIENCE }),
    })
  }),
)
