import { Context, Effect, FiberHandle, Layer, Option, Schema } from "effect";
import * as Backoff from "@armoricore/domain/Backoff";
import * as Topic from "../channel/Topic.ts";
import { Cluster } from "../cluster/Cluster.ts";
import { Endpoint } from "../socket/Endpoint.ts";
import { ReadState } from "../rooms/ReadState.ts";
import { grantOf } from "./RoomAccess.ts";
import { RoomMembers } from "./RoomMembers.ts";
import { roomIdOf, topicsOfRoom } from "./TopicRules.ts";
export class RoomMembership extends Context.Service()("@armoricore/realtime/RoomMembership") {
}
const Change = Schema.Struct({ room_id: Schema.String, user_id: Schema.String });
const kind = "rooms.member_changed";
/** The reason in `phx_close`. */
const reason = "removed";
const recheckConcurrency = 16;
export const layer = Layer.effect(RoomMembership, Effect.gen(function* () {
    const cluster = yield* Cluster;
    const endpoint = yield* Endpoint;
    const members = yield* RoomMembers;
    const readState = yield* ReadState;
    const run = Effect.runForkWith(yield* Effect.context());
    /** Compares one membership with the stored member. Returns 1 if it was ended. */
    const recheck = Effect.fnUntraced(function* (socket, topic, roomId) {
        if (socket.grantOf(topic)?.isByMembership !== true)
            return 0;
        const member = yield* members.find(roomId, socket.identity.userId);
        if (Option.isSome(member)) {
            socket.setGrant(topic, grantOf(member.value));
            return 0;
        }
        return socket.kickFrom(topic, reason) ? 1 : 0;
    });
    const applyChange = Effect.fnUntraced(function* (roomId, userId) {
        members.onChange();
        let ended = 0;
        for (const socket of endpoint.sockets()) {
            if (socket.identity.userId !== userId)
                continue;
            for (const topic of topicsOfRoom(roomId))
                ended += yield* recheck(socket, topic, roomId);
        }
        return ended;
    });
    const recheckAll = Effect.suspend(() => {
        members.onChange();
        return Effect.forEach(endpoint.sockets().flatMap((socket) => socket.topics().flatMap((topic) => {
            const roomId = roomIdOf(topic);
            return roomId === undefined ? [] : [{ socket, topic, roomId }];
        })), ({ roomId, socket, topic }) => recheck(socket, topic, roomId), { concurrency: recheckConcurrency, discard: true });
    }).pipe(Effect.tapError((error) => Effect.logWarning("the members of rooms could not be compared; trying again", error)), Effect.retry(Backoff.capped("250 millis", "5 seconds")), Effect.orDie);
    const rechecking = yield* FiberHandle.make();
    yield* cluster.onReconnect(() => run(FiberHandle.run(rechecking, recheckAll)));
    yield* cluster.on(kind, Change, (message) => {
        const { room_id, user_id } = message.value;
        run(applyChange(room_id, user_id).pipe(Effect.map((ended) => message.reply(ended)), Effect.catch((error) => 
        // Without a reply the caller reports this node, and the comparison of all members repeats until it succeeds.
        Effect.andThen(Effect.logWarning("a change of the members of a room could not be applied", error), FiberHandle.run(rechecking, recheckAll)))));
    });
    const announce = Effect.fnUntraced(function* (roomId, userId) {
        const others = cluster.requestAll(kind, { room_id: roomId, user_id: userId }, Schema.Int);
        const [ended, { replies, unresponsive }] = yield* Effect.all([applyChange(roomId, userId), others], {
            concurrency: 2,
        });
        return { ended: replies.reduce((sum, { value }) => sum + value, ended), unresponsive };
    });
    return {
        put: Effect.fn("RoomMembership.put")(function* (roomId, userId, role) {
            const member = yield* members.put(roomId, userId, role);
            yield* announce(roomId, userId);
            yield* readState.track(Topic.chatRoom(roomId), userId);
            return member;
        }),
        remove: Effect.fn("RoomMembership.remove")(function* (roomId, userId) {
            const removed = yield* members.remove(roomId, userId);
            const announced = yield* announce(roomId, userId);
            yield* readState.untrack(Topic.chatRoom(roomId), userId);
            return { removed, ...announced };
        }),
        list: members.list,
    };
}));
