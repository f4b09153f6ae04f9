/** The socket received no frame within the idle timeout. */
export const idle = { code: 1002, reason: "idle_timeout" };
/** The serializer cannot decode a frame. */
export const undecodableFrame = { code: 1011, reason: "undecodable_frame" };
/** The node shuts down or is replaced by a new version; clients reconnect. */
export const restart = { code: 1012, reason: "service_restart" };
/** The token expired and the client did not refresh it with `access_token`. */
export const tokenExpired = { code: 4001, reason: "token_expired" };
/** An operator revoked the token; the user must log in again. */
export const revoked = { code: 4001, reason: "revoked" };
/** An operator closed the socket; its token is still valid. A close frame has room for a reason of 123 bytes. */
export const kicked = (reason) => ({
    code: 4002,
    reason: Buffer.from(reason)
        .subarray(0, 120)
        .toString()
        .replace(/\uFFFD$/, "") || "kicked",
});
/** The client stopped reading and its queue is full; it reconnects and replays. */
export const slowConsumer = { code: 4008, reason: "slow_consumer" };
/** Every close code with its meaning for a client, for `docs/clients.md`. */
export const meanings = [
    [idle.code, idle.reason, "the server received no frame for 75 s: send heartbeats; the client connects again"],
    [1002, "", "a frame violates the WebSocket protocol"],
    [1007, "", "a text frame is not UTF-8"],
    [1009, "", "a frame is larger than 1 MiB"],
    [undecodableFrame.code, undecodableFrame.reason, "the serializer cannot decode a frame"],
    [restart.code, restart.reason, "this node shuts down or is replaced: the client connects again automatically"],
    [tokenExpired.code, tokenExpired.reason, "the token expired: connect with a new one"],
    [revoked.code, revoked.reason, "an operator revoked the token: log in again; this token is rejected from now on"],
    [4002, "kicked", "an operator closed the socket; the reason is the operator's text. The client may connect again"],
    [slowConsumer.code, slowConsumer.reason, "the client stopped reading: it connects again and replays missed events"],
];
