/**
 * The ordered log of a topic: an entry is appended to the history, gets its `seq` there, and is then broadcast. A client
 * that reconnects sends the last `seq` it received and gets the rest, so broadcasts of one topic must leave in the order of
 * their `seq`: a client that received 8 before 7 would never request 7.
 *
 * With several nodes, the history itself publishes each append to every node with members of the topic
 * (`RoomSubscriptions`). Only entries that are buffered during an outage of the history are broadcast by this node.
 *
 * A topic with messages that can change has a second log, its change log (`ChangeLog`), which takes the same paths.
 *
 * Appends of one topic run in batches: the entries that arrived during the previous batch, and in the same poll phase of the
 * event loop, are appended concurrently, sorted by the `seq` that they got, and broadcast. An idle topic has no batch, no
 * fiber and no memory.
 */
import { History, update } from "@armoricore/history/History";
import { Context, Deferred, Effect, Exit, FiberSet, Layer } from "effect";
import { ChannelError, unavailable } from "../channel/ChannelError.ts";
import { Cluster } from "../cluster/Cluster.ts";
import { Topics } from "../pubsub/Topics.ts";
import * as ChangeLog from "./ChangeLog.ts";
import * as CoalescedReads from "./CoalescedReads.ts";
import { InFlightAppends } from "./InFlightAppends.ts";
import * as OutageBuffer from "./OutageBuffer.ts";
import { decode, decodeRaw, decodeStored, encode, } from "./RoomEntry.ts";
import { bytesOf, defaultReplayLimit, maxPageEntries, noChanges, pageOf, readChanges, readReplay, } from "./Replays.ts";
import * as RoomSubscriptions from "./RoomSubscriptions.ts";
export { defaultReplayLimit, maxPageEntries } from "./Replays.ts";
export class RoomLog extends Context.Service()("@armoricore/realtime/RoomLog") {
}
const maxBatch = 256;
export const layer = Layer.effect(RoomLog, Effect.gen(function* () {
    const history = yield* History;
    const topics = yield* Topics;
    const outageBuffer = yield* OutageBuffer.make(history, (topic) => topics.subscriberCount(topic) > 0);
    const inFlight = new InFlightAppends();
    const deliverAppended = (room, item) => {
        outageBuffer.noteSequence(room, item.seq);
        if (!inFlight.receive(room, item))
            return;
        deliver(topics, room, decodeRaw(item, positionOf(room)));
    };
    /** `undefined` on a single node, which broadcasts its own appends. */
    const subscriptions = (yield* Cluster).isClustered
        ? yield* RoomSubscriptions.make({ topics, deliver: deliverAppended, onLastSeq: outageBuffer.noteSequence })
        : undefined;
    const stores = { history, outageBuffer, inFlight };
    const append = yield* makeBatchedAppend({ ...stores, topics, isClustered: subscriptions !== undefined });
    const coalesceReplays = yield* CoalescedReads.make();
    const coalescePages = yield* CoalescedReads.make();
    /** Fails while the entry is not in the history yet, because it waits for it. */
    const requireStored = (topic) => outageBuffer.has(topic) ? Effect.fail(unavailable) : Effect.void;
    return {
        append,
        hasUnstored: outageBuffer.has,
        replay: Effect.fn("RoomLog.replay")(function* (topic, { since, rev, last }, maxBytes) {
            // The subscription precedes the read, so no append between the two is missed.
            if (subscriptions !== undefined)
                yield* subscriptions.awaitReady(topic);
            const limit = Math.min(maxPageEntries, last ?? (since === undefined ? defaultReplayLimit : maxPageEntries));
            const page = pageOf({ after: since }, limit, maxBytes);
            return yield* coalesceReplays(`${topic} ${since} ${rev} ${limit} ${maxBytes}`, readReplay(stores, topic, page, rev));
        }),
        history: Effect.fn("RoomLog.history")(function* (topic, request, maxBytes) {
            const limit = Math.min(maxPageEntries, request.limit ?? defaultReplayLimit);
            const page = pageOf(request, limit, maxBytes);
            const key = `${topic} ${request.before} ${request.after} ${limit} ${maxBytes}`;
            const read = Effect.map(history.read(topic, page), ({ complete, items, more }) => ({
                entries: items.map((item) => decode(item)),
                more,
                recovered: complete,
                bytes: bytesOf(items),
                ...noChanges,
            }));
            const { bytes, ...found } = yield* coalescePages(key, read);
            if (request.rev === undefined || request.after === undefined)
                return found;
            const { changes, complete, more, rev } = yield* readChanges(stores, topic, request.rev, maxBytes - bytes);
            return { ...found, changes, rev, more: found.more || more, recovered: found.recovered && complete };
        }),
        get: Effect.fn("RoomLog.get")(function* (topic, id) {
            const item = yield* history.get(topic, id);
            return item === undefined ? undefined : decode(item);
        }),
        change: (topic, id, change) => Effect.gen(function* () {
            yield* requireStored(topic);
            const item = yield* update(history, topic, id, (current) => Effect.map(change(decodeStored(current)), (changed) => changed === undefined ? undefined : encode(changed)));
            return item === undefined ? yield* notFound : decode(item);
        }),
        lastSeq: (topic) => Effect.suspend(() => {
            const known = outageBuffer.highestSeq(topic);
            // A node without members of the topic does not receive what other nodes append.
            const isCurrent = subscriptions === undefined || topics.subscriberCount(topic) > 0 || outageBuffer.has(topic);
            return known === undefined || !isCurrent
                ? Effect.map(history.read(topic, { limit: 1 }), ({ items }) => items[0]?.seq ?? 0)
                : Effect.succeed(known);
        }),
        count: Effect.fn("RoomLog.count")(function* (topic, after, limit) {
            return yield* history.count(topic, after, limit);
        }),
        remove: Effect.fn("RoomLog.remove")(function* (topic, id) {
            return outageBuffer.remove(topic, id) || (yield* history.remove(topic, id));
        }),
    };
}));
const positionOf = (room) => (ChangeLog.topicOf(room) === undefined ? "seq" : "rev");
/** To the members of the topic on this node. */
const deliver = (topics, room, { event, payload, seq, droppable }) => {
    const changed = ChangeLog.topicOf(room);
    if (changed === undefined)
        topics.deliver(room, event, payload, { seq, droppable });
    else
        topics.deliver(changed, event, payload, { isReplayed: true });
};
const endOfPollPhase = Effect.callback((resume) => {
    const immediate = setImmediate(() => resume(Effect.void));
    return Effect.sync(() => clearImmediate(immediate));
});
/** Hot path, once per message: no spans. */
const makeBatchedAppend = Effect.fnUntraced(function* (options) {
    const { inFlight, isClustered, outageBuffer, topics } = options;
    const fork = yield* FiberSet.makeRuntime();
    /** Topics with a running batch, and the entries of the next one. */
    const queues = new Map();
    const appendOne = (topic, { entry, done }) => {
        if (isClustered)
            inFlight.begin(topic, entry.id);
        const body = encode({ ...entry, droppable: entry.droppable === true });
        return Effect.flatMap(Effect.exit(appendOrBuffer(options, topic, entry.id, body)), (exit) => {
            if (Exit.isSuccess(exit))
                return Effect.succeed({ entry, done, ...exit.value });
            inFlight.settle(topic, entry.id);
            return Effect.as(Deferred.failCause(done, exit.cause), undefined);
        });
    };
    const appendBatch = Effect.fnUntraced(function* (topic, batch) {
        const outcomes = yield* Effect.forEach(batch, (pending) => appendOne(topic, pending), { concurrency: "unbounded" });
        const inOrder = outcomes.filter((one) => one !== undefined).sort((a, b) => seqOf(a.result) - seqOf(b.result));
        for (const { entry, done, result, isBuffered } of inOrder) {
            if (result._tag === "Removed") {
                inFlight.settle(topic, entry.id);
                yield* Deferred.fail(done, removedError);
                continue;
            }
            outageBuffer.noteSequence(topic, result.item.seq);
            const appended = decode(result.item, positionOf(topic));
            if (result.fresh && (!isClustered || isBuffered)) {
                inFlight.markDelivered(topic, entry.id);
                deliver(topics, topic, { ...appended, droppable: entry.droppable === true });
            }
            inFlight.settle(topic, entry.id);
            yield* Deferred.succeed(done, { ...appended, fresh: result.fresh });
        }
    });
    const drainQueue = Effect.fnUntraced(function* (topic) {
        for (;;) {
            // One poll phase reads the frames of many sockets: the batch takes the entries of all of them.
            yield* endOfPollPhase;
            const batch = queues.get(topic)?.splice(0, maxBatch) ?? [];
            if (batch.length === 0)
                break;
            const exit = yield* Effect.exit(appendBatch(topic, batch));
            // A defect in one entry must not leave the other callers of the batch waiting forever.
            if (Exit.isFailure(exit)) {
                yield* Effect.forEach(batch, ({ done }) => Deferred.failCause(done, exit.cause), { discard: true });
            }
        }
        queues.delete(topic);
    });
    return (topic, entry) => Effect.suspend(() => {
        const pending = { entry, done: Deferred.makeUnsafe() };
        const queue = queues.get(topic);
        if (queue === undefined) {
            queues.set(topic, [pending]);
            fork(drainQueue(topic));
        }
        else
            queue.push(pending);
        return Deferred.await(pending.done);
    });
});
/** Buffers while the history is unavailable, and while earlier entries of the topic are still in the buffer. */
const appendOrBuffer = ({ history, inFlight, outageBuffer }, topic, id, body) => {
    const buffer = Effect.suspend(() => {
        const item = inFlight.receivedItem(topic, id);
        if (item !== undefined)
            return Effect.succeed(storedOutcome({ _tag: "Appended", item, fresh: true }));
        return Effect.map(outageBuffer.buffer(topic, id, body), ({ entry, fresh }) => ({
            result: { _tag: "Appended", item: entry, fresh },
            isBuffered: true,
        }));
    });
    if (outageBuffer.has(topic))
        return buffer;
    return Effect.catchTag(Effect.map(history.append(topic, id, body), storedOutcome), "TransientError", () => buffer);
};
const storedOutcome = (result) => ({ result, isBuffered: false });
const seqOf = (result) => (result._tag === "Appended" ? result.item.seq : 0);
const removedError = new ChannelError({ reason: "removed" });
const notFound = new ChannelError({ reason: "not_found" });
