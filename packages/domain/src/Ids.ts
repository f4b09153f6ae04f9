/** Schemas of ids. Publishers choose the ids of users and media; Armoricore creates the ids of messages. */
import { Schema } from "effect"
import { usersOfDirectTopic } from "./DirectTopic.ts"
import { Id, UserId as UserIdCodec, Uuid } from "./JsonCodecs.ts"

/** Becomes a part of a key, subject, path or topic only through `encodeId`. */
export const UserId = UserIdCodec
export type UserId = typeof UserId.Type

export const MediaId = Id
export type MediaId = typeof MediaId.Type

export const RoomId = Id
export type RoomId = typeof RoomId.Type

const isUserId = Schema.is(Schema.toType(UserId))

/** The room of chat messages: a room id, or for direct messages their topic `dm:{a}:{b}`. */
export const ChatRoomId = Schema.Union([
  RoomId,
  Schema.String.check(
    Schema.makeFilter(
      (text: string) =>
        usersOfDirectTopic(text)?.every((id) => isUserId(id)) === true ||
        "must be a room id, or dm:{a}:{b} with sorted user ids",
    ),
  ),
])
export type ChatRoomId = typeof ChatRoomId.Type

export const StreamId = Id
export type StreamId = typeof StreamId.Type

export const NotificationId = Id
export type NotificationId = typeof NotificationId.Type

export const EventId = Uuid
export type EventId = typeof EventId.Type
