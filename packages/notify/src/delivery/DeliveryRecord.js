/**
 * The state document of a delivery. `sending` is written before every call of a provider and holds a lease. A worker
 * that finds `sending` with an expired lease knows that the provider may have received the call, and that its outcome
 * is unknown.
 */
import { TransientError } from "@armoricore/domain/Errors";
import { statusRank } from "@armoricore/domain/NotificationState";
import * as Collection from "@armoricore/state/Collection";
import { deliveryStates } from "@armoricore/state/NotificationStates";
import { Clock, Effect, Option, Schedule } from "effect";
export const make = Effect.gen(function* () {
    const documents = yield* Collection.make(deliveryStates);
    const write = Effect.fnUntraced(function* (about, current, change) {
        const now = yield* Clock.currentTimeMillis;
        const value = {
            delivery_id: about.delivery_id,
            notification_id: about.notification_id,
            channel: about.channel,
            attempt: current?.value.attempt ?? 0,
            ...carriedOver(current?.value),
            ...change,
            updated_at: new Date(now).toISOString(),
        };
        const revision = yield* current === undefined
            ? documents.create(about.delivery_id, value)
            : documents.update(about.delivery_id, value, current.revision);
        return { key: about.delivery_id, value, revision };
    });
    const applyReport = (about, change) => documents
        .modify(about.delivery_id, (found) => Effect.map(Clock.currentTimeMillis, (now) => {
        const current = Option.getOrUndefined(found)?.value;
        const before = current ?? { ...about, status: "requested", attempt: 0, updated_at: "" };
        const isHigher = statusRank(change.status) > statusRank(before.status);
        const next = {
            ...(isHigher ? { ...before, ...change } : { ...change, ...before }),
            updated_at: new Date(now).toISOString(),
        };
        return [next, isHigher ? Option.some(next) : Option.none()];
    }))
        .pipe(Effect.catchTag("Conflict", ({ key }) => Effect.fail(writeConflict(key))));
    return {
        get: (id) => Effect.map(documents.get(id), Option.getOrUndefined),
        write,
        writeResult: (current, change) => write(current.value, current, change).pipe(Effect.catchTag("Conflict", () => Effect.map(applyReport(current.value, change), (value) => ({ ...current, value }))), Effect.retry({
            while: (error) => error._tag === "TransientError",
            schedule: Schedule.exponential("50 millis").pipe(Schedule.upTo({ times: 6 })),
        })),
        applyReport,
    };
});
/** The fields that remain across a change of status. */
const carriedOver = (before) => ({
    ...(before?.provider === undefined ? {} : { provider: before.provider }),
    ...(before?.provider_id === undefined ? {} : { provider_id: before.provider_id }),
    ...(before?.deferrals === undefined ? {} : { deferrals: before.deferrals }),
    ...(before?.reopened_by === undefined ? {} : { reopened_by: before.reopened_by }),
});
export const writeConflict = (id) => new TransientError({
    dependency: "state",
    code: "write_conflict",
    message: `${id} was changed by another worker`,
    countsAsAttempt: false,
});
