/**
 * The close codes of the server. Phoenix uses 1002 for an idle socket and 1012 for a restart too; 4001 to 4008 and all
 * reasons are this server's own. The server never closes with 1000, because older Phoenix clients do not reconnect
 * after it. `ws` itself closes with 1002 (a frame violates RFC 6455), 1007 (text that is not UTF-8) and 1009 (a frame
 * over 1 MiB).
 */
export interface CloseCode {
  readonly code: number
  readonly reason: string
}

/** The socket received no frame within the idle timeout. */
export const idle: CloseCode = { code: 1002, reason: "idle_timeout" }
/** The serializer cannot decode a frame. */
export const undecodableFrame: CloseCode = { code: 1011, reason: "undecodable_frame" }
/** The node shuts down or is replaced by a new version; clients reconnect. */
export const restart: CloseCode = { code: 1012, reason: "service_restart" }
/** The token expired and the client did not refresh it with `access_token`. */
export const tokenExpired: CloseCode = { code: 4001, reason: "token_expired" }
/** An operator revoked the token; the user must log in again. */
export const revoked: CloseCode = { code: 4001, reason: "revoked" }
/** An operator closed the socket; its token is still valid. A close frame has room for a reason of 123 bytes. */
export const kicked = (reason: string): CloseCode => ({
  code: 4002,
  reason:
    Buffer.from(reason)
      .subarray(0, 120)
      .toString()
      .replace(/\uFFFD$/, "") || "kicked",
})
/** The client stopped reading and its queue is full; it reconnects and replays. */
export const slowConsumer: CloseCode = { code: 4008, reason: "slow_consumer" }

/** Every close code with its meaning for a client, for `docs/clients.md`. */
export const meanings: ReadonlyArray<readonly [code: number, reason: string, meaning: string]> = [
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
]
