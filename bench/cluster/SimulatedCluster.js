/**
 * Nodes without sockets in this process, over one bus in memory that counts: what presence costs for each join, in CPU and
 * in messages, by the size of the room and the number of nodes.
 */
import { EventBus } from "@armoricore/bus/EventBus";
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus";
import { Cluster } from "@armoricore/realtime/cluster/Cluster";
import * as ClusterTopics from "@armoricore/realtime/cluster/ClusterTopics";
import * as PublishBuffer from "@armoricore/realtime/pubsub/PublishBuffer";
import * as Presence from "@armoricore/realtime/presence/Presence";
import { serializer } from "@armoricore/realtime/protocol/SerializerV2";
import { Topics } from "@armoricore/realtime/pubsub/Topics";
import { Context, Duration, Effect, Exit, Layer, Scope } from "effect";
const topic = "presence:room:bench";
const countingBus = (bus, counts) => ({
    ...bus,
    broadcast: (address, body) => {
        counts.sent++;
        counts.bytes += body.byteLength;
        return bus.broadcast(address, body);
    },
    subscribe: (address, onMessage, onGap) => bus.subscribe(address, (message) => {
        counts.received++;
        onMessage(message);
    }, onGap),
});
export const make = Effect.fnUntraced(function* (size, batchWindow) {
    const counts = { sent: 0, received: 0, bytes: 0 };
    const bus = countingBus(Context.get(yield* Layer.build(MemoryBus.layer), EventBus), counts);
    const node = Layer.fresh(Presence.layer({ batchWindow, maxListed: 10_000 }).pipe(Layer.provide(PublishBuffer.layer()), Layer.provideMerge(ClusterTopics.layer), Layer.provideMerge(Cluster.layer()), Layer.provide(Layer.succeed(EventBus, bus))));
    const nodes = yield* Effect.forEach(Array.from({ length: size }), () => Layer.build(node));
    return { nodes, counts };
});
/** As a socket does: every frame is made, once for a node. */
const countingSubscriber = () => {
    let frames = 0;
    return {
        frames: () => frames,
        receive: (broadcast) => {
            frames += broadcast.frame(serializer).wireBytes.length > 0 ? 1 : 0;
        },
    };
};
/** A user joins a room on a node and receives its state. Closing the scope leaves. */
export const join = Effect.fnUntraced(function* (node, user) {
    const scope = yield* Scope.make();
    const topics = Context.get(node, Topics);
    const presence = Context.get(node, Presence.Presence);
    const subscriber = countingSubscriber();
    topics.subscribe(topic, subscriber);
    topics.subscribe(topic, subscriber, Presence.subtopic);
    yield* Effect.provideService(presence.track(topic, user, "online"), Scope.Scope, scope);
    serializer.push("1", topic, "presence_state", presence.state(topic));
    return {
        leave: Effect.andThen(Scope.close(scope, Exit.void), Effect.sync(() => {
            topics.unsubscribe(topic, subscriber);
            topics.unsubscribe(topic, subscriber, Presence.subtopic);
        })),
        frames: subscriber.frames,
    };
});
/** Users that a node sees in the room. */
export const seen = (node) => Object.keys(Context.get(node, Presence.Presence).state(topic)).length;
