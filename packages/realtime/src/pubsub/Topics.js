/**
 * Publish–subscribe by topic. A broadcast is encoded once per serializer, when the first subscriber of that serializer
 * needs it, and then only queued per subscriber; no Effect runs per subscriber.
 *
 * `broadcast` reaches the subscribers of every node, `deliver` only those of this node. On a single node they are the
 * same; `ClusterTopics` sends a `broadcast` over the bus's ephemeral channel, and every receiving node calls `deliver`. A
 * publisher that runs on every node for every event (`BusBridge`) calls `deliver` itself.
 */
import { Context, Effect, Layer } from "effect";
import { OutgoingFrame } from "../socket/OutgoingFrame.ts";
/** One broadcast; encodes its frames on first use. */
export class Broadcast {
    topic;
    event;
    payload;
    droppable;
    /** The position in the topic's history, if it is stored there. */
    seq;
    snapshot;
    /** A member that lost it gets it when it joins again. */
    isReplayed;
    #v1;
    #v2;
    constructor(topic, event, payload, options) {
        this.topic = topic;
        this.event = event;
        this.payload = payload;
        this.droppable = options?.droppable === true;
        this.seq = options?.seq;
        this.snapshot = options?.snapshot;
        this.isReplayed = options?.isReplayed ?? this.seq !== undefined;
    }
    frame(serializer) {
        return serializer.version === "2.0.0"
            ? (this.#v2 ??= this.#encode(serializer))
            : (this.#v1 ??= this.#encode(serializer));
    }
    #encode(serializer) {
        const body = serializer.broadcast(this.topic, this.event, this.payload);
        const replayableTopic = !this.isReplayed || this.droppable ? undefined : this.topic;
        return new OutgoingFrame(body, this.droppable, this.snapshot, replayableTopic);
    }
}
export class Topics extends Context.Service()("@armoricore/realtime/Topics") {
    /** On one node. */
    static layer = Layer.sync(Topics, () => makeLocal());
}
/** The topics of a single node. */
export const makeLocal = () => {
    const vacatedListeners = new Set();
    const topics = new Map();
    const counts = { broadcasts: 0, deliveries: 0 };
    const deliver = (topic, event, payload, options) => {
        const subscribers = topics.get(keyOf(topic, options?.subtopic));
        if (subscribers === undefined)
            return;
        const broadcast = new Broadcast(topic, event, payload, options);
        const except = options?.except;
        for (const subscriber of subscribers)
            if (subscriber !== except)
                subscriber.receive(broadcast);
        counts.broadcasts++;
        counts.deliveries += subscribers.size;
    };
    return {
        subscribe: (topic, subscriber, subtopic) => {
            const key = keyOf(topic, subtopic);
            const subscribers = topics.get(key);
            if (subscribers === undefined)
                topics.set(key, new Set([subscriber]));
            else
                subscribers.add(subscriber);
        },
        unsubscribe: (topic, subscriber, subtopic) => {
            const key = keyOf(topic, subtopic);
            const subscribers = topics.get(key);
            if (subscribers?.delete(subscriber) !== true || subscribers.size > 0)
                return;
            topics.delete(key);
            if (subtopic === undefined)
                for (const listener of vacatedListeners)
                    listener(topic);
        },
        broadcast: (topic, event, payload, options) => Effect.sync(() => deliver(topic, event, payload, options)),
        deliver,
        awaitReady: () => Effect.void,
        reportGap: (topic) => {
            for (const subscriber of topics.get(topic) ?? [])
                subscriber.onGap?.();
        },
        onVacated: (listener) => Effect.acquireRelease(Effect.sync(() => void vacatedListeners.add(listener)), () => Effect.sync(() => void vacatedListeners.delete(listener))),
        subscriberCount: (topic) => topics.get(topic)?.size ?? 0,
        counts,
    };
};
/** Topics of clients contain no line break, so the keys are unambiguous. */
const keyOf = (topic, subtopic) => subtopic === undefined ? topic : `${topic}\n${subtopic}`;
