/**
 * `chat:room:{room_id}`: messages with history (`ChatMessages`), typing indicators and, if the join requests it, presence.
 *
 * A typing indicator ends 3 s after the last `typing_start`, when the user sends or edits a message, and when the membership
 * ends.
 */
import { ChatRoomId, RoomId, UserId } from "@armoricore/domain/Ids";
import { optionalNullable } from "@armoricore/domain/JsonCodecs";
import { mediaStates } from "@armoricore/state/MediaStates";
import { Effect, FiberMap, Schema } from "effect";
import * as Channel from "../channel/Channel.ts";
import { Presence } from "../presence/Presence.ts";
import * as PresenceEvents from "../presence/PresenceEvents.ts";
import { buckets as readBuckets } from "../rooms/ReadState.ts";
import * as ChatMessages from "./ChatMessages.ts";
import * as MessageFields from "./MessageFields.ts";
export { ChatMessage } from "./ChatMessages.ts";
export const channel = Channel.make({
    topic: "chat:room:{room_id}",
    params: { room_id: RoomId },
    join: {
        payload: Schema.Struct({ ...MessageFields.replayFields, presence: optionalNullable(Schema.Boolean) }),
        reply: Schema.Struct(ChatMessages.joinReply),
    },
    history: { message: ChatMessages.ChatMessage, fromEntry: ({ payload }) => payload },
    buckets: { reads: [mediaStates.bucket], writes: readBuckets },
    client: {
        ...ChatMessages.clientEvents,
        typing_start: { payload: MessageFields.Empty },
        typing_stop: { payload: MessageFields.Empty },
        ping: { payload: MessageFields.Empty, allowGuests: true },
    },
    server: {
        ...ChatMessages.serverEvents,
        user_typing: {
            payload: Schema.Struct({ user_id: UserId, room_id: ChatRoomId, is_typing: Schema.Boolean }),
            droppable: true,
        },
        ...PresenceEvents.events,
    },
});
const typingTimeout = "3 seconds";
/** Also of direct messages (`DirectChannel`): their `room_id` is the topic. */
export const handlers = Effect.gen(function* () {
    const messages = yield* ChatMessages.make;
    const presence = yield* Presence;
    // The timeout of each typing indicator, by membership. Few users type at the same time.
    const typing = yield* FiberMap.make();
    const keyOf = (room) => `${room.socketId} ${room.topic}`;
    const broadcastTyping = (room, isTyping) => room.broadcast("user_typing", { user_id: room.identity.userId, room_id: room.params.room_id, is_typing: isTyping }, { excludeSelf: true });
    const stopTyping = (room) => Effect.suspend(() => {
        const key = keyOf(room);
        return FiberMap.hasUnsafe(typing, key)
            ? Effect.andThen(FiberMap.remove(typing, key), broadcastTyping(room, false))
            : Effect.void;
    });
    return channel.handlers(Effect.fnUntraced(function* (room, request) {
        const replay = yield* messages.replay(room, request);
        if (request.presence === true)
            yield* PresenceEvents.trackMember(presence, room, "online");
        return replay;
    }), {
        on: {
            ...messages.on,
            new_message: (room, request) => Effect.andThen(stopTyping(room), messages.on.new_message(room, request)),
            edit_message: (room, request) => Effect.andThen(stopTyping(room), messages.on.edit_message(room, request)),
            typing_start: Effect.fnUntraced(function* (room) {
                yield* broadcastTyping(room, true);
                yield* FiberMap.run(typing, keyOf(room), Effect.andThen(Effect.sleep(typingTimeout), broadcastTyping(room, false)));
            }),
            typing_stop: stopTyping,
            ping: () => Effect.void,
        },
        leave: stopTyping,
    });
});
export const layer = channel.toLayer(handlers);
