/**
 * How a channel says no: an error reply `{reason, …}`, and the channel lives on. The reasons of the house are listed
 * here; a channel may have its own.
 *
 * | reason | meaning |
 * |---|---|
 * | `unauthorized` | this identity may not do that |
 * | `invalid_payload` | `path` names the field, `message` says what is wrong |
 * | `unknown_event` | the channel has no such event |
 * | `too_large` | the message is over `limit` bytes |
 * | `rate_limit` | too many; again after `retry_after_ms` |
 * | `unavailable` | a dependency is away; trying again later may help |
 * | `unmatched topic` | no channel has this topic, or it is not joined |
 * | `too many channels joined` | the socket has as many topics as it may |
 * | `join crashed` | a fault of the server; the client tries again by itself |
 */
import { Data, type Schema } from "effect"

export class Refusal extends Data.TaggedError("Refusal")<{
  readonly reason: string
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
