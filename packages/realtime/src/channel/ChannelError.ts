/**
 * How a channel says no: an error reply `{reason, …}`, and the channel lives on. The reasons are the catalogue below,
 * which `docs/clients.md` repeats for those who write clients.
 */
import { Data, type Schema } from "effect"

/** Every reason there is, with what it means for a client. */
export const reasons = {
  unauthorized: "this identity may not do that; `message` says why",
  invalid_payload: "`path` names the field, `message` says what is wrong with it",
  unknown_event: "the channel has no such `event`",
  too_large: "the message is over `limit` bytes",
  rate_limit: "too many; again after `retry_after_ms`",
  unavailable: "something the server needs is away; try again later",
  removed: "moderation took this very message away; it does not come back",
  "unmatched topic": "no channel has this topic, or it is not joined",
  "too many channels joined": "the socket has as many topics as it may have",
  "join crashed": "a fault of the server; the client joins again by itself",
} as const

export type ErrorReason = keyof typeof reasons

export class ChannelError extends Data.TaggedError("ChannelError")<{
  readonly reason: ErrorReason
  /** Further fields of the reply. */
  readonly details?: Readonly<Record<string, Schema.Json>>
}> {
  override get message() {
    return this.reason
  }

  /** The body of the error reply. */
  get response(): object {
    return { reason: this.reason, ...this.details }
  }
}

export const unauthorized = (message: string) => new ChannelError({ reason: "unauthorized", details: { message } })
export const invalidPayload = (path: string, message: string) =>
  new ChannelError({ reason: "invalid_payload", details: { path, message } })
export const unknownEvent = (event: string) => new ChannelError({ reason: "unknown_event", details: { event } })
export const tooLarge = (limit: number) => new ChannelError({ reason: "too_large", details: { limit } })
export const rateLimit = (retryAfterMillis: number) =>
  new ChannelError({ reason: "rate_limit", details: { retry_after_ms: retryAfterMillis } })
export const unavailable = new ChannelError({ reason: "unavailable" })
export const unmatchedTopic = new ChannelError({ reason: "unmatched topic" })
export const tooManyChannels = new ChannelError({ reason: "too many channels joined" })
export const joinCrashed = new ChannelError({ reason: "join crashed" })
