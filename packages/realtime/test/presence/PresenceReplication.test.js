/** How a node catches up with the presence of another node that changes all the time. */
import { EventBus } from "@armoricore/bus/EventBus";
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus";
import { Cluster } from "@armoricore/realtime/cluster/Cluster";
import * as PresenceReplication from "@armoricore/realtime/presence/PresenceReplication";
import { PresenceSet } from "@armoricore/realtime/presence/PresenceSet";
import { assert, describe, it } from "@effect/vitest";
import { Context, Duration, Effect, Layer } from "effect";
import { TestClock } from "effect/testing";
const online_at = "2026-01-01T00:00:00Z";
const make = Effect.gen(function* () {
    const bus = Context.get(yield* Layer.build(MemoryBus.layer), EventBus);
    const counts = { snapshots: 0 };
    const node = Effect.gen(function* () {
        /** `isDeaf`: messages to all nodes are lost. `late`: delay of messages to this node. */
        const line = { isDeaf: false, late: Duration.zero };
        const run = Effect.runForkWith(yield* Effect.context());
        const own = {
            ...bus,
            subscribe: (address, onMessage, onGap) => bus.subscribe(address, (message) => {
                const isToAll = message.subject.endsWith("cluster.all");
                if (!isToAll && Buffer.from(message.body).includes('"entries"'))
                    counts.snapshots++;
                if (isToAll ? !line.isDeaf : Duration.isZero(line.late))
                    onMessage(message);
                else if (!isToAll)
                    run(Effect.delay(Effect.sync(() => onMessage(message)), line.late));
            }, onGap),
        };
        const cluster = yield* Layer.build(Layer.fresh(Cluster.layer())).pipe(Effect.provideService(EventBus, own));
        const set = new PresenceSet(Context.get(cluster, Cluster).node);
        const replication = yield* Effect.provideContext(PresenceReplication.make(set, {
            batchWindow: Duration.millis(50),
            onChange: Effect.void,
            onNodeLost: () => Effect.void,
        }), cluster);
        return { line, set, replication };
    });
    /** Every 10 ms one user joins and the previous one leaves. */
    const busy = ({ set, replication }, millis) => Effect.gen(function* () {
        let previous = undefined;
        for (let passed = 0; passed < millis; passed += 10) {
            const { entry, delta } = set.add("t", `u${passed}`, { status: "online", online_at });
            yield* replication.publish(delta);
            if (previous !== undefined)
                yield* replication.publish(set.remove(previous));
            previous = entry;
            yield* TestClock.adjust("10 millis");
        }
    });
    return { node, busy, counts };
});
/** `b` missed the deltas of `a` for 100 ms. */
const missing = Effect.gen(function* () {
    const { node, busy, counts } = yield* make;
    const [a, b] = [yield* node, yield* node];
    yield* busy(a, 200);
    b.line.isDeaf = true;
    yield* busy(a, 100);
    b.line.isDeaf = false;
    return { a, b, busy, counts };
});
const users = (set) => [...set.users("t").keys()];
describe("presence of a node that changes all the time", () => {
    it.effect("one snapshot closes the gap of another node, although changes are batched while it is made", () => Effect.gen(function* () {
        const { a, b, busy, counts } = yield* missing;
        // The request arrives in the middle of a batch window.
        a.line.late = Duration.millis(20);
        counts.snapshots = 0;
        yield* busy(a, 1_000);
        yield* TestClock.adjust("100 millis");
        assert.deepStrictEqual(users(b.set), users(a.set));
        assert.strictEqual(counts.snapshots, 1);
    }));
    it.effect("a slow snapshot is applied although deltas arrive before it", () => Effect.gen(function* () {
        const { a, b, busy, counts } = yield* missing;
        a.line.late = Duration.millis(20);
        b.line.late = Duration.millis(300);
        counts.snapshots = 0;
        yield* busy(a, 2_000);
        assert.isAbove(b.set.versionOf(a.set.node), a.set.versionOf(a.set.node) - 20);
        yield* TestClock.adjust("1 second");
        assert.deepStrictEqual(users(b.set), users(a.set));
        assert.isBelow(counts.snapshots, 3);
    }));
});
