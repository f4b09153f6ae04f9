/**
 * Reads the identity from the claims of a verified token. Identity providers name users and roles differently, so two
 * settings name the claims: `JWT_USER_CLAIM` and `JWT_ROLES_CLAIM`.
 *
 * A claim is named by its path: `realm_access.roles` is the claim `roles` within `realm_access`. A name that contains dots
 * itself is found as well, also within a path: `https://example.com/roles`, `resource_access.app.example.com.roles`.
 *
 * Read by hand, since a Schema would dominate the cost of thousands of connections per second.
 */
import { UserId } from "@armoricore/domain/Ids";
import { Duration, Result, Schema } from "effect";
export const defaultLeeway = Duration.seconds(30);
export const defaultRolesClaim = "roles";
/** The identity of verified claims at a time, in epoch milliseconds. */
export const identityReader = (options) => {
    const { userClaim, rolesClaim = defaultRolesClaim } = options;
    const leeway = Duration.toMillis(options.leeway ?? defaultLeeway);
    const isScope = /(?:^|\.)(?:scope|scp)$/.test(rolesClaim);
    const userIdOf = (claims) => {
        const name = userClaim ?? (isPresent(claims["user_id"]) ? "user_id" : "sub");
        const value = claimAt(claims, name);
        if (!isPresent(value)) {
            return Result.fail(userClaim === undefined
                ? "the token names no user: it needs the claim user_id or sub"
                : `the token names no user: it has no claim ${userClaim}, which JWT_USER_CLAIM names`);
        }
        if (isPlainId(value))
            return Result.succeed(value);
        return Result.mapError(decodeUserId(value), () => invalidClaim(name, `expected 1 to 128 characters without white space or control characters, got ${show(value)}`));
    };
    const rolesOf = (claims) => {
        const value = claimAt(claims, rolesClaim);
        if (!isPresent(value))
            return Result.succeed([]);
        if (typeof value === "string") {
            return Result.succeed(isScope ? value.split(" ").filter((scope) => scope !== "") : [value]);
        }
        return isStringArray(value)
            ? Result.succeed(value)
            : Result.fail(invalidClaim(rolesClaim, `expected a list of texts, got ${show(value)}`));
    };
    return (claims, now) => {
        const { exp, iat, jti, channels } = claims;
        if (typeof exp !== "number" || !Number.isFinite(exp))
            return Result.fail(invalidClaim("exp", "expected a number"));
        if (isPresent(iat)) {
            if (typeof iat !== "number" || !Number.isFinite(iat))
                return Result.fail(invalidClaim("iat", "expected a number"));
            // A revocation ends the tokens that were issued until then: a later `iat` would evade it.
            if (iat * 1000 > now + leeway)
                return Result.fail(invalidClaim("iat", "the token was issued in the future"));
        }
        if (isPresent(jti) && typeof jti !== "string")
            return Result.fail(invalidClaim("jti", "expected a text"));
        if (isPresent(channels) && !isStringArray(channels)) {
            return Result.fail(invalidClaim("channels", `expected a list of topic patterns, got ${show(channels)}`));
        }
        return Result.flatMap(userIdOf(claims), (userId) => Result.map(rolesOf(claims), (roles) => ({
            userId,
            roles,
            ...(isStringArray(channels) ? { channels } : {}),
            expiresAt: Math.min(exp * 1000 > now ? exp * 1000 : exp * 1000 + leeway, maxDateMillis),
            ...(typeof iat === "number" ? { issuedAt: iat * 1000 } : {}),
            ...(typeof jti === "string" ? { tokenId: jti } : {}),
        })));
    };
};
/** The claims of {@link SignOptions} under the names that {@link identityReader} looks for. */
export const identityClaims = ({ userClaim = "user_id", rolesClaim = defaultRolesClaim }, identity) => ({ [userClaim]: identity.userId, [rolesClaim]: [...identity.roles] });
/** `undefined` if no such claim exists. A whole name comes before a path. */
export const claimAt = (claims, path) => {
    if (Object.hasOwn(claims, path))
        return claims[path];
    for (let dot = path.lastIndexOf("."); dot > 0; dot = path.lastIndexOf(".", dot - 1)) {
        const name = path.slice(0, dot);
        const inner = Object.hasOwn(claims, name) ? claims[name] : undefined;
        const found = isClaims(inner) ? claimAt(inner, path.slice(dot + 1)) : undefined;
        if (found !== undefined)
            return found;
    }
    return undefined;
};
const decodeUserId = Schema.decodeUnknownResult(UserId);
const plainIdPattern = /^[A-Za-z0-9_-]{1,128}$/;
const isPlainId = (value) => typeof value === "string" && plainIdPattern.test(value);
/** `null` counts as absent. */
const isPresent = (value) => value !== undefined && value !== null;
const isClaims = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isStringArray = (value) => Array.isArray(value) && value.every((text) => typeof text === "string");
const invalidClaim = (claim, message) => `the claim ${claim} of the token is invalid: ${message}`;
const show = (value) => (JSON.stringify(value) ?? String(value)).slice(0, 100);
/** The largest valid date, in the year 275760. Some signers write a larger `exp` for "never", or milliseconds. */
const maxDateMillis = 8.64e15;
