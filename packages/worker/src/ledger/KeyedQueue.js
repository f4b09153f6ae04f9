/**
 * Orders messages that change the same thing. Messages with one partition key enter a queue, and workers of all processes
 * handle only the message at its head. A queue is one document, changed by compare-and-set.
 *
 * - A message enters by its arrival time, but never before the head, which may be running.
 * - The head stays until it is decided, also while it waits for its next attempt.
 * - A message behind the head returns to the bus and occupies no concurrency slot.
 * - A head that was not redelivered for `inactivityTimeout` (it expired on the bus) and has no lease is dropped.
 *
 * Arrival is the time of the bus. A message that another process has received but not yet enqueued can be overtaken by a
 * later one. Where that matters, store a version in the thing itself, as `media` does with its generations.
 */
import { sha256 } from "@armoricore/domain/DeterministicId";
import * as Collection from "@armoricore/state/Collection";
import { Clock, Duration, Effect, Option, Schema } from "effect";
const QueueDocument = Schema.Struct({
    /** The head first. After `until` (epoch milliseconds) a head without a lease is dropped. */
    queue: Schema.Array(Schema.Struct({ member: Schema.String, at: Schema.Finite, until: Schema.Finite })),
});
/** Longer than the largest redelivery delay, apart from delays that `extend` announced. */
const inactivityTimeout = Duration.toMillis(Duration.minutes(5));
/** Bounds the document. Messages beyond it enter later, by their arrival. */
const maxLength = 256;
export const make = (bucket, isLeased) => Effect.map(Collection.make({ bucket, schema: QueueDocument }), (queues) => {
    const modify = (partition, change) => queues.modify(keyOf(partition), (current) => Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis;
        const queue = Option.match(current, { onNone: () => [], onSome: ({ value }) => value.queue });
        const [result, next] = yield* change(queue, now);
        return [result, next === undefined ? Option.none() : Option.some({ queue: next })];
    }));
    return {
        enqueue: (partition, member, at) => modify(partition, (stored, now) => Effect.gen(function* () {
            const [head] = stored;
            const isGone = head !== undefined && head.member !== member && head.until <= now && !(yield* isLeased(head.member));
            const queue = isGone ? stored.slice(1) : stored;
            const position = queue.findIndex((other) => other.member === member);
            const entry = queue[position];
            if (entry === undefined) {
                if (queue.length >= maxLength)
                    return [{ position: maxLength }, isGone ? queue : undefined];
                const successor = queue.findIndex((other, index) => index > 0 && other.at > at);
                const insertAt = queue.length === 0 ? 0 : successor === -1 ? queue.length : successor;
                return [
                    { position: insertAt },
                    queue.toSpliced(insertAt, 0, { member, at, until: now + inactivityTimeout }),
                ];
            }
            const isFresh = entry.until - now > inactivityTimeout / 2;
            if (isFresh)
                return [{ position }, isGone ? queue : undefined];
            return [{ position }, queue.with(position, { ...entry, until: now + inactivityTimeout })];
        })),
        extend: (partition, member, after) => modify(partition, (queue, now) => {
            const position = queue.findIndex((other) => other.member === member);
            const entry = queue[position];
            const until = now + Duration.toMillis(after) + inactivityTimeout;
            return Effect.succeed([
                undefined,
                entry === undefined || until <= entry.until ? undefined : queue.with(position, { ...entry, until }),
            ]);
        }),
        dequeue: (partition, member) => modify(partition, (queue) => {
            const remaining = queue.filter((other) => other.member !== member);
            return Effect.succeed([undefined, remaining.length === queue.length ? undefined : remaining]);
        }),
    };
});
/** A partition key is any text; a key of the state store has at most 512 bytes. */
const keyOf = (partition) => partition.length <= 128 ? `queue:${partition}` : `queue:${sha256(partition)}`;
