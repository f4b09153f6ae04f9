/**
 * The error taxonomy: one tag per recovery decision, not per origin. Whoever catches one of these knows what to do
 * without knowing which adapter raised it.
 *
 * | tag | who acts | what happens |
 * |---|---|---|
 * | `TransientError` | the worker loop | tried again with backoff, then one `*.failed` and a dead letter |
 * | `PermanentError` | nobody | one `*.failed`, no retry, no dead letter |
 * | `ConfigurationError` | an operator | the process does not start, or the route pauses with an alarm |
 * | `NotFound` | the caller | an expected answer of a read, never a fault by itself |
 * | `Conflict` | the caller | somebody else wrote first: read again and decide anew |
 * | `Rejected` | the publisher | undecodable, unauthorised or unknown input: a dead letter with the path of the field |
 */
import { Schema } from "effect"

/** Worth another try: a lost connection, a full stream, a provider's 503. */
export class TransientError extends Schema.TaggedError<TransientError>()("TransientError", {
  /** What failed, as metrics and circuit breakers name it: `bus`, `storage`, `state`, `fcm`, … */
  dependency: Schema.String,
  /** Stable, lower case with underscores: `unavailable`, `timeout`, `full`, … */
  code: Schema.String,
  message: Schema.String,
  /** The earliest next try in milliseconds, where the other side named one. */
  retryAfterMillis: Schema.optionalKey(Schema.Finite),
  /** `false` where no attempt was made (an open circuit, another owner's lease): the message is snoozed. Default `true`. */
  countsAsAttempt: Schema.optionalKey(Schema.Boolean),
  cause: Schema.optionalKey(Schema.Defect()),
}) {}

/** Fails again however often it is tried: a broken file, a dead address, a message over the limit. */
export class PermanentError extends Schema.TaggedError<PermanentError>()("PermanentError", {
  /** Stable, lower case with underscores; becomes `error.code` of a `*.failed` event. */
  code: Schema.String,
  /** One sentence for the person who caused it, saying what to do. */
  message: Schema.String,
  cause: Schema.optionalKey(Schema.Defect()),
}) {}

/** Only an operator can cure it: a missing setting, a refused credential, a stream with other settings. */
export class ConfigurationError extends Schema.TaggedError<ConfigurationError>()("ConfigurationError", {
  /** The variable or resource to look at, for example `MESSAGE_BUS_URL` or `stream ARMORICORE`. */
  setting: Schema.String,
  message: Schema.String,
  cause: Schema.optionalKey(Schema.Defect()),
}) {}

/** What was asked for is not there. */
export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {
  /** `object`, `key`, `dead letter`, … */
  resource: Schema.String,
  id: Schema.String,
}) {
  override get message() {
    return `${this.resource} ${this.id} does not exist`
  }
}

/** A compare-and-set lost: the entry has another revision, or exists already. */
export class Conflict extends Schema.TaggedError<Conflict>()("Conflict", {
  key: Schema.String,
}) {
  override get message() {
    return `${this.key} was changed by somebody else`
  }
}

/** Input from outside that cannot be accepted as it is; `path` names the field, `""` the whole. */
export class InvalidEvent extends Schema.TaggedError<InvalidEvent>()("InvalidEvent", {
  reason: Schema.Literals(["undecodable", "invalid", "unknown_type", "unauthorized", "bad_signature", "too_large"]),
  path: Schema.String,
  message: Schema.String,
}) {}

/** Everything a port may raise besides its expected answers. */
export type PortError = TransientError | PermanentError | ConfigurationError
