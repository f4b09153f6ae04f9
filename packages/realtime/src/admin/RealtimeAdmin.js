/**
 * Queries and actions of operators: open sockets, rooms, kick and ban. Each runs on every node; the result names the nodes
 * that did not reply in time.
 */
import { Revocations } from "@armoricore/auth/Revocations";
import { Context, Effect, Layer, Schema } from "effect";
import { AuthorizeHook } from "../access/AuthorizeHook.ts";
import { Cluster } from "../cluster/Cluster.ts";
import { Endpoint } from "../socket/Endpoint.ts";
export class RealtimeAdmin extends Context.Service()("@armoricore/realtime/RealtimeAdmin") {
}
const defaultLimit = 1000;
const Sockets = Schema.Struct({
    items: Schema.Array(Schema.Struct({
        socketId: Schema.String,
        userId: Schema.String,
        address: Schema.String,
        node: Schema.String,
        topics: Schema.Array(Schema.String),
        connectedAt: Schema.String,
    })),
    truncated: Schema.Boolean,
});
const SocketQuery = Schema.Struct({
    userId: Schema.optionalKey(Schema.String),
    topic: Schema.optionalKey(Schema.String),
    limit: Schema.Int,
});
const Rooms = Schema.Array(Schema.Struct({ topic: Schema.String, members: Schema.Int }));
const RoomQuery = Schema.Struct({ prefix: Schema.String });
const KickCommand = Schema.Struct({
    userId: Schema.optionalKey(Schema.String),
    socketId: Schema.optionalKey(Schema.String),
    reason: Schema.String,
    topic: Schema.optionalKey(Schema.String),
});
export const layer = Layer.effect(RealtimeAdmin, Effect.gen(function* () {
    const endpoint = yield* Endpoint;
    const revocations = yield* Revocations;
    const hook = yield* AuthorizeHook;
    const run = Effect.runForkWith(yield* Effect.context());
    const { node } = yield* Cluster;
    const nodes = yield* queryAllNodes("operator.nodes", Schema.Null, Schema.Int, endpoint.size);
    const sockets = yield* queryAllNodes("operator.sockets", SocketQuery, Sockets, ({ limit, ...filter }) => {
        const selected = endpoint.sockets().filter(matches(filter));
        return {
            items: selected.slice(0, limit).map((socket) => toSocketInfo(node, socket)),
            truncated: selected.length > limit,
        };
    });
    const rooms = yield* queryAllNodes("operator.rooms", RoomQuery, Rooms, ({ prefix }) => Array.from(countByTopic(endpoint.sockets(), prefix), ([topic, members]) => ({ topic, members })));
    const kick = yield* queryAllNodes("operator.kick", KickCommand, Schema.Int, ({ userId, socketId, reason, topic }) => {
        let kicked = 0;
        // A cached answer would let the user in again.
        if (userId !== undefined)
            run(hook.forget(userId, topic));
        for (const socket of endpoint.sockets()) {
            if (userId === undefined ? socket.id !== socketId : socket.identity.userId !== userId)
                continue;
            if (topic === undefined)
                socket.kick(reason);
            else if (!socket.kickFrom(topic, reason))
                continue;
            kicked++;
        }
        return kicked;
    });
    return {
        nodes: Effect.map(nodes(null), ({ replies, unresponsive }) => ({
            items: replies.map(({ node: name, value }) => ({ node: name, sockets: value })),
            truncated: false,
            unresponsive,
        })).pipe(Effect.withSpan("RealtimeAdmin.nodes")),
        sockets: Effect.fn("RealtimeAdmin.sockets")(function* ({ limit = defaultLimit, ...filter } = {}) {
            const { replies, unresponsive } = yield* sockets({ ...filter, limit });
            const items = replies.flatMap(({ value }) => value.items);
            items.sort((a, b) => (a.connectedAt < b.connectedAt ? -1 : a.connectedAt > b.connectedAt ? 1 : 0));
            const truncated = items.length > limit || replies.some(({ value }) => value.truncated);
            return { items: items.slice(0, limit), truncated, unresponsive };
        }),
        rooms: Effect.fn("RealtimeAdmin.rooms")(function* ({ prefix = "", limit = defaultLimit } = {}) {
            const { replies, unresponsive } = yield* rooms({ prefix });
            const all = new Map();
            for (const { node: name, value } of replies) {
                for (const { topic, members } of value) {
                    const room = all.get(topic) ?? { topic, members: 0, nodes: [] };
                    all.set(topic, room);
                    room.members += members;
                    room.nodes.push(name);
                }
            }
            const items = [...all.values()].sort((a, b) => b.members - a.members);
            return { items: items.slice(0, limit), truncated: items.length > limit, unresponsive };
        }),
        kick: Effect.fn("RealtimeAdmin.kick")(function* (target, options) {
            const { replies, unresponsive } = yield* kick({ ...target, ...options });
            return { kicked: replies.reduce((sum, { value }) => sum + value, 0), unresponsive };
        }),
        // Has the span `Revocations.revoke`.
        ban: revocations.revoke,
    };
}));
/** Registers a query that runs on every node, and returns the call that gathers the replies, this node's own included. */
const queryAllNodes = (kind, request, reply, runLocally) => Effect.gen(function* () {
    const cluster = yield* Cluster;
    yield* cluster.on(kind, request, (message) => message.reply(runLocally(message.value)));
    return (value) => Effect.map(cluster.requestAll(kind, value, reply), ({ replies, unresponsive }) => ({
        replies: [{ node: cluster.node, value: runLocally(value) }, ...replies],
        unresponsive,
    }));
});
const matches = ({ userId, topic }) => (socket) => (userId === undefined || socket.identity.userId === userId) &&
    (topic === undefined || socket.topics().includes(topic));
const toSocketInfo = (node, socket) => ({
    socketId: socket.id,
    userId: socket.identity.userId,
    address: socket.lease.address.key,
    node,
    topics: socket.topics(),
    connectedAt: new Date(socket.openedAt).toISOString(),
});
const countByTopic = (sockets, prefix) => {
    const rooms = new Map();
    for (const socket of sockets) {
        for (const topic of socket.topics())
            if (topic.startsWith(prefix))
                rooms.set(topic, (rooms.get(topic) ?? 0) + 1);
    }
    return rooms;
};
