/**
 * The messages of a chat room: what a channel declares for them, and the handlers. `ChatChannel` uses both for
 * `chat:room:{room_id}`; another channel of conversations can use them for its own topics.
 *
 * - The id of a message derives from its room, sender and `client_id`, so a client that lost the reply can send the message
 *   again without creating a second one.
 * - Sending is uninterruptible: a message that other clients received must also reach the bus, where moderation reads it, even
 *   if the sender disconnects now.
 */
import type { Identity } from "@armoricore/auth/Identity"
import { deriveId } from "@armoricore/domain/DeterministicId"
import { usersOfDirectTopic } from "@armoricore/domain/DirectTopic"
import { UserId } from "@armoricore/domain/Ids"
import { Metadata, NonNegativeIntFromJson, optionalNullable } from "@armoricore/domain/JsonCodecs"
import { Clock, Effect, Schema } from "effect"
import * as Topic from "../channel/Topic.ts"
import { PublishBuffer } from "../pubsub/PublishBuffer.ts"
import * as Reactors from "../rooms/Reactors.ts"
import { ReadState } from "../rooms/ReadState.ts"
import { type HistoryRequest, type LogEntry, type ReplayRequest, RoomLog } from "../rooms/RoomLog.ts"
import * as Attachments from "./Attachments.ts"
import * as MessageActions from "./MessageActions.ts"
import * as MessageFields from "./MessageFields.ts"

export const ChatMessage = Schema.Struct({
  ...MessageFields.messageFields,
  room_id: Schema.String,
  reply_to: Schema.optionalKey(Schema.String),
  mentions: Schema.optionalKey(Schema.Array(UserId)),
  metadata: Schema.optionalKey(Metadata),
  attachments: Schema.optionalKey(Schema.Array(Attachments.Attachment)),
  ...MessageActions.changedFields,
})
export type ChatMessage = typeof ChatMessage.Type

export const joinReply = {
  messages: Schema.Array(ChatMessage),
  ...MessageFields.replayReplyFields,
  ...MessageFields.changeFields,
}

export const clientEvents = {
  new_message: {
    payload: Schema.Struct({
      content: MessageFields.Content,
      client_id: optionalNullable(MessageFields.ClientId),
      ...MessageFields.newMessageFields,
    }),
    reply: ChatMessage,
    allowBackends: true,
  },
  ...MessageActions.clientEvents(ChatMessage),
  mark_read: {
    payload: Schema.Struct({ seq: NonNegativeIntFromJson }),
    /** The position after it, never behind the last message. */
    reply: Schema.Struct({ seq: Schema.Int }),
  },
  read_state: {
    payload: MessageFields.Empty,
    /** The last read `seq` by user id. `listed: false`: the room has more readers than are listed. */
    reply: Schema.Struct({ users: Schema.Record(Schema.String, Schema.Int), listed: Schema.Boolean }),
  },
  history: MessageFields.historyEvent(ChatMessage),
}

export const serverEvents = {
  new_message: { payload: ChatMessage },
  message_edited: { payload: Schema.Struct({ ...ChatMessage.fields, rev: MessageFields.rev }) },
  message_removed: { payload: MessageFields.Removed },
  reactions: MessageActions.reactionsEvent,
  read: { payload: Schema.Struct({ user_id: UserId, seq: Schema.Int }), droppable: true },
}

/** The part of a membership that the handlers use. */
export interface Member extends MessageActions.Member {
  readonly awaitCapacity: Effect.Effect<number>
}

type Request<E extends keyof typeof clientEvents> = (typeof clientEvents)[E]["payload"]["Type"]

const decodeMessage = Schema.decodeUnknownEffect(ChatMessage)

const decodeEntries = MessageFields.entryDecoder(ChatMessage)

