/**
 * Delivers history appends of all nodes to this node's subscribers, in sequence and once. The history itself publishes
 * them, so a delivery does not depend on the node that appended. Gaps (the bus was disconnected, a message was lost) are
 * read from the history; members that joined while the subscription was missing are made to join again.
 */
import { History } from "@armoricore/history/History";
import { Effect, Latch, Schedule, Semaphore } from "effect";
import { Cluster } from "../cluster/Cluster.ts";
import * as TopicSubscriptions from "../cluster/TopicSubscriptions.ts";
import * as ChangeLog from "./ChangeLog.ts";
import { ReorderBuffer } from "./ReorderBuffer.ts";
/** How long an early item waits for its predecessors before they are read from the history. */
const reorderDelay = "100 millis";
/** A gap is read in pages of this size. */
const backfillPage = 1000;
const maxConcurrentReads = 16;
const retryInterval = "1 second";
export const make = Effect.fnUntraced(function* (options) {
    const { topics } = options;
    const history = yield* History;
    const cluster = yield* Cluster;
    const readPermits = yield* Semaphore.make(maxConcurrentReads);
    /** One for each subscribed topic: reads its gap, if it has one, from the history. */
    const gapChecks = new Set();
    /** Topics with a member that joined before the subscription was ready. */
    const joinedBeforeReady = new Set();
    const deliverAll = (room, items) => {
        for (const item of items)
            options.deliver(room, item);
    };
    const readWithRetry = (room, page) => readPermits.withPermit(history.read(room, page)).pipe(Effect.tapError((error) => Effect.logDebug(`cannot read the history of ${room}; retrying`, error)), Effect.retry({ while: (error) => error._tag === "TransientError", schedule: Schedule.spaced(retryInterval) }));
    /** Subscribes to one room of the topic, its messages or its change log, as long as the scope. */
    const subscribe = Effect.fnUntraced(function* (topic, room) {
        const reorderBuffer = new ReorderBuffer();
        const gapDetected = yield* Latch.make(false);
        /** False: the missing items are probably on their way. */
        let isGapCertain = false;
        const checkGap = () => {
            isGapCertain = true;
            gapDetected.openUnsafe();
        };
        const onAppend = (appended) => {
            deliverAll(room, reorderBuffer.push(appended));
            if (reorderBuffer.hasGap)
                gapDetected.openUnsafe();
        };
        yield* history.subscribe(room, onAppend, checkGap);
        yield* Effect.acquireRelease(Effect.sync(() => gapChecks.add(checkGap)), () => Effect.sync(() => gapChecks.delete(checkGap)));
        // The subscription precedes the read: items appended between the two are in the reorder buffer.
        const { items } = yield* readWithRetry(room, { limit: 1 });
        const last = items.at(-1)?.seq ?? 0;
        options.onLastSeq(room, last);
        const backfillGap = Effect.gen(function* () {
            yield* gapDetected.await;
            if (!isGapCertain)
                yield* Effect.sleep(reorderDelay);
            gapDetected.closeUnsafe();
            if (!isGapCertain && !reorderBuffer.hasGap)
                return;
            isGapCertain = false;
            for (let more = true; more;) {
                const upTo = reorderBuffer.highestBuffered;
                const page = yield* readWithRetry(room, { after: reorderBuffer.lastSeq ?? 0, limit: backfillPage });
                // An empty history does not know whether it is complete.
                if (!page.complete && page.items.length > 0) {
                    yield* Effect.logInfo(`entries of ${room} were missed and are no longer stored: its members join again`);
                    topics.reportGap(topic);
                }
                more = page.more;
                const readUpTo = more ? (page.items.at(-1)?.seq ?? 0) : upTo;
                deliverAll(room, reorderBuffer.backfill(page.items, readUpTo));
            }
        });
        return {
            start: Effect.gen(function* () {
                deliverAll(room, reorderBuffer.start(last));
                yield* Effect.forkScoped(Effect.forever(Effect.catch(backfillGap, (error) => Effect.logWarning(`cannot read the missed entries of ${room}`, error))));
            }),
        };
    });
    /** The subscriptions live as long as the scope. */
    const acquire = Effect.fnUntraced(function* (topic) {
        const messages = yield* subscribe(topic, topic);
        const changes = ChangeLog.hasChanges(topic) ? yield* subscribe(topic, ChangeLog.roomOf(topic)) : undefined;
        // Appends since such a join are neither in its reply nor delivered later.
        if (joinedBeforeReady.delete(topic))
            topics.reportGap(topic);
        yield* messages.start;
        if (changes !== undefined)
            yield* changes.start;
    });
    const subscriptions = yield* TopicSubscriptions.make({ topics, acquire, isConnected: cluster.isConnected });
    // The lost node may have appended an entry whose notification it could not publish any more.
    yield* cluster.onNodeChange((change) => {
        if (change === "lost")
            for (const checkGap of gapChecks)
                checkGap();
    });
    return {
        awaitReady: (topic) => Effect.andThen(subscriptions.awaitReady(topic), Effect.sync(() => {
            if (!subscriptions.isReady(topic))
                joinedBeforeReady.add(topic);
        })),
    };
});
