import { TransientError } from "@armoricore/domain/Errors";
import { Effect, Latch } from "effect";
/** Entries of all topics together, some 10 MB of short messages. */
const maxEntries = 10_000;
const maxTrackedTopics = 10_000;
const maxConcurrentTopics = 16;
const retryInterval = "1 second";
const bufferFull = new TransientError({
    dependency: "history",
    code: "full",
    message: `the history is unavailable, and ${maxEntries} entries already wait for it; try again later`,
});
export const make = (history, hasSubscribers) => Effect.gen(function* () {
    const topics = new Map();
    const highestSeq = new Map();
    const hasEntries = yield* Latch.make(false);
    let count = 0;
    const noteSequence = (topic, seq) => {
        if (seq <= (highestSeq.get(topic) ?? -1))
            return;
        if (highestSeq.size >= maxTrackedTopics && !highestSeq.has(topic)) {
            for (const other of highestSeq.keys())
                if (!hasSubscribers(other) && !topics.has(other))
                    highestSeq.delete(other);
        }
        highestSeq.set(topic, seq);
    };
    const flushTopic = Effect.fnUntraced(function* (topic, queue) {
        for (;;) {
            const [first] = queue;
            if (first === undefined)
                break;
            const result = yield* history
                .append(topic, first.id, first.body)
                .pipe(Effect.catchTag("PermanentError", (error) => Effect.as(Effect.logError(`the history rejected an entry of ${topic}: ${error.message}`), undefined)));
            if (result?._tag === "Appended")
                noteSequence(topic, result.item.seq);
            const index = queue.indexOf(first);
            // Moderation removed it while the append was running.
            if (index === -1)
                yield* history.remove(topic, first.id);
            else {
                queue.splice(index, 1);
                count--;
            }
        }
        topics.delete(topic);
    });
    const flush = Effect.gen(function* () {
        yield* hasEntries.await;
        yield* Effect.sleep(retryInterval);
        const bufferedCount = count;
        yield* Effect.forEach([...topics], ([topic, queue]) => flushTopic(topic, queue), {
            concurrency: maxConcurrentTopics,
            discard: true,
        }).pipe(Effect.catch((error) => Effect.logDebug("the history is still unavailable", error)));
        if (topics.size > 0)
            return;
        hasEntries.closeUnsafe();
        yield* Effect.logInfo("the history is available again; the buffered entries are appended").pipe(Effect.annotateLogs({ entries: bufferedCount }));
    });
    yield* Effect.addFinalizer(() => count === 0
        ? Effect.void
        : Effect.logError("shut down while the history was unavailable: the buffered entries are lost").pipe(Effect.annotateLogs({ entries: count })));
    yield* Effect.forkScoped(Effect.forever(flush));
    return {
        has: (topic) => topics.has(topic),
        entriesOf: (topic) => topics.get(topic) ?? [],
        buffer: Effect.fnUntraced(function* (topic, id, body) {
            const queue = topics.get(topic) ?? [];
            const existing = queue.find((buffered) => buffered.id === id);
            if (existing !== undefined)
                return { entry: existing, fresh: false };
            if (count >= maxEntries)
                return yield* bufferFull;
            const entry = { id, seq: (highestSeq.get(topic) ?? 0) + 1, body };
            noteSequence(topic, entry.seq);
            topics.set(topic, queue);
            queue.push(entry);
            count++;
            hasEntries.openUnsafe();
            // Only after the queue is registered: a concurrent call would otherwise create a second queue during this yield.
            if (count === 1)
                yield* Effect.logWarning("the history is unavailable: rooms buffer new entries in memory");
            return { entry, fresh: true };
        }),
        remove: (topic, id) => {
            const queue = topics.get(topic);
            const index = queue?.findIndex((entry) => entry.id === id) ?? -1;
            if (queue === undefined || index === -1)
                return false;
            queue.splice(index, 1);
            count--;
            return true;
        },
        noteSequence,
        highestSeq: (topic) => highestSeq.get(topic),
    };
});
