/**
 * E-mail that its server defers is sent again after one minute to one hour, as RFC 5321 (4.5.4.1) asks: greylisting, a
 * full mailbox and rate limits pass by themselves, but not within seconds.
 *
 *     call → 4yz → write `deferred` with the time of the next attempt → schedule its work message → ack
 *
 * The work message waits in the state (see `ScheduledWork`). A worker that dies before it scheduled the message leaves
 * its own message unacknowledged; the next worker finds `deferred` and schedules it then.
 */
import { TransientError } from "@armoricore/domain/Errors";
import { retryPolicyOf } from "@armoricore/worker/RetryPolicy";
import * as ScheduledWork from "@armoricore/worker/ScheduledWork";
import { Clock, Duration, Effect, Random } from "effect";
import * as Metrics from "../NotifyMetrics.ts";
import { deferredCode } from "../provider/ProviderCircuit.ts";
import * as WorkKinds from "../WorkKinds.ts";
import { DeliveryPolicy } from "./DeliveryPolicy.ts";
import * as PlannedDelivery from "./PlannedDelivery.ts";
/** A provider that throttles by the second gets so many attempts before its messages are deferred. */
const maxThrottledAttempts = 4;
export const make = (records) => Effect.gen(function* () {
    const scheduled = yield* ScheduledWork.make("notify");
    const { mailRetryFor, maxMailRetryDelay, minMailRetryDelay } = yield* DeliveryPolicy;
    const { maxAttempts } = yield* retryPolicyOf("notify");
    const minMillis = Duration.toMillis(minMailRetryDelay);
    const maxMillis = Duration.toMillis(maxMailRetryDelay);
    const deadlineOf = ({ notification }) => PlannedDelivery.startedAt(notification) + Duration.toMillis(mailRetryFor);
    /** Doubles with each deferral, with up to a tenth less so that deferred mail does not return all at once. */
    const delayAfter = (deferrals, retryAfterMillis = 0) => Effect.map(Random.next, (random) => {
        const ceiling = Math.min(maxMillis, minMillis * 2 ** (deferrals - 1));
        return Math.max(minMillis, ceiling * (1 - random / 10), retryAfterMillis);
    });
    /** Schedules the next attempt of a deferred delivery. A repetition changes nothing. */
    const reschedule = (delivery, { deferrals = 1, not_before = 0 }) => {
        const { channel, index, notification, planned } = delivery;
        const { notification_id, request_id, source_event_id } = notification;
        // The attempt at the deadline is the last one: its failure becomes a dead letter.
        const isLast = not_before >= deadlineOf(delivery);
        return scheduled.schedule(WorkKinds.deliveries(channel), `${planned.delivery_id}.${deferrals}`, not_before, {
            cause_id: source_event_id,
            ...(request_id === undefined ? {} : { request_id }),
            payload: { notification_id, index, ...(isLast ? { prior_attempts: maxAttempts - 1 } : {}) },
        });
    };
    /**
     * Returns the stored state: `deferred`, or what a report of the provider stored first. Undefined if this failure is no
     * deferral, or the time for it is over; then it counts as an attempt.
     */
    const defer = Effect.fnUntraced(function* (delivery, current, failure) {
        const { attempt, deferrals: earlier = 0 } = current.value;
        const isDeferral = failure.code === deferredCode || (failure.code === "throttled" && attempt >= maxThrottledAttempts);
        if (delivery.channel !== "email" || !isDeferral)
            return undefined;
        const now = yield* Clock.currentTimeMillis;
        const deadline = deadlineOf(delivery);
        if (now >= deadline)
            return undefined;
        const deferrals = earlier + 1;
        const next = now + (yield* delayAfter(deferrals, failure.retryAfterMillis));
        const not_before = Math.ceil(Math.min(next, deadline, PlannedDelivery.expiresAt(delivery.notification)));
        const { value } = yield* records.writeResult(current, {
            status: "deferred",
            attempt,
            deferrals,
            not_before,
            reason: failure.code,
            message: failure.message,
        });
        if (value.status !== "deferred")
            return value;
        yield* Metrics.increment(Metrics.deferrals, { provider: value.provider ?? "none" });
        yield* Effect.logInfo(`An e-mail was deferred and is sent again later: ${failure.message}`, {
            delivery_id: value.delivery_id,
            next_attempt_at: new Date(not_before).toISOString(),
        });
        yield* reschedule(delivery, value);
        return value;
    });
    return { defer, reschedule };
});
