/**
 * Verifies the signature and the registered claims (`exp`, `nbf`, `iss`, `aud`) of tokens, with one of three kinds of keys.
 * The algorithm belongs to the key, never to the token's header, so `alg: none` and RS256 read as HS256 are rejected before
 * any claim is read.
 */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors";
import { Duration, Effect, Redacted, Result } from "effect";
import * as Jose from "jose";
import { createPublicKey } from "node:crypto";
import { defaultLeeway } from "./Claims.ts";
import * as Hs256 from "./Hs256.ts";
import * as VerifiedTokens from "./VerifiedTokens.ts";
import { expiredToken, invalidToken, malformedToken, wrongAlgorithm } from "./Unauthorized.ts";
export const make = (keys, expected) => {
    switch (keys._tag) {
        case "Secret":
            return bySecret(keys.secret, expected);
        case "Jwks":
            return byUrls(keys.urls, keys.cooldown ?? Duration.seconds(5), expected);
        case "PublicKey":
            return byPublicKey(keys.pem, expected);
    }
};
/** RFC 7518 requires a secret as long as the hash; a shorter one can be guessed offline from a single token. */
const minSecretBytes = 32;
const bySecret = Effect.fnUntraced(function* (secret, { audience, issuers = [], leeway = defaultLeeway }) {
    const bytes = new TextEncoder().encode(Redacted.value(secret));
    if (bytes.byteLength === 0) {
        return yield* new ConfigurationError({ setting: "JWT_SECRET", message: "JWT_SECRET is empty" });
    }
    if (bytes.byteLength < minSecretBytes) {
        yield* Effect.logWarning(`JWT_SECRET has ${bytes.byteLength} bytes; use at least ${minSecretBytes}, or it can be guessed from one token`);
    }
    const verify = Hs256.verifier(bytes, { issuers, audience, leeway: Duration.toSeconds(leeway) });
    return {
        verify: (token, now) => Effect.fromResult(Result.mapError(verify(token, now), toUnauthorized)),
        signingKey: bytes,
    };
});
const rsaAlgorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
const curveAlgorithms = ["ES256", "ES384", "ES512"];
const edwardsAlgorithms = ["EdDSA", "Ed25519"];
/** Asymmetric ones only. Each key of a set also names, or implies, its own. */
const algorithms = [...rsaAlgorithms, ...curveAlgorithms, ...edwardsAlgorithms];
const byUrls = Effect.fnUntraced(function* (urls, cooldown, expected) {
    const { issuers = [] } = expected;
    if (urls.length !== 1 && urls.length !== issuers.length) {
        return yield* new ConfigurationError({
            setting: "JWT_ISSUER",
            message: `JWT_JWKS_URL names ${urls.length} key sets and JWT_ISSUER ${issuers.length} issuers: name the issuer of each key set, in the same order`,
        });
    }
    const sets = urls.map((url) => Jose.createRemoteJWKSet(url, { cooldownDuration: Duration.toMillis(cooldown) }));
    const checks = checksOf(expected, algorithms);
    const [onlySet] = sets;
    return {
        verify: VerifiedTokens.remembering((token, now) => {
            // The issuer only selects the keys here; the claim is checked after the signature.
            const set = sets.length === 1 ? onlySet : sets[issuers.indexOf(unverifiedIssuer(token) ?? "")];
            if (set === undefined)
                return Effect.fail(invalidToken("the claim iss of the token is not an expected issuer"));
            return verifyWithSet(token, set, checks(now));
        }),
    };
});
const byPublicKey = Effect.fnUntraced(function* (pem, expected) {
    const key = yield* Effect.try({
        // An environment file holds the lines of a PEM text in one.
        try: () => createPublicKey(pem.replaceAll("\\n", "\n")),
        catch: () => invalidPublicKey("is not a public key or certificate in PEM form"),
    });
    const allowed = algorithmsOf(key);
    if (allowed === undefined)
        return yield* invalidPublicKey("must be an RSA, EC or Ed25519 key");
    const checks = checksOf(expected, allowed);
    return {
        verify: VerifiedTokens.remembering((token, now) => verifyWith(() => Jose.jwtVerify(token, key, checks(now)))),
    };
});
const invalidPublicKey = (why) => new ConfigurationError({ setting: "JWT_PUBLIC_KEY", message: `JWT_PUBLIC_KEY ${why}` });
const algorithmsOf = ({ asymmetricKeyType }) => {
    if (asymmetricKeyType === "rsa")
        return rsaAlgorithms;
    if (asymmetricKeyType === "ec")
        return curveAlgorithms;
    return asymmetricKeyType === "ed25519" ? edwardsAlgorithms : undefined;
};
const checksOf = ({ audience, issuers = [], leeway = defaultLeeway }, allowed) => (now) => ({
    algorithms: allowed,
    requiredClaims: ["exp"],
    clockTolerance: Duration.toSeconds(leeway),
    currentDate: new Date(now),
    ...(issuers.length === 0 ? {} : { issuer: [...issuers] }),
    ...(audience === undefined ? {} : { audience }),
});
const verifyWith = (verify) => Effect.map(Effect.tryPromise({ try: verify, catch: joseErrorToUnauthorized }), ({ payload }) => payload);
/** A token without `kid` may fit several keys of the set: it is valid if one of them verifies it. */
const verifyWithSet = (token, set, checks) => verifyWith(async () => {
    try {
        return await Jose.jwtVerify(token, set, checks);
    }
    catch (cause) {
        if (!(cause instanceof Jose.errors.JWKSMultipleMatchingKeys))
            throw cause;
        for await (const key of cause) {
            const verified = await Jose.jwtVerify(token, key, checks).catch((error) => {
                if (error instanceof Jose.errors.JWSSignatureVerificationFailed)
                    return undefined;
                throw error;
            });
            if (verified !== undefined)
                return verified;
        }
        throw new Jose.errors.JWSSignatureVerificationFailed();
    }
});
const unverifiedIssuer = (token) => Result.getOrUndefined(Result.try(() => Jose.decodeJwt(token).iss));
const toUnauthorized = (fault) => {
    switch (fault._tag) {
        case "Malformed":
            return malformedToken;
        case "Algorithm":
            return wrongAlgorithm;
        case "Expired":
            return expiredToken;
        case "Claim":
            return invalidToken(`the claim ${fault.claim} of the token is invalid: ${fault.message}`);
    }
};
const joseErrorToUnauthorized = (cause) => {
    if (cause instanceof Jose.errors.JWTExpired)
        return expiredToken;
    if (cause instanceof Jose.errors.JWTClaimValidationFailed) {
        return invalidToken(`the claim ${cause.claim} of the token is invalid: ${cause.message}`);
    }
    if (cause instanceof Jose.errors.JOSEAlgNotAllowed)
        return wrongAlgorithm;
    if (cause instanceof Jose.errors.JWKSNoMatchingKey)
        return invalidToken("no key of the key set matches the token's kid");
    if (isKeyServerError(cause)) {
        return new TransientError({
            dependency: "jwks",
            code: "unavailable",
            message: "the key set of JWT_JWKS_URL could not be fetched; try again later",
            cause,
        });
    }
    return malformedToken;
};
/** While it fetches keys, `jose` throws its plain base class, or errors of other classes. */
const isKeyServerError = (cause) => !(cause instanceof Jose.errors.JOSEError) ||
    cause instanceof Jose.errors.JWKSTimeout ||
    cause instanceof Jose.errors.JWKSInvalid ||
    cause.code === "ERR_JOSE_GENERIC";
