/** Names of the topics that the built-in channels declare. */
import { isDirectTopic } from "@armoricore/domain/DirectTopic";
export const user = (userId) => `user:${userId}`;
export const inbox = (userId) => `inbox:${userId}`;
export const media = (mediaId) => `media:${mediaId}`;
/** The `room_id` of direct messages is their topic. */
export const chatRoom = (roomId) => (isDirectTopic(roomId) ? roomId : `chat:room:${roomId}`);
export const commentStream = (streamId) => `comments:stream:${streamId}`;
const roomPrefixes = ["chat:room:", "comments:stream:"];
/** The id of a room or stream; other topics are their own id. */
export const roomIdOf = (topic) => {
    const prefix = roomPrefixes.find((candidate) => topic.startsWith(candidate)) ?? "";
    return topic.slice(prefix.length);
};
