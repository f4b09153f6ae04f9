/**
 * In-memory publish buffer of realtime's own events. Sockets do not wait for the bus: events are buffered in order until the
 * bus accepts them, so rooms stay usable while it is unavailable. Beyond the capacity the oldest events are dropped and
 * counted in the log. It is not a transactional outbox: a crash loses the buffered events.
 */
import * as TraceContext from "@armoricore/worker/TraceContext";
import * as Address from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { resultEventId } from "@armoricore/domain/DeterministicId";
import * as EventCodec from "@armoricore/domain/EventCodec";
import { increment, published } from "@armoricore/worker/WorkerMetrics";
import { Clock, Context, Effect, Latch, Layer } from "effect";
/** The events that realtime publishes. */
export const publishedTypes = [
    "chat.message",
    "chat.edited",
    "chat.removed",
    "comment.created",
    "comment.edited",
    "comment.removed",
    "presence.update",
];
export class PublishBuffer extends Context.Service()("@armoricore/realtime/PublishBuffer") {
}
/** Events of a batch are published concurrently. */
const maxBatch = 256;
const retryInterval = "1 second";
const flushTimeout = "5 seconds";
export const layer = (options = {}) => Layer.effect(PublishBuffer, Effect.gen(function* () {
    const bus = yield* EventBus;
    const capacity = options.capacity ?? 10_000;
    const hasPending = yield* Latch.make(false);
    let pending = [];
    let droppedCount = 0;
    const publish = (message) => bus.publish(message).pipe(Effect.tap(() => message.address.channel === "event"
        ? increment(published, "realtime", { type: message.address.type })
        : Effect.void), Effect.as(true), Effect.catchTag("PermanentError", (error) => Effect.as(Effect.logError(`the bus rejected a realtime event: ${error.message}`), true)), Effect.catch((error) => Effect.as(Effect.logDebug("cannot publish a realtime event; retrying", error), false)));
    /** Publishes the oldest events. False if the bus did not accept all of them. */
    const publishBatch = Effect.gen(function* () {
        const batch = pending.slice(0, maxBatch);
        const accepted = yield* Effect.forEach(batch, publish, { concurrency: "unbounded" });
        const done = new Set(batch.filter((_, index) => accepted[index] === true));
        pending = pending.filter((message) => !done.has(message));
        return done.size === batch.length;
    });
    const run = Effect.gen(function* () {
        yield* hasPending.await;
        if (droppedCount > 0) {
            yield* Effect.logError("dropped realtime events: the bus was unavailable for too long").pipe(Effect.annotateLogs({ dropped: droppedCount }));
            droppedCount = 0;
        }
        const isComplete = yield* publishBatch;
        if (pending.length === 0)
            hasPending.closeUnsafe();
        if (!isComplete)
            yield* Effect.sleep(retryInterval);
    });
    // Registered before the fiber below, so it runs after the fiber ended: the rest of the buffer gets one more attempt.
    yield* Effect.addFinalizer(() => Effect.gen(function* () {
        yield* Effect.timeoutOption(Effect.repeat(publishBatch, { until: (isComplete) => !isComplete || pending.length === 0 }), flushTimeout);
        if (pending.length === 0)
            return;
        yield* Effect.logError("shut down with unpublished realtime events: they are lost").pipe(Effect.annotateLogs({ events: pending.length }));
    }));
    yield* Effect.forkScoped(Effect.forever(run));
    return {
        pendingCount: () => pending.length,
        // Once per chat message: no span.
        offer: Effect.fnUntraced(function* (type, cause, payload) {
            const id = resultEventId(cause, type);
            const traceparent = yield* TraceContext.currentTraceparent;
            const body = EventCodec.encode({
                event_type: type,
                event_id: id,
                timestamp: new Date(yield* Clock.currentTimeMillis).toISOString(),
                source: "realtime",
                ...(traceparent === undefined ? {} : { traceparent }),
                payload,
            });
            pending.push({
                address: Address.event(type),
                id,
                body,
                ...(traceparent === undefined ? {} : { headers: { traceparent } }),
            });
            if (pending.length > capacity) {
                pending.shift();
                droppedCount++;
            }
            hasPending.openUnsafe();
        }),
    };
}));
