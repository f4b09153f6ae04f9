import { Clock, Duration, Effect, Latch, Stream } from "effect";
import * as ConsumerLoop from "../ConsumerLoop.ts";
import { pattern } from "../Subjects.ts";
import { event, prefixes, subject as subjectOf } from "../Address.ts";
export const skippedSubjects = ({ skips = [] }) => new Set(skips.map((type) => subjectOf(event(type))));
/** With fewer slots, a slot that waits for its ack would delay the next message. */
const minConcurrencyForDeferredAcks = 8;
/** After so many notifications of skipped messages, the position moves past them, so that no query passes over many. */
const maxSkippedNotifications = 256;
export const makePullSource = Effect.fnUntraced(function* (bus, connections, options, ownerId, asBusError, toStoredMessage) {
    const { name, from } = options;
    const subject = from === "all-events" ? undefined : pattern(from);
    const table = from !== "all-events" && from.channel === "work" ? "bus_work" : "bus_event";
    const ackWait = Duration.toMillis(options.ackWait ?? ConsumerLoop.defaults.ackWait);
    const maxDeliveries = ConsumerLoop.brokerMaxDeliver(options);
    const skipped = skippedSubjects(options);
    const key = { name, table, subject };
    const acksMayWait = options.concurrency >= minConcurrencyForDeferredAcks;
    const available = yield* Latch.make(true);
    let wakeAt = 0;
    let skippedNotifications = 0;
    const onReady = (topic) => {
        const isSkipped = skipped.has(topic.slice("ready/".length)) && ++skippedNotifications < maxSkippedNotifications;
        if (isSkipped)
            return;
        skippedNotifications = 0;
        available.openUnsafe();
    };
    yield* bus.subscribe(`ready/${subject ?? prefixes.event}`, onReady).pipe(Effect.mapError(asBusError));
    // Notifications are missed while the folder's owner is away. Ends with the consumer's scope.
    yield* Effect.forkScoped(Stream.runForEach(connections, () => available.open));
    const mapErrors = (effect) => Effect.mapError(effect, asBusError);
    const setDue = (operation, seq, attempt, millis) => Clock.currentTimeMillis.pipe(Effect.flatMap((now) => {
        // The column holds integers, and a delay may have a fraction of a millisecond.
        const due = Math.ceil(now + millis);
        return operation === "working"
            ? bus.call("extendLease", { name, seq, attempt, due })
            : bus.call("retry", { name, seq, attempt, due, subject: subject ?? prefixes.event });
    }), mapErrors, Effect.asVoid);
    const source = {
        ready: () => Effect.suspend(() => available.isOpen()
            ? Effect.void
            : Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.raceFirst(available.await, Effect.sleep(Math.max(0, wakeAt - now))))),
        take: Effect.fnUntraced(function* (max) {
            const now = yield* Clock.currentTimeMillis;
            // Closed before the query: a notification about a message that the query does not see opens it again.
            available.closeUnsafe();
            const { rows, parkedIds, nextDue } = yield* bus
                .call("take", { ...key, max, now, ackWait, maxDeliveries, ownerId })
                .pipe(mapErrors, Effect.onError(() => available.open));
            wakeAt = Math.min(nextDue, now + ackWait);
            if (rows.length === max)
                available.openUnsafe();
            if (parkedIds.length > 0) {
                yield* Effect.logError(`Consumer ${name} delivered these messages ${maxDeliveries} times and stops; they stay stored for inspection`, parkedIds);
            }
            return rows.map((row) => ({
                delivery: { ...toStoredMessage(row), deliveryCount: row.attempt },
                sequence: row.seq,
                ack: mapErrors(bus.call("ack", { name, table, seq: row.seq }, { deferred: acksMayWait })),
                nack: (millis) => setDue("retry", row.seq, row.attempt, millis),
                inProgress: setDue("working", row.seq, row.attempt, ackWait),
            }));
        }),
        stop: Effect.void,
        depth: Effect.flatMap(Clock.currentTimeMillis, (now) => mapErrors(bus.call("depth", { ...key, now }))),
    };
    return source;
});
