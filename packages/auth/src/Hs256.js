/**
 * Synchronous verification of HS256 tokens. A server accepts thousands of connections per second; a library on Web Crypto
 * sends each token to a thread pool, which costs many times the HMAC.
 *
 * Follows RFC 7515 and RFC 7519: three parts of canonical base64url, `alg` exactly HS256, no `crit`. The signature is
 * compared in constant time before any claim is read.
 */
import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import { Result } from "effect";
/** A verifier for one secret. `now` is in epoch milliseconds. No input makes it throw. */
export const verifier = (secret, expectedClaims) => {
    const key = createSecretKey(secret);
    /** A signer writes the same header on all its tokens, so a trusted header is parsed once. */
    let trustedHeader;
    return (token, now) => {
        const bodyEnd = token.lastIndexOf(".");
        const headerEnd = token.indexOf(".");
        if (headerEnd === -1 || headerEnd === bodyEnd || token.indexOf(".", headerEnd + 1) !== bodyEnd)
            return malformed;
        const head = token.slice(0, headerEnd);
        if (head !== trustedHeader) {
            const header = jsonObject(head);
            if (header === undefined || "crit" in header)
                return malformed;
            if (header["alg"] !== "HS256")
                return algorithm;
        }
        // Compared as text, so that only the canonical base64url of the signature passes.
        const expected = Buffer.from(createHmac("sha256", key).update(token.slice(0, bodyEnd)).digest("base64url"));
        const actual = Buffer.from(token.slice(bodyEnd + 1));
        if (actual.length !== expected.length || !timingSafeEqual(actual, expected))
            return malformed;
        // Only the header of a verified token is cached.
        if (head !== trustedHeader)
            trustedHeader = Buffer.from(head).toString();
        const claims = jsonObject(token.slice(headerEnd + 1, bodyEnd));
        return claims === undefined ? malformed : validateClaims(claims, Math.floor(now / 1000), expectedClaims);
    };
};
const malformed = Result.fail({ _tag: "Malformed" });
const algorithm = Result.fail({ _tag: "Algorithm" });
const expired = Result.fail({ _tag: "Expired" });
const claimFailure = (claim, message) => Result.fail({ _tag: "Claim", claim, message });
const validateClaims = (claims, seconds, { audience, issuers = [], leeway = 0 }) => {
    const { iss, aud, nbf, exp, iat } = claims;
    if (exp === undefined)
        return claimFailure("exp", "it is missing");
    if (typeof exp !== "number")
        return claimFailure("exp", "it must be a number");
    if (iat !== undefined && typeof iat !== "number")
        return claimFailure("iat", "it must be a number");
    if (nbf !== undefined && typeof nbf !== "number")
        return claimFailure("nbf", "it must be a number");
    if (issuers.length > 0 && !issuers.some((issuer) => issuer === iss))
        return claimFailure("iss", "it is not the expected issuer");
    if (audience !== undefined && aud !== audience && !(Array.isArray(aud) && aud.includes(audience)))
        return claimFailure("aud", "it does not contain the expected audience");
    if (nbf !== undefined && nbf > seconds + leeway)
        return claimFailure("nbf", "the token is not valid yet");
    return exp <= seconds - leeway ? expired : Result.succeed(claims);
};
const isBase64Url = /^[A-Za-z0-9_-]+$/;
const jsonObject = (part) => {
    if (!isBase64Url.test(part))
        return undefined;
    const value = parse(Buffer.from(part, "base64url").toString("utf8"));
    // `JSON.parse` creates plain objects only.
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
};
const parse = (text) => {
    try {
        return JSON.parse(text);
    }
    catch {
        return undefined;
    }
};
