/** Schemas of ids. Publishers choose the ids of users and media; Armoricore creates the ids of messages. */
import { Schema } from "effect";
import { usersOfDirectTopic } from "./DirectTopic.ts";
import { Id, UserId as UserIdCodec, Uuid } from "./JsonCodecs.ts";
/** Becomes a part of a key, subject, path or topic only through `encodeId`. */
export const UserId = UserIdCodec;
export const MediaId = Id;
export const RoomId = Id;
const isUserId = Schema.is(Schema.toType(UserId));
/** The room of chat messages: a room id, or for direct messages their topic `dm:{a}:{b}`. */
export const ChatRoomId = Schema.Union([
    RoomId,
    Schema.String.check(Schema.makeFilter((text) => usersOfDirectTopic(text)?.every((id) => isUserId(id)) === true ||
        "must be a room id, or dm:{a}:{b} with sorted user ids")),
]);
export const StreamId = Id;
export const NotificationId = Id;
export const EventId = Uuid;
