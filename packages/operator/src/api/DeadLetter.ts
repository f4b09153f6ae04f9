/** A message that could not be handled, as operators see it. */
import { Schema } from "effect"

export const DeadLetter = Schema.Struct({
  id: Schema.String,
  service: Schema.String,
  consumer: Schema.String,
  event_type: Schema.String,
  event_id: Schema.optionalKey(Schema.String),
  reason: Schema.String,
  message: Schema.String,
  /** The field at fault, dotted; empty for the whole. */
  path: Schema.String,
  attempts: Schema.Finite,
  /** RFC 3339. */
  first_at: Schema.String,
  last_at: Schema.String,
  trace_id: Schema.optionalKey(Schema.String),
  /** The letter that this message was a replay of. */
  replay_of: Schema.optionalKey(Schema.String),
})
export type DeadLetter = typeof DeadLetter.Type

export const DeadLetterWithBody = Schema.Struct({
  ...DeadLetter.fields,
  /** As it came; where it is no UTF-8, what could be made of it. */
  body: Schema.String,
  bytes: Schema.Finite,
})
export type DeadLetterWithBody = typeof DeadLetterWithBody.Type

export const DeadLetterFilter = {
  service: Schema.optionalKey(Schema.String),
  type: Schema.optionalKey(Schema.String),
  reason: Schema.optionalKey(Schema.String),
  /** Only letters behind this one. */
  after: Schema.optionalKey(Schema.String),
  /** Default 100, at most 1,000. */
  limit: Schema.optionalKey(Schema.Int),
}
