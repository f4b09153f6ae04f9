/**
 * Replicates presence between nodes. Changes of a short window are published as one delta, so the number of messages does
 * not depend on the size of rooms; every heartbeat carries the version; a node that missed a delta requests a snapshot from
 * its owner. When a node leaves or is lost, its entries are removed.
 */
import { PresenceStatus } from "@armoricore/domain/events/realtime";
import { Effect, FiberSet, Schedule, Schema } from "effect";
import { Cluster, allNodes } from "../cluster/Cluster.ts";
import { combine } from "./PresenceSet.ts";
const Meta = Schema.Struct({
    phx_ref: Schema.String,
    phx_ref_prev: Schema.optionalKey(Schema.String),
    status: PresenceStatus,
    online_at: Schema.String,
});
const Entries = Schema.Array(Schema.Struct({ topic: Schema.String, key: Schema.String, meta: Meta }));
const DeltaMessage = Schema.Struct({
    node: Schema.String,
    from: Schema.Int,
    to: Schema.Int,
    joins: Entries,
    leaves: Entries,
});
const SnapshotMessage = Schema.Struct({ node: Schema.String, version: Schema.Int, entries: Entries });
const Version = Schema.Int;
const kinds = { delta: "presence.delta", snapshot: "presence.snapshot" };
/** Deltas that wait for a requested snapshot. */
const maxPendingDeltas = 1000;
export const make = Effect.fnUntraced(function* (set, options) {
    const cluster = yield* Cluster;
    if (!cluster.isClustered)
        return { publish: () => Effect.void };
    const fibers = yield* FiberSet.make();
    const fork = yield* FiberSet.runtime(fibers)();
    const run = Effect.runForkWith(yield* Effect.context());
    /** By node, for nodes with a requested snapshot. */
    const pendingDeltas = new Map();
    let outgoing = [];
    /** The changes of the window as one delta. */
    const takeOutgoing = () => {
        const delta = combine(outgoing);
        outgoing = [];
        return delta;
    };
    const send = (delta) => delta === undefined ? Effect.void : cluster.send(allNodes, kinds.delta, delta);
    const flush = Effect.andThen(Effect.sleep(options.batchWindow), Effect.suspend(() => send(takeOutgoing())));
    /** False if a delta after the snapshot is missing. */
    const restore = (node, snapshot) => {
        set.restore(snapshot);
        const pending = pendingDeltas.get(node) ?? [];
        const gapIndex = pending.findIndex((delta) => set.merge(delta) === "gap");
        pendingDeltas.set(node, gapIndex === -1 ? [] : pending.slice(gapIndex));
        return gapIndex === -1;
    };
    const fetchSnapshot = (node) => Effect.gen(function* () {
        const snapshot = yield* cluster.request(node, kinds.snapshot, null, SnapshotMessage);
        if (snapshot === undefined || snapshot.node !== node)
            return yield* Effect.fail("no reply");
        // The node left after its reply: its entries are removed already.
        if (!cluster.otherNodes().includes(node))
            return;
        const isComplete = restore(node, snapshot);
        yield* options.onChange;
        if (!isComplete)
            return yield* Effect.fail("a later delta is missing");
    }).pipe(
    // After the last attempt, the node's next heartbeat starts another fetch.
    Effect.retry({ schedule: Schedule.spaced("1 second"), times: 3 }), Effect.ignore, Effect.ensuring(Effect.sync(() => pendingDeltas.delete(node))));
    /** Deltas wait until the snapshot arrives; a second request would only delay it. */
    const requestSnapshot = (node) => {
        if (pendingDeltas.has(node))
            return;
        pendingDeltas.set(node, []);
        fork(fetchSnapshot(node));
    };
    const merge = (delta) => {
        if (set.merge(delta) !== "gap")
            return;
        requestSnapshot(delta.node);
        const pending = pendingDeltas.get(delta.node);
        if (pending !== undefined && pending.length < maxPendingDeltas)
            pending.push(delta);
    };
    yield* cluster.on(kinds.delta, DeltaMessage, ({ from, value }) => {
        if (value.node !== from)
            return;
        merge(value);
        run(options.onChange);
    });
    yield* cluster.on(kinds.snapshot, Schema.Unknown, ({ reply }) => {
        // The snapshot includes the window's changes. A later delta that starts before it would be a gap for its receiver.
        run(send(takeOutgoing()));
        reply(set.snapshot());
    });
    yield* cluster.onHeartbeat("presence", Version, 
    // Changes of the open window are not published yet, so no node misses them.
    () => outgoing[0]?.from ?? set.versionOf(set.node), (node, version) => {
        if (version > set.versionOf(node))
            requestSnapshot(node);
    });
    yield* cluster.onNodeChange((change, node) => {
        if (change === "joined")
            return;
        const entries = set.drop(node);
        run(Effect.andThen(options.onChange, change === "lost" ? options.onNodeLost(node, entries) : Effect.void));
    });
    return {
        publish: (delta) => Effect.suspend(() => {
            outgoing.push(delta);
            return outgoing.length === 1 ? Effect.asVoid(FiberSet.run(fibers, flush)) : Effect.void;
        }),
    };
});
