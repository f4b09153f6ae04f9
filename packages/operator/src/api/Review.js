/** Messages that moderation flagged, and the decisions on them. */
import { UserId } from "@armoricore/domain/Ids";
import { Schema } from "effect";
export const ReviewStatus = Schema.Literals(["pending", "approved", "removed"]);
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
    /** Of a flood: the number of its messages, of which `message_id` is the first that was flagged. */
    count: Schema.optionalKey(Schema.Int),
    /** RFC 3339. */
    flagged_at: Schema.String,
    /** The operator who decided, or `rules` if moderation removed it. */
    decided_by: Schema.optionalKey(Schema.String),
    decided_at: Schema.optionalKey(Schema.String),
    trace_id: Schema.optionalKey(Schema.String),
});
export const ReviewFilter = {
    status: Schema.optionalKey(ReviewStatus),
    /** Only reviews with this reason, such as `flood`. */
    reason: Schema.optionalKey(Schema.String),
    user_id: Schema.optionalKey(UserId),
    /** A room or stream. */
    conversation_id: Schema.optionalKey(Schema.String),
    /** Default 100, at most 1,000. */
    limit: Schema.optionalKey(Schema.Int),
};
/** Decides on many reviews at once. */
export const BulkDecision = {
    review_ids: Schema.Array(Schema.String).check(Schema.isMinLength(1), Schema.isMaxLength(1_000)),
    decision: Schema.Literals(["approve", "remove"]),
};
export const BulkDecided = Schema.Struct({
    decided: Schema.Int,
    /** Reviews that are not known, or on which someone else has decided. */
    rejected: Schema.Array(Schema.Struct({ review_id: Schema.String, message: Schema.String })),
});
