/**
 * Why the server ends a socket. Never 1000: older Phoenix clients do not reconnect after it. `ws` itself adds 1007 (not
 * UTF-8), 1009 (a frame over 1 MiB) and 1002 (a frame that breaks RFC 6455).
 */
export interface CloseCode {
  readonly code: number
  readonly reason: string
}

/** Nothing was heard for the idle timeout. */
export const idle: CloseCode = { code: 1002, reason: "idle_timeout" }
/** A frame that is no message of the serializer. */
export const undecodableFrame: CloseCode = { code: 1011, reason: "undecodable_frame" }
/** The server goes down, or a new version comes: reconnect. */
export const restart: CloseCode = { code: 1012, reason: "service_restart" }
/** The token ended and `access_token` brought no new one. */
export const tokenExpired: CloseCode = { code: 4001, reason: "token_expired" }
/** An operator ended the token: log in again. */
export const revoked: CloseCode = { code: 4001, reason: "revoked" }
/** An operator closed the socket; its token still counts. A close frame has room for 123 bytes. */
export const kicked = (reason: string): CloseCode => ({
  code: 4002,
  reason:
    Buffer.from(reason)
      .subarray(0, 120)
      .toString()
      .replace(/\uFFFD$/, "") || "kicked",
})
/** The client read too slowly and its queue is full: reconnect and catch up. */
export const slowConsumer: CloseCode = { code: 4008, reason: "slow_consumer" }

/** Every close code a client may see, with what it means, for the documents. */
export const meanings: ReadonlyArray<readonly [code: number, reason: string, meaning: string]> = [
  [idle.code, idle.reason, "nothing was heard for 60 s: the client should have sent heartbeats; it connects again"],
  [1002, "", "a frame that breaks the WebSocket protocol"],
  [1007, "", "text that is no UTF-8"],
  [1009, "", "a frame over 1 MiB"],
  [undecodableFrame.code, undecodableFrame.reason, "a frame that is no message of the serializer"],
  [restart.code, restart.reason, "this node goes down or is replaced: the client connects again by itself"],
  [tokenExpired.code, tokenExpired.reason, "the token ended: connect with a new one"],
  [revoked.code, revoked.reason, "an operator ended the token: log in again, do not connect again with it"],
  [4002, "kicked", "an operator closed the socket; the reason is the operator's words. It may connect again"],
  [slowConsumer.code, slowConsumer.reason, "the client read too slowly; it connects again and asks for what it missed"],
]
