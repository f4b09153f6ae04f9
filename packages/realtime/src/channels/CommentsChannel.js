import { deriveId } from "@armoricore/domain/DeterministicId";
import { StreamId } from "@armoricore/domain/Ids";
import { optionalNullable, Timestamp } from "@armoricore/domain/JsonCodecs";
import { Clock, Effect, Schema } from "effect";
import * as Channel from "../channel/Channel.ts";
import { CommentRateLimit } from "./CommentRateLimit.ts";
import { PublishBuffer } from "../pubsub/PublishBuffer.ts";
import { rateLimit } from "../channel/ChannelError.ts";
import * as Reactors from "../rooms/Reactors.ts";
import { RoomLog } from "../rooms/RoomLog.ts";
import { Topics } from "../pubsub/Topics.ts";
import * as ViewerCount from "../pubsub/ViewerCount.ts";
import * as MessageActions from "./MessageActions.ts";
import * as MessageFields from "./MessageFields.ts";
export const Comment = Schema.Struct({
    ...MessageFields.messageFields,
    stream_id: StreamId,
    ...MessageActions.changedFields,
});
export const channel = Channel.make({
    topic: "comments:stream:{stream_id}",
    params: { stream_id: StreamId },
    join: {
        payload: Schema.Struct(MessageFields.replayFields),
        reply: Schema.Struct({
            comments: Schema.Array(Comment),
            ...MessageFields.replayReplyFields,
            ...MessageFields.changeFields,
        }),
    },
    history: { message: Comment, fromEntry: ({ payload }) => payload },
    client: {
        new_comment: {
            payload: Schema.Struct({
                content: MessageFields.Content,
                /** The moment of the stream that the comment is about; default now. */
                timestamp: optionalNullable(Timestamp),
                client_id: optionalNullable(MessageFields.ClientId),
            }),
            reply: Comment,
            allowBackends: true,
        },
        ...MessageActions.clientEvents(Comment),
        history: MessageFields.historyEvent(Comment),
    },
    server: {
        new_comment: { payload: Comment, droppable: true },
        message_edited: { payload: Schema.Struct({ ...Comment.fields, rev: MessageFields.rev }) },
        comment_removed: { payload: MessageFields.Removed },
        reactions: MessageActions.reactionsEvent,
        viewer_count: { payload: Schema.Struct({ count: Schema.Int }), droppable: true },
    },
});
const decodeComment = Schema.decodeUnknownEffect(Comment);
const decodeEntry = ({ payload, reactors }, reader) => Effect.map(Effect.orDie(decodeComment(payload)), (decoded) => {
    const own = Reactors.own(reactors, reader.userId);
    return own.length === 0 ? decoded : { ...decoded, own_reactions: own };
});
const decodeShared = MessageFields.entryDecoder(Comment);
/** Readers share the comments of a page in which nothing depends on them. */
const decodeEntries = (entries, reader) => entries.every(({ reactors }) => reactors === undefined)
    ? decodeShared(entries)
    : Effect.forEach(entries, (entry) => decodeEntry(entry, reader));
export const layer = channel.toLayer(Effect.gen(function* () {
    const roomLog = yield* RoomLog;
    const topics = yield* Topics;
    const publishBuffer = yield* PublishBuffer;
    const rateLimiter = yield* CommentRateLimit;
    const viewers = yield* ViewerCount.make((topic, count) => topics.deliver(topic, "viewer_count", { count: count() }, { droppable: true, snapshot: { topic, event: "viewer_count", payload: () => ({ count: count() }) } }));
    const actions = yield* MessageActions.make({
        removedEvent: "comment_removed",
        toMessage: decodeEntry,
        onEdited: ({ content, id, stream_id, user_id }, { at, by }) => publishBuffer.offer("comment.edited", `${id} ${crypto.randomUUID()}`, {
            comment_id: id,
            stream_id,
            user_id,
            content,
            timestamp: at,
            edited_by: by,
        }),
        onRemoved: ({ id, stream_id, user_id }, { at, by, reason }) => publishBuffer.offer("comment.removed", id, {
            comment_id: id,
            stream_id,
            user_id,
            reason,
            timestamp: at,
            removed_by: by,
        }),
    });
    return channel.handlers(Effect.fnUntraced(function* (stream, request) {
        const replay = yield* roomLog.replay(stream.topic, request, yield* stream.awaitCapacity);
        const comments = yield* decodeEntries(replay.entries, stream.identity);
        yield* viewers.update(stream.topic);
        const reply = { comments, ...MessageFields.replayReply(replay), ...MessageFields.changesOf(replay) };
        return { reply, upToSeq: replay.upToSeq };
    }), {
        on: {
            ...actions,
            // Uninterruptible: a comment that other clients received must also reach the bus, where moderation reads it, even
            // if the sender disconnects now.
            new_comment: Effect.fnUntraced(function* (stream, { content, timestamp, client_id }) {
                const { userId } = stream.identity;
                const { stream_id } = stream.params;
                const wait = yield* rateLimiter.take(userId);
                if (wait > 0)
                    return yield* rateLimit(wait);
                const id = client_id === undefined ? crypto.randomUUID() : deriveId("comment", stream_id, userId, client_id);
                const at = timestamp ?? new Date(yield* Clock.currentTimeMillis).toISOString();
                const appended = yield* roomLog.append(stream.topic, {
                    event: "new_comment",
                    id,
                    payload: { id, content, user_id: userId, stream_id, timestamp: at },
                    droppable: true,
                });
                const comment = yield* Effect.orDie(decodeComment(appended.payload));
                yield* publishBuffer.offer("comment.created", id, {
                    comment_id: id,
                    stream_id,
                    user_id: userId,
                    content: comment.content,
                    timestamp: comment.timestamp,
                });
                return comment;
            }, Effect.uninterruptible),
            history: Effect.fnUntraced(function* (stream, request) {
                const page = yield* roomLog.history(stream.topic, request, yield* stream.awaitCapacity);
                const messages = yield* decodeEntries(page.entries, stream.identity);
                return { messages, ...MessageFields.pageReply(page) };
            }),
        },
        leave: (stream) => viewers.update(stream.topic),
    });
}));
