/**
 * Verifies and signs JWTs. `KeySets` verifies a token's signature and its registered claims; `Claims` reads the identity.
 *
 * Claims: the user's id and roles under the configured names; `exp` (required); optional `channels` (see {@link Identity});
 * `iat` and `jti`, by which tokens are revoked; `nbf`; and issuer and audience if they are configured.
 */
import { ConfigurationError } from "@armoricore/domain/Errors";
import { Clock, Context, Duration, Effect, Layer, Result } from "effect";
import * as Jose from "jose";
import * as Claims from "./Claims.ts";
import * as KeySets from "./KeySets.ts";
import { invalidToken, missingToken, Unauthorized } from "./Unauthorized.ts";
export { Unauthorized };
export class Tokens extends Context.Service()("@armoricore/auth/Tokens") {
}
export const layer = (options) => Layer.effect(Tokens, Effect.gen(function* () {
    const keys = yield* KeySets.make(options.keys, options);
    const identityOf = Claims.identityReader(options);
    const [issuer] = options.issuers ?? [];
    // Untraced: it runs for every request and connection, inside the span of the request.
    const verify = Effect.fnUntraced(function* (token) {
        if (token === undefined || token === "")
            return yield* missingToken;
        const now = yield* Clock.currentTimeMillis;
        const claims = yield* keys.verify(token, now);
        return yield* Effect.fromResult(Result.mapError(identityOf(claims, now), invalidToken));
    });
    const sign = Effect.fn("Tokens.sign")(function* ({ channels, roles = [], ttl, userId }) {
        const key = keys.signingKey;
        if (key === undefined) {
            return yield* new ConfigurationError({
                setting: "JWT_SECRET",
                message: "tokens are verified with public keys (JWT_JWKS_URL, JWT_PUBLIC_KEY), so only the owner of the private keys can sign; set JWT_SECRET instead",
            });
        }
        const now = yield* Clock.currentTimeMillis;
        const claims = {
            ...Claims.identityClaims(options, { userId, roles }),
            ...(channels === undefined ? {} : { channels: [...channels] }),
            // Rounded up to whole seconds.
            iat: Math.floor(now / 1000),
            exp: Math.ceil((now + Math.max(1_000, Duration.toMillis(ttl))) / 1000),
            ...(issuer === undefined ? {} : { iss: issuer }),
            ...(options.audience === undefined ? {} : { aud: options.audience }),
        };
        return yield* Effect.promise(() => new Jose.SignJWT(claims).setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(key));
    });
    return { verify, sign };
}));
