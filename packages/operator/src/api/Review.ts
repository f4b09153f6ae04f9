/** Messages that moderation flagged: what a person has to look at, and what became of it. */
import { Schema } from "effect"

export const ReviewStatus = Schema.Literals(["pending", "approved", "removed"])
export type ReviewStatus = typeof ReviewStatus.Type

export const Review = Schema.Struct({
  /** The `moderation.flagged` event. */
  review_id: Schema.String,
  status: ReviewStatus,
  kind: Schema.Literals(["chat", "comment"]),
  /** Of the message or comment. */
  message_id: Schema.String,
  /** The room or stream. */
  conversation_id: Schema.String,
  user_id: Schema.String,
  reasons: Schema.Array(Schema.String),
  /** What was said, where the history had it still. */
  content: Schema.optionalKey(Schema.String),
  /** RFC 3339. */
  flagged_at: Schema.String,
  /** Who decided: an operator, or `rules` where moderation removed it by itself. */
  decided_by: Schema.optionalKey(Schema.String),
  decided_at: Schema.optionalKey(Schema.String),
  trace_id: Schema.optionalKey(Schema.String),
})
export type Review = typeof Review.Type

export const ReviewFilter = {
  status: Schema.optionalKey(ReviewStatus),
  /** Only behind this key. */
  limit: Schema.optionalKey(Schema.Int),
}