export const make = Effect.gen(function* () {
  const roomLog = yield* RoomLog
  const readState = yield* ReadState
  const publishBuffer = yield* PublishBuffer
  const attachments = yield* Attachments.make

  /** The messages of these entries as one reader sees them; readers share an array in which nothing depends on them. */
  const toMessages = Effect.fnUntraced(function* (entries: ReadonlyArray<LogEntry>, reader: Identity) {
    const messages = yield* decodeEntries(entries)
    const isShared = entries.every(
      ({ payload, reactors }) => reactors === undefined && payload["attachments"] === undefined,
    )
    if (isShared) return messages
    const mediaIds = messages.flatMap((message) => message.attachments?.map(({ media_id }) => media_id) ?? [])
    const states = mediaIds.length === 0 ? undefined : yield* attachments.statesOf(mediaIds)
    return messages.map((message, index) => {
      const own = Reactors.own(entries[index]?.reactors, reader.userId)
      if (own.length === 0 && message.attachments === undefined) return message
      return {
        ...message,
        ...(own.length === 0 ? {} : { own_reactions: own }),
        ...(message.attachments === undefined || states === undefined
          ? {}
          : {
              attachments: message.attachments.map(({ media_id }) =>
                attachments.view(states, media_id, reader, message.user_id),
              ),
            }),
      } satisfies ChatMessage
    })
  })

  /** In the history of each mentioned user, so that those who are offline get it when they join. */
  const notifyMentioned = (topic: string, message: ChatMessage) =>
    Effect.forEach(
      new Set(message.mentions ?? []),
      (userId) =>
        userId === message.user_id
          ? Effect.void
          : roomLog
              .append(Topic.user(userId), {
                event: "mentioned",
                id: deriveId("mention", message.id, userId),
                payload: {
                  topic,
                  room_id: message.room_id,
                  message_id: message.id,
                  message_seq: message.seq,
                  user_id: message.user_id,
                  timestamp: message.timestamp,
                },
              })
              .pipe(
                // The message with the mention is the first unread one.
                Effect.andThen(readState.track(topic, userId, Math.max(0, message.seq - 1))),
                Effect.catch((error) =>
                  Effect.logWarning(`cannot notify ${userId} of a mention on ${topic}: ${error.message}`),
                ),
              ),
      { discard: true, concurrency: 8 },
    )

  /** Both are members: the receiver gets `unread` without having opened the conversation. */
  const trackDirect = (topic: string, users: ReadonlyArray<string>) =>
    Effect.catch(readState.trackAll(topic, users), (error) =>
      Effect.logWarning(`cannot put ${topic} on the lists of its users: ${error.message}`),
    )

  const send = Effect.fnUntraced(function* (room: Member, request: Request<"new_message">) {
    const { attachments: mediaIds = [], client_id, content, mentions = [], metadata, reply_to } = request
    const { userId } = room.identity
    const room_id = Topic.roomIdOf(room.topic)
    const attached = mediaIds.length === 0 ? [] : yield* attachments.forMessage(room.identity, [...new Set(mediaIds)])
    const id = client_id === undefined ? crypto.randomUUID() : deriveId("chat", room_id, userId, client_id)
    const timestamp = new Date(yield* Clock.currentTimeMillis).toISOString()
    const extra = {
      ...(reply_to === undefined ? {} : { reply_to }),
      ...(mentions.length === 0 ? {} : { mentions: [...new Set(mentions)] }),
      ...(metadata === undefined ? {} : { metadata }),
    }
    const direct = usersOfDirectTopic(room.topic)
    if (direct !== undefined) yield* trackDirect(room.topic, direct)
    const appended = yield* roomLog.append(room.topic, {
      event: "new_message",
      id,
      payload: {
        id,
        content,
        user_id: userId,
        room_id,
        timestamp,
        ...extra,
        ...(attached.length === 0 ? {} : { attachments: attached }),
      },
    })
    const message = yield* Effect.orDie(decodeMessage(appended.payload))
    yield* publishBuffer.offer("chat.message", id, {
      message_id: id,
      room_id,
      user_id: userId,
      content: message.content,
      timestamp: message.timestamp,
      ...(message.reply_to === undefined ? {} : { reply_to: message.reply_to }),
      ...(message.mentions === undefined ? {} : { mentions: message.mentions }),
      ...(message.metadata === undefined ? {} : { metadata: message.metadata }),
      ...(message.attachments === undefined
        ? {}
        : { attachments: message.attachments.map(({ media_id }) => media_id) }),
    })
    if (message.mentions !== undefined) yield* notifyMentioned(room.topic, message)
    readState.noteSent(room.topic, userId, message.seq)
    yield* readState.onMessage(room.topic)
    return message
  }, Effect.uninterruptible)

  const actions = yield* MessageActions.make<ChatMessage>({
    removedEvent: "message_removed",
    toMessage: (entry, reader) =>
      Effect.flatMap(toMessages([entry], reader), ([message]) =>
        message === undefined ? Effect.die(new Error("one entry is one message")) : Effect.succeed(message),
      ),
    onEdited: ({ content, id, room_id, user_id }, { at, by }) =>
      publishBuffer.offer("chat.edited", `${id} ${crypto.randomUUID()}`, {
        message_id: id,
        room_id,
        user_id,
        content,
        timestamp: at,
        edited_by: by,
      }),
    onRemoved: ({ id, room_id, user_id }, { at, by, reason }) =>
      publishBuffer.offer("chat.removed", id, {
        message_id: id,
        room_id,
        user_id,
        reason,
        timestamp: at,
        removed_by: by,
      }),
  })

  return {
    /** The messages of a join reply, and its `upToSeq`. */
    replay: Effect.fnUntraced(function* (room: Member, request: ReplayRequest) {
      const replay = yield* roomLog.replay(room.topic, request, yield* room.awaitCapacity)
      const messages = yield* toMessages(replay.entries, room.identity)
      const reply = { messages, ...MessageFields.replayReply(replay), ...MessageFields.changesOf(replay) }
      return { reply, upToSeq: replay.upToSeq }
    }),
    on: {
      ...actions,
      new_message: send,
      mark_read: Effect.fnUntraced(function* (room: Member, { seq }: Request<"mark_read">) {
        return { seq: yield* readState.markRead(room.topic, room.identity.userId, seq) }
      }),
      read_state: Effect.fnUntraced(function* (room: Member) {
        const users = yield* readState.ofRoom(room.topic)
        return { users: users ?? {}, listed: users !== undefined }
      }),
      history: Effect.fnUntraced(function* (room: Member, request: HistoryRequest) {
        const page = yield* roomLog.history(room.topic, request, yield* room.awaitCapacity)
        const messages = yield* toMessages(page.entries, room.identity)
        return { messages, ...MessageFields.pageReply(page) }
      }),
    },
  }
})
