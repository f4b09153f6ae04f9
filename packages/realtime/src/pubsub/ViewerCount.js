/**
 * Number of sockets per topic, over all nodes, delivered at most once a second. A node with subscribers broadcasts its own
 * count on a subtopic when it changes, and repeats it at an interval since a message may be lost; only nodes with
 * subscribers of the topic receive it. The count of a node expires when the node is gone, or when it was not repeated: a
 * node does not repeat the final zero, and that message may be lost.
 */
import { Effect, Option, Schedule, Schema } from "effect";
import { Cluster } from "../cluster/Cluster.ts";
import * as Throttle from "./Throttle.ts";
import { Topics } from "./Topics.ts";
/** The subtopic on which nodes broadcast their counts. */
const subtopic = "viewers";
const event = "viewers";
const Announcement = Schema.Struct({
    node: Schema.String,
    count: Schema.Int,
    /** The sender has just subscribed and knows no other node's count. */
    wantsReply: Schema.Boolean,
});
const decode = Schema.decodeUnknownOption(Announcement);
const announceInterval = "15 seconds";
/** A count that was not repeated for this many intervals expires. */
const maxMissedRounds = 3;
/** `deliver` sends the count to this node's sockets; `count()` is the current one. */
export const make = Effect.fnUntraced(function* (deliver) {
    const topics = yield* Topics;
    const cluster = yield* Cluster;
    const watched = new Map();
    const run = Effect.runForkWith(yield* Effect.context());
    const countOf = (topic) => {
        let count = topics.subscriberCount(topic);
        for (const other of watched.get(topic)?.others.values() ?? [])
            count += other.count;
        return count;
    };
    const localUpdates = yield* Throttle.make((topic) => Effect.sync(() => deliver(topic, () => countOf(topic))));
    if (!cluster.isClustered)
        return { update: localUpdates.trigger };
    const announce = (topic, wantsReply) => topics.broadcast(topic, event, { node: cluster.node, count: topics.subscriberCount(topic), wantsReply }, { subtopic, droppable: true });
    const announcements = yield* Throttle.make((topic) => Effect.suspend(() => {
        const watch = watched.get(topic);
        if (topics.subscriberCount(topic) > 0)
            return announce(topic, watch === undefined ? startWatching(topic) : false);
        if (watch === undefined)
            return Effect.void;
        watched.delete(topic);
        topics.unsubscribe(topic, watch.subscriber, subtopic);
        return announce(topic, false);
    }));
    const onAnnouncement = (topic, others, { payload }) => {
        const announcement = decode(JSON.parse(JSON.stringify(payload)));
        if (Option.isNone(announcement) || announcement.value.node === cluster.node)
            return;
        const { node, count, wantsReply } = announcement.value;
        if (count === 0)
            others.delete(node);
        else
            others.set(node, { count, missedRounds: 0 });
        run(Effect.andThen(localUpdates.trigger(topic), wantsReply ? announcements.trigger(topic) : Effect.void));
    };
    const startWatching = (topic) => {
        const others = new Map();
        const subscriber = { receive: (broadcast) => onAnnouncement(topic, others, broadcast) };
        topics.subscribe(topic, subscriber, subtopic);
        watched.set(topic, { subscriber, others });
        return true;
    };
    yield* cluster.onNodeChange((change, node) => {
        if (change === "joined")
            return;
        for (const [topic, { others }] of watched)
            if (others.delete(node))
                run(localUpdates.trigger(topic));
    });
    const expireRemoteCounts = (topic, others) => {
        let hasExpired = false;
        for (const [node, other] of others) {
            other.missedRounds++;
            if (other.missedRounds > maxMissedRounds)
                hasExpired = others.delete(node);
        }
        return hasExpired ? localUpdates.trigger(topic) : Effect.void;
    };
    const repeatCounts = Effect.suspend(() => Effect.forEach([...watched], ([topic, { others }]) => Effect.andThen(expireRemoteCounts(topic, others), announcements.trigger(topic)), { discard: true }));
    yield* Effect.forkScoped(Effect.schedule(repeatCounts, Schedule.spaced(announceInterval)));
    return {
        update: (topic) => Effect.andThen(localUpdates.trigger(topic), announcements.trigger(topic)),
    };
});
