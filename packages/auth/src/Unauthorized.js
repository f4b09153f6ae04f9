/** Why a token proves no identity. */
import { Schema } from "effect";
/** The token does not prove an identity; `message` is one sentence for the person who sent the token. */
export class Unauthorized extends Schema.TaggedError()("Unauthorized", {
    reason: Schema.Literals(["missing", "invalid", "expired", "revoked"]),
    message: Schema.String,
}) {
}
export const invalidToken = (message) => new Unauthorized({ reason: "invalid", message });
export const missingToken = new Unauthorized({
    reason: "missing",
    message: "no token was sent: send a JWT, over HTTP as `Authorization: Bearer …`, to the socket as its parameter `token`",
});
export const expiredToken = new Unauthorized({
    reason: "expired",
    message: "the token has expired: get a new one",
});
export const wrongAlgorithm = invalidToken("the token is signed with an algorithm that this server does not accept");
export const malformedToken = invalidToken("the token is not a JWT with a valid signature");
