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
export const undecodable: CloseCode = { code: 1011, reason: "undecodable_frame" }
/** The server goes down, or a new version comes: reconnect. */
export const restart: CloseCode = { code: 1012, reason: "service_restart" }
/** The token ended and `access_token` brought no new one. */
export const tokenExpired: CloseCode = { code: 4001, reason: "token_expired" }
/** An operator ended the token: log in again. */
export const revoked: CloseCode = { code: 4001, reason: "revoked" }
/** The client read too slowly and its queue is full: reconnect and catch up. */
export const slowConsumer: CloseCode = { code: 4008, reason: "slow_consumer" }
