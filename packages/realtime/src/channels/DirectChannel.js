/**
 * `dm:{a}:{b}`: the direct messages of two users, which only they may join (`JoinPolicy`). Events and replies are those of a
 * chat room, whose `room_id` is the topic. `DirectTopic.ts` of the domain has the form of the ids.
 */
import { ChatRoomId } from "@armoricore/domain/Ids";
import { Schema, SchemaTransformation } from "effect";
import * as Channel from "../channel/Channel.ts";
import * as ChatChannel from "./ChatChannel.ts";
const prefix = "dm:";
/** `a:b` of the topic as the room id `dm:a:b`. */
const RoomIdFromTopic = Schema.String.pipe(Schema.decodeTo(Schema.toType(ChatRoomId), SchemaTransformation.transform({
    decode: (text) => prefix + text,
    encode: (roomId) => roomId.slice(prefix.length),
})));
export const channel = Channel.make({
    ...ChatChannel.channel.declaration,
    topic: "dm:{room_id}",
    params: { room_id: RoomIdFromTopic },
});
export const layer = channel.toLayer(ChatChannel.handlers);
