/**
 * Who may use `/v1/users/{id}/…`: the user with an own token, or a backend with the role `publisher` or `operator` or a
 * signature of the body. A guest reads only.
 */
import { hasRole } from "@armoricore/auth/Identity";
import * as Signature from "@armoricore/domain/Signature";
import { UserId } from "@armoricore/domain/Ids";
import { Clock, Effect, Schema } from "effect";
import { authenticate, bearerToken, rejectGuest } from "./Authentication.ts";
import { problem } from "./Problem.ts";
import * as RequestBody from "./RequestBody.ts";
const maxRequestBytes = 65_536;
const isUserId = Schema.is(UserId);
const roles = ["publisher", "operator"];
/** Returns the body once the caller is known to be permitted; a caller who is not gets the error before it is read. */
export const authorize = Effect.fn("UserAccess.authorize")(function* (request, userId, signingKeys) {
    if (!isUserId(userId)) {
        return yield* problem(422, "invalid", "the user id in the path must have 1 to 128 characters without white space or control characters", "user_id");
    }
    const header = request.headers[Signature.signatureHeader.toLowerCase()];
    const signature = bearerToken(request) === undefined && signingKeys.size > 0 ? header : undefined;
    if (signature === undefined) {
        const identity = yield* authenticate(request);
        if (identity.userId !== userId && !roles.some((role) => hasRole(identity, role))) {
            return yield* problem(403, "forbidden", `the token belongs to another user than ${userId} and has neither the role publisher nor operator`);
        }
        if (request.method !== "GET")
            yield* rejectGuestChange(identity);
    }
    const body = yield* RequestBody.bytes(request, maxRequestBytes);
    if (signature !== undefined)
        yield* Signature.verify(signingKeys, signature, body, yield* Clock.currentTimeMillis);
    return { userId, body };
});
const rejectGuestChange = (identity) => hasRole(identity, "guest") ? Effect.fail(problem(403, "guest", "guests may only read; sign in first")) : Effect.void;
