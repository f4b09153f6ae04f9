/** A message that could not be handled, as shown to operators. */
import { Schema } from "effect";
export const DeadLetter = Schema.Struct({
    id: Schema.String,
    service: Schema.String,
    consumer: Schema.String,
    event_type: Schema.String,
    event_id: Schema.optionalKey(Schema.String),
    reason: Schema.String,
    message: Schema.String,
    /** The path of the invalid field; empty for the whole message. */
    path: Schema.String,
    attempts: Schema.Finite,
    /** RFC 3339. */
    first_at: Schema.String,
    last_at: Schema.String,
    trace_id: Schema.optionalKey(Schema.String),
    /** The dead letter that this message was a replay of. */
    replay_of: Schema.optionalKey(Schema.String),
    /** Equal for dead letters of one service, type, reason, field and message; values within the message do not count. */
    cause: Schema.String,
});
export const DeadLetterWithBody = Schema.Struct({
    ...DeadLetter.fields,
    /** As received; bytes that are not UTF-8 are replaced. */
    body: Schema.String,
    bytes: Schema.Finite,
});
export const DeadLetterFilter = {
    service: Schema.optionalKey(Schema.String),
    type: Schema.optionalKey(Schema.String),
    reason: Schema.optionalKey(Schema.String),
    /** Only dead letters after this one. */
    after: Schema.optionalKey(Schema.String),
    /** Default 100, at most 1,000. */
    limit: Schema.optionalKey(Schema.Int),
};
/** Every given field must match. */
const selection = {
    service: Schema.optionalKey(Schema.String),
    type: Schema.optionalKey(Schema.String),
    reason: Schema.optionalKey(Schema.String),
    cause: Schema.optionalKey(Schema.String),
    /** Words that all occur in ids, type, message, field or the first kilobyte of the body, in any case. */
    query: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(200))),
};
export const DeadLetterSelection = selection;
export const DeadLetterPageRequest = {
    ...selection,
    /** How many of the newest to skip; default 0. */
    offset: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
    /** Default 50, at most 1,000. */
    limit: Schema.optionalKey(Schema.Int),
};
/** Dead letters of one fault. */
export const DeadLetterCause = Schema.Struct({
    cause: Schema.String,
    service: Schema.String,
    event_type: Schema.String,
    reason: Schema.String,
    path: Schema.String,
    /** Of the newest dead letter. */
    message: Schema.String,
    count: Schema.Finite,
    /** RFC 3339. */
    first_at: Schema.String,
    last_at: Schema.String,
});
export const DeadLetterPage = Schema.Struct({
    /** Newest first. */
    letters: Schema.Array(DeadLetter),
    /** Dead letters that match the request. */
    matching: Schema.Finite,
    total: Schema.Finite,
    /** True: older dead letters exist than the newest 20,000, which are counted and searched. */
    more: Schema.Boolean,
    /** Of the dead letters that match without `cause`, most frequent first; at most 200. */
    causes: Schema.Array(DeadLetterCause),
    /** The values that occur, sorted. */
    services: Schema.Array(Schema.String),
    types: Schema.Array(Schema.String),
    reasons: Schema.Array(Schema.String),
});
