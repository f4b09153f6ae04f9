/**
 * The error taxonomy: one tag per recovery decision, not per origin. A caller can decide by the tag alone, without knowing
 * which adapter raised the error.
 *
 * | tag | who acts | what happens |
 * |---|---|---|
 * | `TransientError` | the worker loop | retried with backoff, then one `*.failed` and a dead letter |
 * | `PermanentError` | the publisher | one `*.failed`, no retry, no dead letter |
 * | `ConfigurationError` | an operator | the process does not start, or the provider pauses with an alarm |
 * | `NotFound` | the caller | an expected result of a read |
 * | `Conflict` | the caller | another process wrote first: read again and decide again |
 * | `InvalidEvent` | the publisher | undecodable, unauthorised or unknown input: a dead letter with the path of the field |
 */
import { Schema } from "effect";
/** A retry may succeed: a lost connection, a full stream, a provider's 503. */
export class TransientError extends Schema.TaggedError()("TransientError", {
    /** The failed dependency, as metrics and circuit breakers name it: `bus`, `storage`, `state`, `fcm`, … */
    dependency: Schema.String,
    /** Stable, lower case with underscores: `unavailable`, `timeout`, `full`, … */
    code: Schema.String,
    message: Schema.String,
    /** Minimum delay before the next attempt, if the dependency requested one. */
    retryAfterMillis: Schema.optionalKey(Schema.Finite),
    /** `false` where no attempt was made (an open circuit, another owner's lease): the message is snoozed. Default `true`. */
    countsAsAttempt: Schema.optionalKey(Schema.Boolean),
    cause: Schema.optionalKey(Schema.Defect()),
}) {
}
/** A retry cannot succeed: a corrupt file, an invalid address, a message over the limit. */
export class PermanentError extends Schema.TaggedError()("PermanentError", {
    /** Stable, lower case with underscores; becomes `error.code` of a `*.failed` event. */
    code: Schema.String,
    /** One sentence for the person who caused the error, with what to do. */
    message: Schema.String,
    cause: Schema.optionalKey(Schema.Defect()),
}) {
}
/** Only an operator can fix it: a missing setting, a rejected credential, a stream with other settings. */
export class ConfigurationError extends Schema.TaggedError()("ConfigurationError", {
    /** The variable or resource to check, for example `MESSAGE_BUS_URL` or `stream ARMORICORE`. */
    setting: Schema.String,
    message: Schema.String,
    cause: Schema.optionalKey(Schema.Defect()),
}) {
}
/** The requested resource does not exist. */
export class NotFound extends Schema.TaggedError()("NotFound", {
    /** `object`, `key`, `dead letter`, … */
    resource: Schema.String,
    id: Schema.String,
}) {
    get message() {
        return `${this.resource} ${this.id} does not exist`;
    }
}
/** A compare-and-set failed: the entry has another revision, or exists already. */
export class Conflict extends Schema.TaggedError()("Conflict", {
    key: Schema.String,
}) {
    get message() {
        return `${this.key} was changed by another process`;
    }
}
/** Invalid input from outside. `path` names the field; `""` is the whole input. */
export class InvalidEvent extends Schema.TaggedError()("InvalidEvent", {
    reason: Schema.Literals(["undecodable", "invalid", "unknown_type", "unauthorized", "bad_signature", "too_large"]),
    path: Schema.String,
    message: Schema.String,
}) {
}
