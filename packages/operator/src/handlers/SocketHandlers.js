/** Sockets and rooms: list, kick, ban. */
import { RealtimeAdmin } from "@armoricore/realtime/admin/RealtimeAdmin";
import { Effect } from "effect";
import { ActionRejected } from "../api/Errors.ts";
import { mapErrors, clampLimit } from "./Errors.ts";
const [defaultLimit, maxLimit] = [100, 1_000];
export const make = Effect.gen(function* () {
    const realtime = yield* RealtimeAdmin;
    return {
        ListRooms: ({ limit, prefix }) => Effect.map(realtime.rooms({
            limit: clampLimit(limit, defaultLimit, maxLimit),
            ...(prefix === undefined ? {} : { prefix }),
        }), ({ items, unresponsive, truncated }) => ({ rooms: items, unresponsive, truncated })),
        ListSockets: ({ limit, topic, user_id }) => Effect.map(realtime.sockets({
            limit: clampLimit(limit, defaultLimit, maxLimit),
            ...(topic === undefined ? {} : { topic }),
            ...(user_id === undefined ? {} : { userId: user_id }),
        }), ({ items, unresponsive, truncated }) => ({
            unresponsive,
            truncated,
            sockets: items.map(toOpenSocket),
        })),
        Kick: ({ reason, socket_id, topic, user_id, }) => {
            const target = user_id !== undefined ? { userId: user_id } : socket_id !== undefined ? { socketId: socket_id } : undefined;
            return target === undefined
                ? Effect.fail(new ActionRejected({ code: "invalid", path: "user_id", message: "name a user or a socket to kick" }))
                : realtime.kick(target, { reason, ...(topic === undefined ? {} : { topic }) });
        },
        /** Revoking the tokens closes the user's sockets; they receive the reason first. */
        Ban: ({ reason, user_id }) => mapErrors(Effect.gen(function* () {
            const open = yield* realtime.sockets({ userId: user_id });
            yield* realtime.ban({ userId: user_id });
            // The revocation closed the existing sockets; this closes those opened in between.
            const remaining = yield* realtime.kick({ userId: user_id }, { reason });
            return { kicked: open.items.length, unresponsive: remaining.unresponsive };
        })),
    };
});
export const toOpenSocket = ({ address, connectedAt, node, socketId, topics, userId }) => ({
    socket_id: socketId,
    user_id: userId,
    address,
    node,
    topics,
    connected_at: connectedAt,
});
