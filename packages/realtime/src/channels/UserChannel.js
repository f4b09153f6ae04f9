/**
 * `user:{user_id}`: the events of one user's jobs and notifications, mentions, and counts of unread messages. `JoinPolicy` admits only that user. Results are
 * stored, so that a join replays those that the user missed; progress is not stored and has no `seq`.
 */
import { UserId } from "@armoricore/domain/Ids";
import { Timestamp } from "@armoricore/domain/JsonCodecs";
import { Effect, Schema } from "effect";
import * as Channel from "../channel/Channel.ts";
import * as JobEvents from "../pubsub/JobEvents.ts";
import { RoomLog } from "../rooms/RoomLog.ts";
import { historyEvent, pageReply, replayFields, replayReply, replayReplyFields } from "./MessageFields.ts";
/** A stored event, with the payload that connected clients received. */
export const StoredEvent = Schema.Struct({
    event: Schema.String,
    seq: Schema.Int,
    payload: Schema.Record(Schema.String, Schema.Unknown),
});
/** A message mentions this user. `seq` is the position in the history of this topic, `message_seq` the one in the room. */
const Mentioned = Schema.Struct({
    topic: Schema.String,
    room_id: Schema.String,
    message_id: Schema.String,
    message_seq: Schema.Int,
    /** The author of the message. */
    user_id: UserId,
    timestamp: Timestamp,
    seq: Schema.Int,
});
/** Unread messages of a room, counted up to 1,000. */
const Unread = Schema.Struct({ topic: Schema.String, room_id: Schema.String, count: Schema.Int });
export const channel = Channel.make({
    topic: "user:{user_id}",
    params: { user_id: UserId },
    join: {
        payload: Schema.Struct(replayFields),
        reply: Schema.Struct({ events: Schema.Array(StoredEvent), ...replayReplyFields }),
    },
    history: { message: StoredEvent, fromEntry: (entry) => entry },
    client: { history: historyEvent(StoredEvent) },
    server: { ...JobEvents.userEvents, mentioned: { payload: Mentioned }, unread: { payload: Unread, droppable: true } },
});
export const layer = channel.toLayer(Effect.gen(function* () {
    const roomLog = yield* RoomLog;
    return channel.handlers(Effect.fnUntraced(function* (user, request) {
        const replay = yield* roomLog.replay(user.topic, request, yield* user.awaitCapacity);
        return { reply: { events: replay.entries, ...replayReply(replay) }, upToSeq: replay.upToSeq };
    }), {
        on: {
            history: Effect.fnUntraced(function* (user, request) {
                const page = yield* roomLog.history(user.topic, request, yield* user.awaitCapacity);
                return { messages: page.entries, ...pageReply(page) };
            }),
        },
    });
}));
