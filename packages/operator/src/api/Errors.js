/** The errors of the operator API: a tag per recovery decision, each with a message for the operator. */
import { Schema } from "effect";
/** The caller lacks the permission: use a token that has the role `operator`. */
export class AccessDenied extends Schema.TaggedError()("AccessDenied", {
    reason: Schema.Literals(["missing", "invalid", "expired", "revoked", "role_missing", "unverified"]),
    message: Schema.String,
}) {
}
/** The action is not possible: use another id or body, or it is too late. Repeating it changes nothing. */
export class ActionRejected extends Schema.TaggedError()("ActionRejected", {
    /** Stable, lower case with underscores: `not_found`, `invalid`, `too_late`, … */
    code: Schema.String,
    message: Schema.String,
    /** The path of the invalid field, if there is one. */
    path: Schema.optionalKey(Schema.String),
}) {
}
/** Bus or state is unreachable or not configured: try again later, or check it. */
export class Unavailable extends Schema.TaggedError()("Unavailable", {
    /** `bus`, `state`, … or the setting to look at. */
    dependency: Schema.String,
    message: Schema.String,
}) {
}
export const OperatorError = Schema.Union([ActionRejected, Unavailable]);
