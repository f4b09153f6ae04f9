/** A message that could not be handled, as shown to operators. */
import { Schema } from "effect"

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
})
export type DeadLetter = typeof DeadLetter.Type

export const DeadLetterWithBody = Schema.Struct({
  ...DeadLetter.fields,
  /** As received; bytes that are not UTF-8 are replaced. */
  body: Schema.String,
  bytes: Schema.Finite,
})
export type DeadLetterWithBody = typeof DeadLetterWithBody.Type

export const DeadLetterFilter = {
  service: Schema.optionalKey(Schema.String),
  type: Schema.optionalKey(Schema.String),
  reason: Schema.optionalKey(Schema.String),
  /** Only dead letters after this one. */
  after: Schema.optionalKey(Schema.String),
  /** Default 100, at most 1,000. */
  limit: Schema.optionalKey(Schema.Int),
}
