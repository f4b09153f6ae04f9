/**
 * Remembers the claims of tokens whose signature was verified with a public key, which costs some twenty times as much as the
 * hash of a token: clients that connect again, long polls and HTTP requests send the same token many times. Only hashes are
 * stored. Tokens of a shared secret are not remembered, since their signature is as cheap as the hash.
 */
import { Effect } from "effect";
import { createHash } from "node:crypto";
/** In milliseconds. As long as keys are cached: afterwards a token of a key that was removed from its set is refused. */
const maxAge = 600_000;
/** The oldest is dropped first. */
const maxTokens = 10_000;
export const remembering = (verify) => {
    const tokens = new Map();
    return (token, now) => {
        const hash = createHash("sha256").update(token).digest("base64");
        const known = tokens.get(hash);
        if (known !== undefined && now < known.until)
            return Effect.succeed(known.claims);
        return Effect.map(verify(token, now), (claims) => {
            tokens.delete(hash);
            const expiry = typeof claims["exp"] === "number" ? claims["exp"] * 1000 : 0;
            tokens.set(hash, { claims, until: Math.min(expiry, now + maxAge) });
            const oldest = tokens.keys().next();
            if (tokens.size > maxTokens && oldest.done !== true)
                tokens.delete(oldest.value);
            return claims;
        });
    };
};
