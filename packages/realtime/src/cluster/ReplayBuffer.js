/**
 * Replay of recent broadcasts that are in no history (for example a removal by moderation) to a node that was partitioned:
 * on its reconnect it requests them from all other nodes, and delivers those that it had not received.
 */
import { Clock, Effect, Schema } from "effect";
import * as MonotonicClock from "@armoricore/worker/MonotonicClock";
import { Cluster, allNodes } from "./Cluster.ts";
const kinds = { missed: "rooms.missed", recent: "rooms.recent" };
/** A longer partition loses older broadcasts; clients notice it by their own reconnects. */
const maxRecorded = 1000;
const maxAgeMillis = 10 * 60_000;
const maxSeen = 10_000;
const Recent = Schema.Array(Schema.Struct({
    id: Schema.Int,
    topic: Schema.String,
    event: Schema.String,
    payload: Schema.Record(Schema.String, Schema.Unknown),
    subtopic: Schema.optionalKey(Schema.String),
}));
export const make = Effect.fnUntraced(function* (deliver) {
    const cluster = yield* Cluster;
    const clock = yield* Clock.Clock;
    const run = Effect.runForkWith(yield* Effect.context());
    const recorded = new Map();
    const seen = new Set();
    const markSeen = (node, id) => {
        const key = `${node} ${id}`;
        if (seen.has(key))
            return false;
        seen.add(key);
        const [oldest] = seen;
        if (seen.size > maxSeen && oldest !== undefined)
            seen.delete(oldest);
        return true;
    };
    yield* cluster.on(kinds.missed, Schema.Null, ({ from }) => {
        const since = MonotonicClock.millis(clock) - maxAgeMillis;
        const recent = Array.from(recorded, ([id, { at, broadcast }]) => ({ id, at, ...broadcast }))
            // A binary payload has no JSON form and is not replayed.
            .filter(({ at, payload }) => at > since && !(payload instanceof Uint8Array))
            .map(({ id, topic, event, payload, subtopic }) => ({
            id,
            topic,
            event,
            payload,
            ...(subtopic === undefined ? {} : { subtopic }),
        }));
        if (recent.length > 0)
            run(cluster.send(from, kinds.recent, recent));
    });
    yield* cluster.on(kinds.recent, Recent, ({ from, value }) => {
        for (const { id, topic, event, payload, subtopic } of value)
            if (markSeen(from, id))
                deliver({ topic, event, payload, subtopic });
    });
    yield* cluster.onReconnect(() => void run(cluster.send(allNodes, kinds.missed, null)));
    return {
        record: (id, broadcast) => {
            recorded.set(id, { broadcast, at: MonotonicClock.millis(clock) });
            const [oldest] = recorded.keys();
            if (recorded.size > maxRecorded && oldest !== undefined)
                recorded.delete(oldest);
        },
        markSeen,
    };
});
