/** Open sockets and the topics they joined, over all nodes. */
import { UserId } from "@armoricore/domain/Ids";
import { Schema } from "effect";
export const Room = Schema.Struct({
    topic: Schema.String,
    members: Schema.Finite,
    nodes: Schema.Array(Schema.String),
});
export const OpenSocket = Schema.Struct({
    socket_id: Schema.String,
    user_id: Schema.String,
    address: Schema.String,
    node: Schema.String,
    topics: Schema.Array(Schema.String),
    /** RFC 3339. */
    connected_at: Schema.String,
});
const partialResult = {
    /** More exist than were requested. */
    truncated: Schema.Boolean,
    /** Nodes that did not respond in time: their sockets are missing. */
    unresponsive: Schema.Array(Schema.String),
};
export const Rooms = Schema.Struct({ rooms: Schema.Array(Room), ...partialResult });
export const Sockets = Schema.Struct({ sockets: Schema.Array(OpenSocket), ...partialResult });
export const RoomFilter = {
    prefix: Schema.optionalKey(Schema.String),
    /** Maximum topics, largest first; default 100, at most 1,000. */
    limit: Schema.optionalKey(Schema.Int),
};
export const SocketFilter = {
    user_id: Schema.optionalKey(UserId),
    topic: Schema.optionalKey(Schema.String),
    /** Default 100, at most 1,000. */
    limit: Schema.optionalKey(Schema.Int),
};
const reason = Schema.String.check(Schema.isMaxLength(200));
/** A user or one socket. With a topic only from that topic, otherwise the sockets are closed. */
export const Kick = {
    user_id: Schema.optionalKey(UserId),
    socket_id: Schema.optionalKey(Schema.String),
    topic: Schema.optionalKey(Schema.String),
    /** Sent to the client. */
    reason,
};
export const Kicked = Schema.Struct({
    kicked: Schema.Finite,
    unresponsive: Schema.Array(Schema.String),
});
/** Invalidates every token of this user issued until now. */
export const Ban = { user_id: UserId, reason };
