/** Who did what, when, and how it ended; refused tries too. */
import { Schema } from "effect"

export const AuditEntry = Schema.Struct({
  id: Schema.String,
  /** RFC 3339. */
  at: Schema.String,
  /** The token's user; absent where no token could be read. */
  user_id: Schema.optionalKey(Schema.String),
  /** The act's name, for example `ReplayDeadLetter`. */
  action: Schema.String,
  /** What it was about, as asked; long texts are cut. */
  payload: Schema.Json,
  /** `started` stays where the process ended in the middle. */
  outcome: Schema.Literals(["started", "done", "failed", "refused"]),
  /** The sentence of a failure or refusal. */
  detail: Schema.optionalKey(Schema.String),
  /** Refusals like this one that were not written down, so that nobody floods the log. */
  suppressed: Schema.optionalKey(Schema.Finite),
})
export type AuditEntry = typeof AuditEntry.Type

export const AuditFilter = {
  user_id: Schema.optionalKey(Schema.String),
  action: Schema.optionalKey(Schema.String),
  outcome: Schema.optionalKey(AuditEntry.fields.outcome),
  /** Only older than the entry of this id. */
  after: Schema.optionalKey(Schema.String),
  /** Default 100, at most 1,000. */
  limit: Schema.optionalKey(Schema.Int),
}
