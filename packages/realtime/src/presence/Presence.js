/**
 * Presence in the protocol of the official Phoenix clients: a joining member gets `presence_state`, the present members get
 * `presence_diff`. Changes are batched for a short window, so a room that fills up gets one diff with many joins.
 *
 * Clients merge diffs by ref, so a diff may repeat known entries. A room of more than `maxListed` users is count-only: its
 * members get an empty state, and `presence_count` at most once a second.
 */
import { isDirectTopic } from "@armoricore/domain/DirectTopic";
import { Clock, Context, Duration, Effect, FiberHandle, Layer, Schema } from "effect";
import { Cluster } from "../cluster/Cluster.ts";
import { ownerOf } from "../cluster/Rendezvous.ts";
import * as Throttle from "../pubsub/Throttle.ts";
import { PublishBuffer } from "../pubsub/PublishBuffer.ts";
import { Topics } from "../pubsub/Topics.ts";
import * as PresenceReplication from "./PresenceReplication.ts";
import { PresenceSet } from "./PresenceSet.ts";
export class Presence extends Context.Service()("@armoricore/realtime/Presence") {
}
/** The subtopic of presence events. */
export const subtopic = "presence";
export const layer = (options = {}) => Layer.effect(Presence, Effect.gen(function* () {
    const topics = yield* Topics;
    const publishBuffer = yield* PublishBuffer;
    const maxListed = options.maxListed ?? 1000;
    const batchWindow = options.batchWindow ?? Duration.millis(50);
    const changes = new Map();
    const countOnlyTopics = new Set();
    const flushFiber = yield* FiberHandle.make();
    const cluster = yield* Cluster;
    const set = new PresenceSet(cluster.node, (kind, entry) => {
        // Every node has the presence of all rooms, but sends diffs only for rooms with local members. A member that joins
        // later gets the state with these changes in it, so a diff with only a part of them must not follow.
        if (topics.subscriberCount(entry.topic) === 0)
            return void changes.delete(entry.topic);
        const change = changes.get(entry.topic) ?? { joins: emptyGroup(), leaves: emptyGroup() };
        changes.set(entry.topic, change);
        group(kind === "join" ? change.joins : change.leaves, entry);
    });
    const counts = yield* Throttle.make((topic) => Effect.sync(() => {
        const payload = () => ({ count: set.users(topic).size });
        deliver(payload(), "presence_count", { topic, event: "presence_count", payload });
    }));
    /** A slow consumer that lost an event gets the snapshot, once it reads again. */
    const deliver = (payload, event, snapshot) => topics.deliver(snapshot.topic, event, payload, { subtopic, droppable: true, snapshot });
    const list = (topic) => {
        const state = emptyGroup();
        for (const [key, metas] of set.users(topic))
            state[key] = { metas };
        return state;
    };
    const isCountOnly = (topic) => countOnlyTopics.has(topic) || set.users(topic).size > maxListed;
    const stateOf = (topic) => (isCountOnly(topic) ? {} : list(topic));
    const deliverDiff = (topic, diff) => {
        const { size } = set.users(topic);
        const snapshot = { topic, event: "presence_state", payload: () => stateOf(topic) };
        if (countOnlyTopics.has(topic) ? size > maxListed * relistFraction : size > maxListed) {
            if (!countOnlyTopics.has(topic))
                deliver({}, "presence_state", snapshot);
            countOnlyTopics.add(topic);
            return counts.trigger(topic);
        }
        if (countOnlyTopics.delete(topic))
            deliver(list(topic), "presence_state", snapshot);
        else
            deliver(diff, "presence_diff", snapshot);
        return Effect.void;
    };
    const flush = Effect.gen(function* () {
        yield* Effect.sleep(batchWindow);
        const due = [...changes];
        changes.clear();
        yield* Effect.forEach(due, ([topic, diff]) => deliverDiff(topic, diff), { discard: true });
    });
    const scheduleFlush = Effect.suspend(() => changes.size === 0 ? Effect.void : Effect.asVoid(FiberHandle.run(flushFiber, flush, { onlyIfMissing: true })));
    /** Whether the user is present in this room, through the chat or the presence topic. */
    const isInRoom = (roomId, userId) => set.users(roomId).has(userId) || roomTopics.some((prefix) => set.users(prefix + roomId).has(userId));
    /** `occasion` makes the event id of a repeated status unique, after a partition removed and restored a presence. */
    const publish = Effect.fnUntraced(function* ({ topic, key, meta }, status, occasion = "") {
        const timestamp = new Date(yield* Clock.currentTimeMillis).toISOString();
        const payload = { user_id: key, room_id: roomOf(topic), status, timestamp };
        yield* publishBuffer.offer("presence.update", `${meta.phx_ref} ${status}${occasion}`, payload);
    });
    let occasions = 0;
    const newOccasion = () => ` ${cluster.node} ${++occasions}`;
    /** Nodes whose users this node published as offline. A partitioned node may come back. */
    const declaredDown = new Set();
    const onNodeLost = (node, entries) => {
        // Exactly one of the remaining nodes publishes its users as offline.
        if (ownerOf(node, [cluster.node, ...cluster.otherNodes()]) !== cluster.node)
            return Effect.void;
        declaredDown.add(node);
        const occasion = newOccasion();
        return Effect.forEach(entries.filter(({ topic, key }) => !isInRoom(roomOf(topic), key)), (entry) => publish(entry, "offline", occasion), { discard: true });
    };
    const republishAll = Effect.suspend(() => {
        const occasion = newOccasion();
        const local = new Map(set.snapshot().entries.map((entry) => [`${roomOf(entry.topic)} ${entry.key}`, entry]));
        return Effect.forEach(local.values(), (entry) => publish(entry, entry.meta.status, occasion), { discard: true });
    });
    const run = Effect.runForkWith(yield* Effect.context());
    yield* cluster.onNodeChange((change, node) => {
        if (change === "joined" && declaredDown.delete(node))
            run(cluster.send(node, declaredDownKind, null));
    });
    yield* cluster.on(declaredDownKind, Schema.Null, () => void run(republishAll));
    const replication = yield* PresenceReplication.make(set, { batchWindow, onChange: scheduleFlush, onNodeLost });
    return {
        // Untraced, like `update`: a span here would become the `traceparent` of every presence.update event.
        track: Effect.fnUntraced(function* (topic, userId, status) {
            const online_at = new Date(yield* Clock.currentTimeMillis).toISOString();
            let entry = undefined;
            const arrive = Effect.gen(function* () {
                const isFirst = !isInRoom(roomOf(topic), userId);
                const added = set.add(topic, userId, { status, online_at });
                entry = added.entry;
                yield* replication.publish(added.delta);
                yield* scheduleFlush;
                if (isFirst)
                    yield* publish(entry, status);
            });
            const depart = Effect.gen(function* () {
                if (entry === undefined)
                    return;
                yield* replication.publish(set.remove(entry));
                yield* scheduleFlush;
                if (!isInRoom(roomOf(topic), userId))
                    yield* publish(entry, "offline");
            });
            yield* Effect.acquireRelease(arrive, () => depart);
            return {
                update: Effect.fnUntraced(function* (next) {
                    if (entry === undefined || entry.meta.status === next)
                        return;
                    const replaced = set.replace(entry, next);
                    entry = replaced.entry;
                    yield* replication.publish(replaced.delta);
                    yield* scheduleFlush;
                    yield* publish(entry, next);
                }),
            };
        }),
        state: stateOf,
        count: (topic) => (isCountOnly(topic) ? set.users(topic).size : undefined),
        size: (topic) => set.users(topic).size,
        has: (topic, userId) => set.users(topic).has(userId),
    };
}));
/** A count-only room is listed again below this share of the limit, so it does not change back and forth at the limit. */
const relistFraction = 0.8;
/** Sent to a node that came back after its users were published as offline. */
const declaredDownKind = "presence.declared_down";
const roomTopics = ["chat:room:", "presence:room:", "room:"];
/** The topic itself is the room id of direct messages. */
const roomOf = (topic) => (isDirectTopic(topic) ? topic : topic.slice(topic.lastIndexOf(":") + 1));
/** Without a prototype: `__proto__` and `constructor` are valid user ids. */
const emptyGroup = () => Object.create(null);
const group = (users, { key, meta }) => {
    const user = users[key];
    if (user === undefined)
        users[key] = { metas: [meta] };
    else
        user.metas.push(meta);
};
