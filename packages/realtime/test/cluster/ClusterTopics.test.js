import * as Address from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus";
import { TransientError } from "@armoricore/domain/Errors";
import { Cluster } from "@armoricore/realtime/cluster/Cluster";
import * as ClusterTopics from "@armoricore/realtime/cluster/ClusterTopics";
import * as BroadcastMessage from "@armoricore/realtime/cluster/BroadcastMessage";
import { Topics } from "@armoricore/realtime/pubsub/Topics";
import { assert, describe, it } from "@effect/vitest";
import { Context, Effect, Layer } from "effect";
import { eventually } from "@armoricore/testing/Eventually";
const away = new TransientError({ dependency: "bus", code: "unavailable", message: "cut off" });
/** A node whose connection fails with every broadcast from the `failing`-th on. */
const cutNode = Effect.gen(function* () {
    const bus = Context.get(yield* Layer.build(MemoryBus.layer), EventBus);
    const alone = Context.get(yield* Layer.build(Cluster.layerSingleNode), Cluster);
    const state = { isConnected: false, failing: Infinity, sent: 0 };
    const listeners = [];
    const cluster = Cluster.of({
        ...alone,
        isClustered: true,
        isConnected: () => state.isConnected,
        onReconnect: (listener) => Effect.sync(() => void listeners.push(listener)),
    });
    const received = [];
    yield* bus.subscribe(Address.ephemeral("room.t"), ({ body }) => {
        received.push(BroadcastMessage.decode(body)?.event ?? "");
    });
    const line = EventBus.of({
        ...bus,
        broadcast: (address, body, headers) => Effect.suspend(() => (++state.sent >= state.failing ? Effect.fail(away) : bus.broadcast(address, body, headers))),
    });
    const topics = yield* Layer.build(ClusterTopics.layer.pipe(Layer.provide([Layer.succeed(Cluster, cluster), Layer.succeed(EventBus, line)])));
    const reconnect = Effect.sync(() => {
        for (const listener of listeners)
            listener();
    });
    return { received, state, reconnect, topics: Context.get(topics, Topics) };
});
describe("topics of a partitioned node", () => {
    it.live("buffered broadcasts survive a second disconnect while they are published", () => Effect.gen(function* () {
        const { received, reconnect, state, topics } = yield* cutNode;
        // regression: a disconnect in the middle of the republish lost the rest of the buffer
        for (const event of ["a", "b", "c"])
            yield* topics.broadcast("t", event, {});
        Object.assign(state, { isConnected: true, failing: 2 });
        yield* reconnect;
        yield* eventually(() => state.sent === 3);
        assert.deepStrictEqual(received, ["a"]);
        state.failing = Infinity;
        yield* reconnect;
        yield* eventually(() => received.length === 3);
        assert.deepStrictEqual(received, ["a", "b", "c"]);
    }));
});
