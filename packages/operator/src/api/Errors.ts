/** Why something was not done; a tag per recovery decision, each with a sentence for the person who asked. */
import { Schema } from "effect"

/** The caller may not do this: get a (new) token that has the role `operator`. */
export class AccessDenied extends Schema.TaggedError<AccessDenied>()("AccessDenied", {
  reason: Schema.Literals(["missing", "invalid", "expired", "revoked", "role_missing", "unverified"]),
  message: Schema.String,
}) {}

/** It cannot be done as asked: another id, another body, or too late. Asking the same again changes nothing. */
export class ActionRejected extends Schema.TaggedError<ActionRejected>()("ActionRejected", {
  /** Stable, lower case with underscores: `not_found`, `invalid`, `too_late`, … */
  code: Schema.String,
  message: Schema.String,
  /** The field at fault, dotted, where there is one. */
  path: Schema.optionalKey(Schema.String),
}) {}

/** Bus or state cannot be reached just now, or is not configured for it: try again later, or look there. */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", {
  /** `bus`, `state`, … or the setting to look at. */
  dependency: Schema.String,
  message: Schema.String,
}) {}

export const OperatorError = Schema.Union([ActionRejected, Unavailable])
export type OperatorError = typeof OperatorError.Type
