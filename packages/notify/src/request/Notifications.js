/**
 * The state documents of notifications. The request creates the document; each delivery then adds its summary. A single
 * push has no document of its own while its first call runs: the notification says that it does (`first_call`). When
 * every delivery is final, the notification becomes `sent` or `failed` exactly once, and the update that made it final
 * returns the event.
 *
 * - Two deliveries end at the same time: every write is a compare-and-set. Updates within one process are batched, so
 *   that a thousand deliveries of one notification do not write its document a thousand times.
 * - The process crashes after the last update was written and before the ledger stored the events: the redelivered
 *   message repeats the update. The update changes nothing and returns the same events with the same ids, because every
 *   event of a delivery can be created again from this document.
 * - A delivery that failed temporarily is replayed and sent: `failed` becomes `sent`, never the reverse.
 */
import { TransientError } from "@armoricore/domain/Errors";
import { statusRank, } from "@armoricore/domain/NotificationState";
import * as Collection from "@armoricore/state/Collection";
import { aliasKeyOf, notificationAliases, notificationStates } from "@armoricore/state/NotificationStates";
import { emit } from "@armoricore/worker/ResultMessage";
import { Clock, Context, Deferred, Duration, Effect, Exit, Layer, Option, Result } from "effect";
import * as DocumentCache from "./DocumentCache.ts";
import * as InvalidTokens from "./InvalidTokens.ts";
export class Notifications extends Context.Service()("@armoricore/notify/Notifications") {
    static layer = Layer.effect(Notifications, Effect.suspend(() => make));
}
const flushDelay = Duration.millis(5);
const make = Effect.gen(function* () {
    const documents = yield* Collection.make(notificationStates);
    const aliases = yield* Collection.make(notificationAliases);
    const cache = DocumentCache.make({ maxEntries: 2_000, maxCharacters: 32_000_000 });
    const pending = new Map();
    const load = (id) => Effect.tap(documents.get(id), (found) => {
        if (Option.isSome(found))
            cache.put(found.value);
        return Effect.void;
    });
    const write = (document, next) => Effect.map(documents.update(document.key, next, document.revision), (revision) => cache.put({ key: document.key, value: next, revision }));
    /** Applies all waiting updates in one write. The last one gets the final event. */
    const apply = (id, batch) => Effect.gen(function* () {
        for (let attemptsLeft = 64;; attemptsLeft--) {
            const document = cache.get(id) ?? Option.getOrUndefined(yield* load(id));
            if (document === undefined) {
                yield* Effect.logWarning(`Dropped updates of the notification ${id}: it no longer exists`);
                return [];
            }
            const now = new Date(yield* Clock.currentTimeMillis).toISOString();
            const next = merge(document.value, batch, now);
            if (next === document.value)
                return repeatedFinalEvent(next, batch);
            const written = yield* Effect.result(write(document, next));
            if (Result.isSuccess(written))
                return next.status === document.value.status ? repeatedFinalEvent(next, batch) : finalEvent(next);
            if (written.failure._tag !== "Conflict")
                return yield* written.failure;
            cache.remove(id);
            if (attemptsLeft <= 1)
                return yield* writeConflict(id);
        }
    });
    const applyUpdates = (id, updates) => Effect.uninterruptible(Effect.suspend(() => {
        const queue = pending.get(id);
        const entry = { updates, done: Deferred.makeUnsafe() };
        if (queue !== undefined) {
            queue.push(entry);
            return Deferred.await(entry.done);
        }
        pending.set(id, []);
        const first = Effect.suspend(() => {
            const more = pending.get(id) ?? [];
            pending.set(id, []);
            return flush(id, [entry, ...more]);
        });
        const open = openCount(cache.get(id)?.value) - updates.length;
        // Other deliveries of this notification probably end within these milliseconds: one write serves them all.
        return Effect.andThen(open > 0 ? Effect.delay(first, flushDelay) : first, Deferred.await(entry.done));
    }));
    const flush = (id, first) => Effect.gen(function* () {
        let batch = first;
        while (batch.length > 0) {
            const exit = yield* Effect.exit(apply(id, batch));
            batch.forEach(({ done }, at) => Deferred.doneUnsafe(done, Exit.isSuccess(exit) && at < batch.length - 1 ? Exit.succeed([]) : exit));
            batch = pending.get(id) ?? [];
            pending.set(id, []);
        }
        pending.delete(id);
    });
    const createNew = (state) => Effect.map(documents.create(state.notification_id, state), (revision) => {
        cache.put({ key: state.notification_id, value: state, revision });
        return state;
    });
    const alias = (eventId, id) => eventId === id ? Effect.void : Effect.asVoid(aliases.put(aliasKeyOf(eventId), { notification_id: id }));
    return Notifications.of({
        createCalling: (state, index, call) => Effect.andThen(createNew(withEntry(state, index, (entry) => ({ ...entry, first_call: call }))), alias(state.source_event_id, state.notification_id)),
        releaseCall: (id, index, wasSent) => Effect.suspend(() => {
            const document = cache.get(id);
            const call = document?.value.deliveries[index]?.first_call;
            if (document === undefined || call === undefined)
                return Effect.void;
            const next = withEntry(document.value, index, ({ first_call: _call, ...entry }) => wasSent ? { ...entry, first_call: { ...call, lease_until: 0 } } : entry);
            return write(document, next);
        }),
        create: (state) => createNew(state).pipe(Effect.catchTag("Conflict", () => Effect.flatMap(load(state.notification_id), Option.match({
            onNone: () => Effect.fail(writeConflict(state.notification_id)),
            onSome: ({ value }) => Effect.succeed(value),
        })))),
        alias,
        get: (id) => {
            const known = cache.get(id);
            return known === undefined
                ? Effect.map(load(id), Option.map(({ value }) => value))
                : Effect.succeed(Option.some(known.value));
        },
        refresh: (id) => Effect.map(load(id), Option.map(({ value }) => value)),
        applyUpdates,
        finalize: (id) => Effect.map(applyUpdates(id, []), (events) => {
            const known = cache.get(id);
            return known === undefined ? events : [...InvalidTokens.eventsOf(known.value), ...events];
        }),
    });
});
const withEntry = (state, index, change) => ({
    ...state,
    deliveries: state.deliveries.map((entry, at) => (at === index ? change(entry) : entry)),
});
const writeConflict = (id) => new TransientError({
    dependency: "state",
    code: "write_conflict",
    message: `the notification ${id} changed during every attempt to update it`,
});
const openCount = (state) => {
    let open = 0;
    for (const { summary } of state?.deliveries ?? [])
        if (summary === undefined)
            open++;
    return open;
};
/** Returns the same object if nothing changes. */
const merge = (state, batch, now) => {
    const deliveries = [...state.deliveries];
    let changed = false;
    let reportKey;
    for (const { index, invalidSince, report, summary, targetInvalid } of batch.flatMap(({ updates }) => updates)) {
        const planned = deliveries[index];
        if (planned === undefined)
            continue;
        const before = planned.summary;
        if (before !== undefined && statusRank(summary.status) <= statusRank(before.status))
            continue;
        // The reason of the earlier status does not explain the new one.
        const { reason: _reason, ...rest } = before ?? {};
        const { first_call: _call, invalid_since: _since, target_invalid: _invalid, ...unchanged } = planned;
        deliveries[index] = {
            ...unchanged,
            summary: { ...rest, ...summary },
            ...(targetInvalid === true ? { target_invalid: true } : {}),
            ...(invalidSince === undefined ? {} : { invalid_since: invalidSince }),
        };
        changed = true;
        if (report === true)
            reportKey = reportKeyOf(planned, summary);
    }
    const status = statusOf(state, deliveries);
    if (!changed && status === state.status)
        return state;
    return {
        ...state,
        deliveries,
        status,
        ...(status === "pending" || status === state.status ? {} : { ended_at: now }),
        ...(status === state.status || reportKey === undefined ? {} : { ended_by_report: reportKey }),
        updated_at: now,
    };
};
const reportKeyOf = ({ delivery_id }, { status }) => `${delivery_id}.${status}`;
const sentStatuses = new Set(["sent", "delivered", "bounced", "complained"]);
const statusOf = (state, deliveries) => {
    if (!deliveries.every(({ summary }) => summary !== undefined))
        return state.status;
    return deliveries.some(({ summary }) => sentStatuses.has(summary?.status ?? "")) ? "sent" : "failed";
};
/** A late report of a final notification returns no event. A repetition of the update that made it final does. */
const repeatedFinalEvent = (state, batch) => batch.some(({ updates }) => updates.every((update) => update.report !== true || endedNotification(state, update)))
    ? finalEvent(state)
    : [];
const endedNotification = (state, { index, summary }) => {
    const planned = state.deliveries[index];
    return planned !== undefined && state.ended_by_report === reportKeyOf(planned, summary);
};
/** `notification.sent` or `notification.failed`. The event is the same each time it is created. */
const finalEvent = (state) => {
    if (state.status === "pending")
        return [];
    const about = {
        user_id: state.user_id,
        notification_id: state.notification_id,
        notification_type: state.notification_type,
    };
    const at = state.ended_at ?? state.updated_at;
    const deliveries = state.deliveries.flatMap(({ summary }) => (summary === undefined ? [] : [summary]));
    return state.status === "sent"
        ? [emit("notification.sent", { ...about, sent_at: at, deliveries })]
        : [emit("notification.failed", { ...about, error: errorOf(state), failed_at: at, deliveries })];
};
const errorOf = ({ deliveries, error }) => {
    if (error !== undefined)
        return error;
    const reasons = new Set(deliveries.map(({ summary }) => summary?.reason ?? summary?.status ?? "failed"));
    const [reason = "failed"] = reasons;
    return reasons.size === 1
        ? { code: reason, message: `no delivery was sent: ${reason}` }
        : { code: "not_sent", message: `no delivery was sent: ${[...reasons].join(", ")}` };
};
