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

export type Reason = keyof typeof reasons

export class Refusal extends Data.TaggedError("Refusal")<{
  readonly reason: Reason
  /** Further fields of the reply. */
  readonly extra?: Readonly<Record<string, Schema.Json>>
}> {
  override get message() {
    return this.reason
  }

  /** The body of the error reply. */
  get response(): object {
    return { reason: this.reason, ...this.extra }
  }
}

export const unauthorized = (message: string) => new Refusal({ reason: "unauthorized", extra: { message } })
export const invalidPayload = (path: string, message: string) =>
  new Refusal({ reason: "invalid_payload", extra: { path, message } })
export const unknownEvent = (event: string) => new Refusal({ reason: "unknown_event", extra: { event } })
export const tooLarge = (limit: number) => new Refusal({ reason: "too_large", extra: { limit } })
export const rateLimit = (retryAfterMillis: number) =>
  new Refusal({ reason: "rate_limit", extra: { retry_after_ms: retryAfterMillis } })
export const unavailable = new Refusal({ reason: "unavailable" })
export const unmatchedTopic = new Refusal({ reason: "unmatched topic" })
export const tooManyChannels = new Refusal({ reason: "too many channels joined" })
export const joinCrashed = new Refusal({ reason: "join crashed" })
