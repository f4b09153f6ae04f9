/**
 * `chat:room:{room_id}`: messages with history, typing indicators and, if the join requests it, presence.
 *
 * The id of a message is derived from its room, sender and `client_id`, so a client that lost the reply can send the
 * message again without creating a second one. A typing indicator ends 3 s after the last `typing_start`, when the user
 * sends a message, and when the membership ends.
 */
import { deriveId } from "@armoricore/domain/DeterministicId"
import { RoomId, UserId } from "@armoricore/domain/Ids"
import { optionalNullable } from "@armoricore/domain/JsonCodecs"
import { Clock, Effect, FiberMap, Schema } from "effect"
import * as Channel from "../channel/Channel.ts"
import { PublishBuffer } from "../pubsub/PublishBuffer.ts"
import { Presence } from "../presence/Presence.ts"
import * as PresenceEvents from "../presence/PresenceEvents.ts"
import { RoomLog } from "../rooms/RoomLog.ts"
import * as MessageFields from "./MessageFields.ts"

export const ChatMessage = Schema.Struct({ ...MessageFields.messageFields, room_id: RoomId })

export const channel = Channel.make({
  topic: "chat:room:{room_id}",
  params: { room_id: RoomId },
  join: {
    payload: Schema.Struct({ ...MessageFields.replayFields, presence: optionalNullable(Schema.Boolean) }),
    reply: Schema.Struct({ messages: Schema.Array(ChatMessage), ...MessageFields.replayReplyFields }),
  },
  history: { message: ChatMessage, fromEntry: ({ payload }) => payload },
  client: {
    new_message: {
      payload: Schema.Struct({ content: MessageFields.Content, client_id: optionalNullable(MessageFields.ClientId) }),
      reply: ChatMessage,
      allowBackends: true,
    },
    history: MessageFields.historyEvent(ChatMessage),
    typing_start: { payload: MessageFields.Empty },
    typing_stop: { payload: MessageFields.Empty },
    ping: { payload: MessageFields.Empty, allowGuests: true },
  },
  server: {
    new_message: { payload: ChatMessage },
    user_typing: {
      payload: Schema.Struct({ user_id: UserId, room_id: RoomId, is_typing: Schema.Boolean }),
      droppable: true,
    },
    message_removed: { payload: MessageFields.Removed },
    ...PresenceEvents.events,
  },
})

const typingTimeout = "3 seconds"

const decodeMessage = Schema.decodeUnknownEffect(ChatMessage)

const decodeEntries = MessageFields.entryDecoder(ChatMessage)

export const layer = channel.toLayer(
  Effect.gen(function* () {
    const roomLog = yield* RoomLog
    const publishBuffer = yield* PublishBuffer
    const presence = yield* Presence
    // The timeout of each typing indicator, by membership. Few users type at the same time.
    const typing = yield* FiberMap.make<string>()

    type Room = Channel.Membership<typeof channel.declaration, unknown>
    const keyOf = (room: Room) => `${room.socketId} ${room.topic}`
    const broadcastTyping = (room: Room, isTyping: boolean) =>
      room.broadcast(
        "user_typing",
        { user_id: room.identity.userId, room_id: room.params.room_id, is_typing: isTyping },
        { excludeSelf: true },
      )

    const stopTyping = (room: Room) =>
      Effect.suspend(() => {
        const key = keyOf(room)
        return FiberMap.hasUnsafe(typing, key)
          ? Effect.andThen(FiberMap.remove(typing, key), broadcastTyping(room, false))
          : Effect.void
      })

    return channel.handlers(
      Effect.fnUntraced(function* (room, request) {
        const replay = yield* roomLog.replay(room.topic, request, yield* room.awaitCapacity)
        const messages = yield* decodeEntries(replay.entries)
        if (request.presence === true) yield* PresenceEvents.trackMember(presence, room, "online")
        return { reply: { messages, ...MessageFields.replayReply(replay) }, upToSeq: replay.upToSeq }
      }),
      {
        on: {
          // Uninterruptible: a message that other clients received must also reach the bus, where moderation reads it, even
          // if the sender disconnects now.
          new_message: Effect.fnUntraced(function* (room, { content, client_id }) {
            const { userId } = room.identity
            const { room_id } = room.params
            yield* stopTyping(room)
            const id = client_id === undefined ? crypto.randomUUID() : deriveId("chat", room_id, userId, client_id)
            const timestamp = new Date(yield* Clock.currentTimeMillis).toISOString()
            const appended = yield* roomLog.append(room.topic, {
              event: "new_message",
              id,
              payload: { id, content, user_id: userId, room_id, timestamp },
            })
            const message = yield* Effect.orDie(decodeMessage(appended.payload))
            yield* publishBuffer.offer("chat.message", id, {
              message_id: id,
              room_id,
              user_id: userId,
              content: message.content,
              timestamp: message.timestamp,
            })
            return message
          }, Effect.uninterruptible),
          history: Effect.fnUntraced(function* (room, request) {
            const { entries, ...page } = yield* roomLog.history(room.topic, request, yield* room.awaitCapacity)
            return { messages: yield* decodeEntries(entries), ...page }
          }),
          typing_start: Effect.fnUntraced(function* (room) {
            yield* broadcastTyping(room, true)
            yield* FiberMap.run(
              typing,
              keyOf(room),
              Effect.andThen(Effect.sleep(typingTimeout), broadcastTyping(room, false)),
            )
          }),
          typing_stop: stopTyping,
          ping: () => Effect.void,
        },
        leave: stopTyping,
      },
    )
  }),
)
