/**
 * Edit, delete, react and unreact: the same for every channel whose messages can change. The author edits within the time
 * limit and deletes at any time; the role `moderator` does both for every message.
 *
 * The handlers are uninterruptible: a change that other clients received must also reach the bus, where moderation reads it,
 * even if the sender disconnects now.
 */
import { hasRole } from "@armoricore/auth/Identity";
import { UserId } from "@armoricore/domain/Ids";
import { Timestamp } from "@armoricore/domain/JsonCodecs";
import { Clock, Context, Duration, Effect, Schema } from "effect";
import { ChannelError, unauthorized } from "../channel/ChannelError.ts";
import { MessageChanges } from "../rooms/MessageChanges.ts";
import { RoomLog } from "../rooms/RoomLog.ts";
import * as MessageFields from "./MessageFields.ts";
/** How long an author may edit a message (`MESSAGE_EDIT_WINDOW`). */
export const EditWindow = Context.Reference("@armoricore/realtime/EditWindow", {
    defaultValue: () => Duration.days(1),
});
/** The fields of a message that was changed. */
export const changedFields = {
    /** Present on an edited message. */
    edited_at: Schema.optionalKey(Timestamp),
    edited_by: Schema.optionalKey(UserId),
    /** Counts by emoji. Only in replies and in `message_edited`; `reactions` announces later counts. */
    reactions: Schema.optionalKey(MessageFields.Counts),
    /** The emojis with which the reader of this reply reacted. */
    own_reactions: Schema.optionalKey(Schema.Array(Schema.String)),
};
const MessageRef = Schema.Struct({ id: MessageFields.MessageId });
const EditRequest = Schema.Struct({ id: MessageFields.MessageId, content: MessageFields.Content });
const ReactionRequest = Schema.Struct({ id: MessageFields.MessageId, emoji: MessageFields.Emoji });
const ReactionReply = Schema.Struct({
    id: Schema.String,
    counts: MessageFields.Counts,
    own: Schema.Array(Schema.String),
});
/** The client events of a channel with these messages. */
export const clientEvents = (message) => ({
    edit_message: { payload: EditRequest, reply: message, allowBackends: true },
    delete_message: { payload: MessageRef, reply: MessageRef, allowBackends: true },
    react: { payload: ReactionRequest, reply: ReactionReply, allowBackends: true },
    unreact: { payload: ReactionRequest, reply: ReactionReply, allowBackends: true },
});
export const reactionsEvent = {
    payload: Schema.Struct({ id: Schema.String, counts: MessageFields.Counts, rev: MessageFields.rev }),
};
const notFound = new ChannelError({ reason: "not_found" });
const isModerator = (identity) => hasRole(identity, "moderator");
const now = Effect.map(Clock.currentTimeMillis, (millis) => new Date(millis).toISOString());
export const make = Effect.fnUntraced(function* (kind) {
    const roomLog = yield* RoomLog;
    const changes = yield* MessageChanges;
    const editWindow = yield* EditWindow;
    const checkEdit = Effect.fnUntraced(function* (identity, author, sentAt) {
        if (isModerator(identity))
            return;
        if (author !== identity.userId)
            return yield* unauthorized("only the author and the role `moderator` may edit this message");
        const limit = Duration.toMillis(editWindow);
        if ((yield* Clock.currentTimeMillis) - sentAt > limit)
            return yield* new ChannelError({ reason: "edit_expired", details: { limit_ms: limit } });
    });
    const react = (isAdded) => Effect.fnUntraced(function* (room, { emoji, id }) {
        const state = yield* changes.react(room.topic, id, { userId: room.identity.userId, emoji, isAdded });
        return { id, ...state };
    }, Effect.uninterruptible);
    return {
        edit_message: Effect.fnUntraced(function* (room, { content, id }) {
            const { identity, topic } = room;
            const entry = yield* changes.edit(topic, id, Effect.fnUntraced(function* (payload) {
                yield* checkEdit(identity, payload["user_id"], new Date(String(payload["timestamp"])).getTime());
                return { ...payload, content, edited_at: yield* now, edited_by: identity.userId };
            }));
            const message = yield* kind.toMessage(entry, identity);
            yield* kind.onEdited(message, { by: identity.userId, at: message.edited_at ?? message.timestamp });
            return message;
        }, Effect.uninterruptible),
        delete_message: Effect.fnUntraced(function* (room, { id }) {
            const { identity, topic } = room;
            const entry = yield* roomLog.get(topic, id);
            if (entry === undefined)
                return yield* notFound;
            const message = yield* kind.toMessage(entry, identity);
            const isAuthor = message.user_id === identity.userId;
            if (!isAuthor && !isModerator(identity))
                return yield* unauthorized("only the author and the role `moderator` may delete this message");
            const reason = isAuthor ? "author" : "moderator";
            yield* changes.remove(topic, { event: kind.removedEvent, id, reason });
            yield* kind.onRemoved(message, { by: identity.userId, at: yield* now, reason });
            return { id };
        }, Effect.uninterruptible),
        react: react(true),
        unreact: react(false),
    };
});
