/** The viewer count over several nodes that lose messages. */
import { EventBus } from "@armoricore/bus/EventBus";
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus";
import { Cluster } from "@armoricore/realtime/cluster/Cluster";
import * as ClusterTopics from "@armoricore/realtime/cluster/ClusterTopics";
import { Topics } from "@armoricore/realtime/pubsub/Topics";
import * as ViewerCount from "@armoricore/realtime/pubsub/ViewerCount";
import { assert, describe, it } from "@effect/vitest";
import { Context, Effect, Layer } from "effect";
import { TestClock } from "effect/testing";
const topic = "comments:stream:s";
const make = Effect.gen(function* () {
    const bus = Context.get(yield* Layer.build(MemoryBus.layer), EventBus);
    /** A node that may lose its outgoing messages. */
    const node = Effect.gen(function* () {
        const line = { isLossy: false };
        const status = "connected";
        const own = {
            ...bus,
            broadcast: (...message) => (line.isLossy ? Effect.void : bus.broadcast(...message)),
            status: Effect.succeed(status),
        };
        const services = yield* Layer.build(Layer.fresh(ClusterTopics.layer).pipe(Layer.provideMerge(Layer.fresh(Cluster.layer())), Layer.provide(Layer.succeed(EventBus, own))));
        const topics = Context.get(services, Topics);
        const shown = [];
        const viewers = yield* Effect.provideContext(ViewerCount.make((_, count) => shown.push(count())), services);
        return {
            line,
            shown,
            come: Effect.suspend(() => {
                const one = { receive: () => { } };
                topics.subscribe(topic, one);
                return Effect.as(viewers.update(topic), one);
            }),
            go: (one) => Effect.suspend(() => {
                topics.unsubscribe(topic, one);
                return viewers.update(topic);
            }),
        };
    });
    return { node };
});
describe("viewers over nodes", () => {
    it.effect("a node's count expires if the message about its last viewer leaving was lost", () => Effect.gen(function* () {
        const { node } = yield* make;
        const [a, b] = [yield* node, yield* node];
        yield* a.come;
        const other = yield* b.come;
        yield* TestClock.adjust("5 seconds");
        assert.deepStrictEqual([a.shown.at(-1), b.shown.at(-1)], [2, 2]);
        b.line.isLossy = true;
        yield* b.go(other);
        yield* TestClock.adjust("3 seconds");
        b.line.isLossy = false;
        assert.strictEqual(a.shown.at(-1), 2);
        yield* TestClock.adjust("61 seconds");
        assert.strictEqual(a.shown.at(-1), 1);
        // A viewer that stays does not expire.
        yield* b.come;
        yield* TestClock.adjust("10 minutes");
        assert.deepStrictEqual([a.shown.at(-1), b.shown.at(-1)], [2, 2]);
    }));
});
