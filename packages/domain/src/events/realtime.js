/** Payloads of `chat.*`, `comment.*`, `presence.*` and `moderation.*`. */
import { Schema } from "effect";
import { ChatRoomId, MediaId, StreamId, UserId } from "../Ids.ts";
import { Metadata, optionalNullable, Timestamp } from "../JsonCodecs.ts";
export const ChatMessage = Schema.Struct({
    message_id: Schema.String,
    room_id: ChatRoomId,
    user_id: UserId,
    content: Schema.String,
    timestamp: Timestamp,
    /** The `message_id` of the message that this one replies to. */
    reply_to: optionalNullable(Schema.String),
    /** User ids. */
    mentions: optionalNullable(Schema.Array(UserId)),
    attachments: optionalNullable(Schema.Array(MediaId)),
    metadata: optionalNullable(Metadata),
});
/** The message after the edit; moderation judges it as a new one. */
const edited = {
    /** The author. */
    user_id: UserId,
    content: Schema.String,
    /** The time of the edit. */
    timestamp: Timestamp,
    edited_by: optionalNullable(UserId),
};
const removed = {
    /** The author. */
    user_id: UserId,
    /** `author`, `moderator`, or the reasons of automatic moderation. */
    reason: Schema.String,
    /** The time of the removal. */
    timestamp: Timestamp,
    /** Absent if moderation removed the message. */
    removed_by: optionalNullable(UserId),
};
export const ChatEdited = Schema.Struct({ message_id: Schema.String, room_id: ChatRoomId, ...edited });
export const ChatRemoved = Schema.Struct({ message_id: Schema.String, room_id: ChatRoomId, ...removed });
export const CommentEdited = Schema.Struct({ comment_id: Schema.String, stream_id: StreamId, ...edited });
export const CommentRemoved = Schema.Struct({ comment_id: Schema.String, stream_id: StreamId, ...removed });
export const CommentCreated = Schema.Struct({
    comment_id: Schema.String,
    stream_id: StreamId,
    user_id: UserId,
    content: Schema.String,
    timestamp: Timestamp,
});
export const ModerationFlagged = Schema.Struct({
    target: Schema.Struct({
        kind: Schema.Literals(["chat", "comment"]),
        id: Schema.String,
        room_id: optionalNullable(ChatRoomId),
        stream_id: optionalNullable(StreamId),
        user_id: UserId,
    }),
    reasons: Schema.Array(Schema.String),
    action: Schema.Literals(["remove", "review"]),
    /** One flag for many messages: their number so far, and the time of the first. A later flag of the flood has the same time. */
    flood: optionalNullable(Schema.Struct({ count: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)), since: Timestamp })),
});
export const PresenceStatus = Schema.Literals(["online", "offline", "away"]);
/** The first join, the last leave, or a change of status. */
export const PresenceUpdate = Schema.Struct({
    user_id: UserId,
    room_id: ChatRoomId,
    status: PresenceStatus,
    timestamp: Timestamp,
});
