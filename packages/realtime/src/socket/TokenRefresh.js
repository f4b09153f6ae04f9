import { tokenRevoked } from "@armoricore/auth/Revocations";
import { Effect } from "effect";
import * as ChannelErrors from "../channel/ChannelError.ts";
/** The event with a new token, which clients may send on every joined topic. */
export const refreshEvent = "access_token";
/** The identity of the new token. A failure other than an invalid token becomes `unavailable`. */
export const verify = ({ revocations, tokens }, current, payload) => tokens.verify(tokenFrom(payload)).pipe(Effect.catchCause((cause) => {
    const error = cause.reasons.find((reason) => reason._tag === "Fail")?.error;
    return Effect.fail(error?._tag === "Unauthorized" ? ChannelErrors.unauthorized(error.message) : ChannelErrors.unavailable);
}), Effect.flatMap((identity) => {
    if (identity.userId !== current.userId) {
        return Effect.fail(ChannelErrors.unauthorized("the token belongs to another user"));
    }
    if (revocations.isRevoked(identity))
        return Effect.fail(ChannelErrors.unauthorized(tokenRevoked.message));
    return Effect.succeed(identity);
}));
const tokenFrom = (payload) => typeof payload === "object" && payload !== null && "token" in payload && typeof payload.token === "string"
    ? payload.token
    : undefined;
