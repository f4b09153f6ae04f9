/**
 * Topics over several nodes. Each topic has its own bus subject, and a node subscribes only to topics with local
 * subscribers. The sender, too, delivers its broadcast when it receives it from the bus, so all nodes have the same order.
 *
 * While the bus is disconnected, a broadcast is delivered to the local subscribers at once and published after the
 * reconnect. A broadcast that was in flight at the disconnect is treated the same: other nodes may receive it twice, but do
 * not lose it. After a partition a node requests the broadcasts that it missed (`ReplayBuffer`). Entries with a `seq` do not
 * take this path, see `RoomSubscriptions`.
 */
import * as Address from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { encodeTopic } from "@armoricore/domain/EncodedId";
import { Effect, Layer } from "effect";
import { makeLocal, Topics } from "../pubsub/Topics.ts";
import { Cluster } from "./Cluster.ts";
import * as TopicSubscriptions from "./TopicSubscriptions.ts";
import * as ReplayBuffer from "./ReplayBuffer.ts";
import * as BroadcastMessage from "./BroadcastMessage.ts";
/** Broadcasts that wait for the other nodes while the bus is disconnected. */
const maxBuffered = 10_000;
export const layer = Layer.effect(Topics, Effect.gen(function* () {
    const bus = yield* EventBus;
    const cluster = yield* Cluster;
    const local = makeLocal();
    const replayBuffer = yield* ReplayBuffer.make(({ topic, event, payload, subtopic }) => local.deliver(topic, event, payload, subtopic === undefined ? {} : { subtopic }));
    /** Published, and not yet received back from the bus. */
    const awaitingEcho = new Map();
    let buffered = [];
    let count = 0;
    const deliver = ({ topic, event, payload, options }) => local.deliver(topic, event, payload, options);
    const receive = (topic, body) => {
        const message = BroadcastMessage.decode(body);
        if (message === undefined)
            return;
        const { event, payload, droppable, seq, subtopic } = message;
        const options = {
            droppable,
            ...(seq === undefined ? {} : { seq }),
            ...(subtopic === undefined ? {} : { subtopic }),
        };
        if (message.node !== cluster.node) {
            if (!droppable && !replayBuffer.markSeen(message.node, message.id))
                return;
            return local.deliver(topic, event, payload, options);
        }
        const sent = awaitingEcho.get(message.id);
        awaitingEcho.delete(message.id);
        if (sent !== undefined && message.isEchoed)
            deliver({ ...sent, payload });
    };
    const subscriptions = yield* TopicSubscriptions.make({
        topics: local,
        acquire: (topic) => bus.subscribe(addressOf(topic), ({ body }) => receive(topic, body)),
        isConnected: cluster.isConnected,
    });
    const buffer = (message) => {
        if (message.options?.droppable === true || buffered.length >= maxBuffered)
            return;
        buffered.push(message);
    };
    const publish = ({ topic, event, payload, options }, id, isEchoed) => Effect.tap(bus.broadcast(addressOf(topic), BroadcastMessage.encode({
        node: cluster.node,
        id,
        isEchoed,
        event,
        payload,
        droppable: options?.droppable === true,
        seq: options?.seq,
        subtopic: options?.subtopic,
    })), () => Effect.sync(() => {
        if (options?.droppable !== true)
            replayBuffer.record(id, { topic, event, payload, subtopic: options?.subtopic });
    }));
    const publishOrBuffer = (message, id, isEchoed) => Effect.catch(publish(message, id, isEchoed), (error) => Effect.suspend(() => {
        if (awaitingEcho.delete(id))
            deliver(message);
        if (error._tag === "TransientError")
            return Effect.sync(() => buffer(message));
        return Effect.logError(`the bus rejected ${message.event} on ${message.topic}: only this node delivers it: ${error.message}`);
    }));
    const broadcast = (message) => {
        const { topic } = message;
        // Before the subscription is ready, this node would not receive its own broadcast.
        const isEchoed = subscriptions.isReady(topic);
        const id = ++count;
        if (!cluster.isConnected()) {
            deliver(message);
            return Effect.sync(() => buffer(message));
        }
        if (isEchoed)
            awaitingEcho.set(id, message);
        else
            deliver(message);
        return publishOrBuffer(message, id, isEchoed);
    };
    yield* cluster.onDisconnect(() => {
        const unconfirmed = [...awaitingEcho.values()];
        awaitingEcho.clear();
        for (const message of unconfirmed) {
            deliver(message);
            buffer(message);
        }
    });
    const run = Effect.runForkWith(yield* Effect.context());
    yield* cluster.onReconnect(() => {
        const pending = buffered;
        buffered = [];
        run(Effect.forEach(pending, (message) => publishOrBuffer(message, ++count, false), { discard: true }));
    });
    return {
        ...local,
        subscribe: (topic, subscriber, subtopic) => {
            local.subscribe(topic, subscriber, subtopic);
            subscriptions.open(topic);
        },
        broadcast: (topic, event, payload, options) => Effect.suspend(() => broadcast({ topic, event, payload, options })),
        awaitReady: subscriptions.awaitReady,
    };
}));
const addressOf = (topic) => Address.ephemeral(`room.${encodeTopic(topic)}`);
