/** Messages that moderation flagged, and the decisions on them. */
import { Schema } from "effect"

export const ReviewStatus = Schema.Literals(["pending", "approved", "removed"])
export type ReviewStatus = typeof ReviewStatus.Type

export const Review = Schema.Struct({
  /** The `moderation.flagged` event. */
  review_id: Schema.String,
  status: ReviewStatus,
  kind: Schema.Literals(["chat", "comment"]),
  /** The id of the message or comment. */
  message_id: Schema.String,
  /** The room or stream. */
  conversation_id: Schema.String,
  user_id: Schema.String,
  reasons: Schema.Array(Schema.String),
  /** The text, if the history still has it. */
  content: Schema.optionalKey(Schema.String),
  /** RFC 3339. */
  flagged_at: Schema.String,
  /** The operator who decided, or `rules` if moderation removed it. */
  decided_by: Schema.optionalKey(Schema.String),
  decided_at: Schema.optionalKey(Schema.String),
  trace_id: Schema.optionalKey(Schema.String),
})
export type Review = typeof Review.Type

export const ReviewFilter = {
  status: Schema.optionalKey(ReviewStatus),
  /** Only reviews after this key. */
  limit: Schema.optionalKey(Schema.Int),
}
