/** The credentials of a backend: a token with one of these roles, or a signature of the body in place of the token. */
import { hasRole } from "@armoricore/auth/Identity";
import * as Signature from "@armoricore/domain/Signature";
import { Clock, Effect } from "effect";
import { authenticate, bearerToken } from "./Authentication.ts";
import { problem } from "./Problem.ts";
import * as RequestBody from "./RequestBody.ts";
/** Returns the body with its proof: the identity of a token, or the signature. A signature covers the body only: that of a GET is empty. */
export const authenticatedBody = Effect.fn("PublisherAuthentication.authenticatedBody")(function* (request, options) {
    const { maxBytes, roles, signingKeys } = options;
    const header = request.headers[Signature.signatureHeader.toLowerCase()];
    const signature = bearerToken(request) === undefined && signingKeys.size > 0 ? header : undefined;
    // A caller without the role gets the error before the body is read.
    const identity = signature === undefined ? yield* authenticate(request) : undefined;
    if (identity !== undefined) {
        if (!roles.some((role) => hasRole(identity, role))) {
            const named = roles.join(" or ");
            return yield* problem(403, "role_missing", `the token lacks the role ${named}; ask for one that has it`);
        }
    }
    const body = yield* RequestBody.bytes(request, maxBytes);
    if (signature !== undefined)
        yield* Signature.verify(signingKeys, signature, body, yield* Clock.currentTimeMillis);
    return { body, identity, signature };
});
