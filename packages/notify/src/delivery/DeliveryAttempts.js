/**
 * One attempt to deliver. It calls the channel's providers in their order until one accepts the message or reports a
 * final failure.
 *
 *     write `sending` → call the provider → write `sent` or another result → update the notification
 *
 * `Deliveries` decides how the next worker continues after a crash.
 */
import { TransientError } from "@armoricore/domain/Errors";
import { Clock, Duration, Effect, Result } from "effect";
import { DeliveryPolicy } from "./DeliveryPolicy.ts";
import * as PlannedDelivery from "./PlannedDelivery.ts";
import { Notifications } from "../request/Notifications.ts";
import * as Metrics from "../NotifyMetrics.ts";
import * as ProviderCircuit from "../provider/ProviderCircuit.ts";
import { ProviderCircuits } from "../provider/ProviderCircuits.ts";
import { Suppressions } from "../unsubscribe/Suppressions.ts";
import { channelTraits, hashOf } from "../request/Target.ts";
import { UnreadBadge } from "../request/UnreadBadge.ts";
import { UnsubscribeLinks } from "../unsubscribe/UnsubscribeLinks.ts";
import * as MailDeferral from "./MailDeferral.ts";
import * as DeliveryResults from "./DeliveryResults.ts";
/** The lease outlives the call by this margin, which covers the write of the result. */
export const leaseMarginMillis = 2_000;
/** Requires the services of a delivery. `records` is the store of delivery states. */
export const make = (records) => Effect.gen(function* () {
    const circuits = yield* ProviderCircuits;
    const notifications = yield* Notifications;
    const suppressions = yield* Suppressions;
    const unsubscribe = yield* UnsubscribeLinks;
    const badges = yield* UnreadBadge;
    const policy = yield* DeliveryPolicy;
    const deferral = yield* MailDeferral.make(records);
    const leaseMillis = Duration.toMillis(policy.callTimeout) + leaseMarginMillis;
    const recordResult = (delivery, final) => DeliveryResults.record(notifications, delivery.notification.notification_id, [{ delivery, final }]);
    /** Writes a final state, then updates the notification. */
    const finish = (delivery, current, change) => Effect.flatMap(current === undefined
        ? records.write(PlannedDelivery.identifiersOf(delivery), undefined, change)
        : records.writeResult(current, change), ({ value }) => recordResult(delivery, value));
    /** The provider may or may not have accepted the message. `reports` means that the provider may report it later. */
    const recordUnknownOutcome = Effect.fnUntraced(function* (delivery, current, message, reports) {
        yield* Metrics.increment(Metrics.unknownOutcomes, { channel: delivery.channel });
        const reason = { reason: "outcome_unknown", message };
        const { isRepeatable } = channelTraits[delivery.channel];
        if (!isRepeatable && !policy.resendUnknownMail)
            return yield* finish(delivery, current, { status: "unknown", ...reason });
        const now = yield* Clock.currentTimeMillis;
        const wait = !isRepeatable && reports ? Duration.toMillis(policy.reportTimeout) : 0;
        yield* records.writeResult(current, { status: "unknown", ...reason, resend_at: now + wait });
        return yield* wait > 0
            ? snooze("awaiting_report", message, wait)
            : new TransientError({
                dependency: current.value.provider ?? delivery.channel,
                code: "outcome_unknown",
                message,
            });
    });
    /**
     * An interrupted call releases its lease, so that no worker has to wait for the lease to expire. The outcome is
     * unknown, unless the provider aborted before it sent anything.
     */
    const releaseLease = (current, { provider }) => {
        if (current?.value.status !== "sending")
            return Effect.void;
        const { attempt, delivery_id } = current.value;
        const after = provider.wasAbortedBeforeSend?.(delivery_id) === true
            ? { status: "requested", attempt }
            : { status: "sending", attempt, lease_until: 0 };
        return records
            .write(current.value, current, after)
            .pipe(Effect.catch((error) => Effect.logDebug(`The lease of a delivery was not released: ${error.message}`)));
    };
    /** A suppressed address gets no copies either. */
    const withoutSuppressedCopies = Effect.fnUntraced(function* (message, category) {
        const { email } = message;
        if (email === undefined || (email.cc.length === 0 && email.bcc.length === 0))
            return message;
        const isAllowed = (address) => Effect.map(suppressions.reasonFor({ channel: "email", address }, category), (reason) => reason === undefined);
        const cc = yield* Effect.filter(email.cc, isAllowed);
        const bcc = yield* Effect.filter(email.bcc, isAllowed);
        return { ...message, email: { ...email, cc, bcc } };
    });
    const callProviders = Effect.fnUntraced(function* (delivery, found, candidates, now) {
        const { notification, planned } = delivery;
        const { category } = notification.content;
        const links = planned.target.channel === "email" && category !== undefined
            ? {
                unsubscribe: yield* unsubscribe.urlFor(planned.target, category),
                preferences: yield* unsubscribe.preferencesUrlFor(notification.user_id, planned.target, category),
            }
            : {};
        const shown = { ...delivery, notification: yield* badges.resolve(notification) };
        const message = yield* withoutSuppressedCopies(PlannedDelivery.messageOf(shown, links), category);
        let current = found;
        let earliest;
        let failure;
        for (const circuit of candidates) {
            const begin = Effect.flatMap(Clock.currentTimeMillis, (at) => Effect.map(records.write(PlannedDelivery.identifiersOf(delivery), current, {
                status: "sending",
                attempt: (current?.value.attempt ?? 0) + 1,
                lease_until: at + leaseMillis,
                provider: circuit.provider.name,
            }), (written) => {
                current = written;
            }));
            const end = yield* Effect.uninterruptibleMask((restore) => restore(Effect.result(circuit.attempt(message, begin))).pipe(Effect.flatMap((result) => {
                if (Result.isFailure(result))
                    return Effect.succeed({ _tag: "Failed", error: result.failure });
                const answer = result.success;
                if ("_tag" in answer)
                    return Effect.succeed(answer);
                if (current === undefined)
                    return Effect.die(new Error("a provider was called before the state `sending` was written"));
                // Uninterruptible until the acceptance is stored; otherwise the outcome would be unknown.
                const { providerId: provider_id } = answer;
                return Effect.map(records.writeResult(current, { status: "sent", ...(provider_id === undefined ? {} : { provider_id }) }), ({ value }) => ({ _tag: "Accepted", state: value }));
            }), Effect.onInterrupt(() => releaseLease(current, circuit))));
            if (end._tag === "Accepted")
                return yield* recordResult(delivery, end.state);
            if (end._tag === "Unavailable") {
                if (earliest === undefined || end.waitMillis < earliest.waitMillis)
                    earliest = end;
                continue;
            }
            const { error } = end;
            if (error._tag === "Conflict")
                return yield* error;
            if (current === undefined)
                return yield* failedBeforeWrite(error);
            switch (error._tag) {
                case "InvalidTarget": {
                    if (delivery.channel === "email") {
                        const { message: evidence } = error;
                        const addition = { source: circuit.provider.name, evidence, delivery_id: planned.delivery_id };
                        yield* suppressions.add(hashOf(planned.target), { reason: "bounced", ...addition });
                    }
                    const since = error.invalidSince === undefined ? {} : { invalid_since: error.invalidSince };
                    const change = { reason: error.reason, message: error.message, target_invalid: true, ...since };
                    return yield* finish(delivery, current, { status: "failed", ...change });
                }
                case "PermanentError":
                    return yield* finish(delivery, current, { status: "failed", reason: error.code, message: error.message });
                case "UnknownOutcome":
                    return yield* recordUnknownOutcome(delivery, current, error.message, circuit.provider.reports);
                // The configuration of the state store is at fault, not that of the provider: a misconfigured provider is
                // paused instead.
                case "ConfigurationError":
                    return yield* error;
                case "TransientError":
                    failure = failure === undefined || isSooner(error, failure) ? error : failure;
            }
        }
        if (failure !== undefined && current !== undefined) {
            const deferred = yield* deferral.defer(delivery, current, failure);
            if (deferred !== undefined)
                return deferred.status === "deferred" ? [] : yield* recordResult(delivery, deferred);
        }
        // No provider accepted the message, and every call had a definite result. The next attempt starts from the
        // beginning.
        if (current?.value.status === "sending")
            yield* records.writeResult(current, { status: "requested" });
        const isPastMaxWait = now > PlannedDelivery.startedAt(notification) + Duration.toMillis(policy.maxProviderWait);
        // The delivery ends when it expires, even if the provider would be available only later.
        const remainingMillis = PlannedDelivery.expiresAt(notification) - now;
        if (failure !== undefined)
            return yield* isPastMaxWait ? asAttempt(failure) : ProviderCircuit.capRetryAfter(failure, remainingMillis);
        const { waitMillis, reason } = earliest ?? { waitMillis: 1_000, reason: "provider_paused" };
        const none = `no provider for ${delivery.channel} `;
        return yield* isPastMaxWait
            ? new TransientError({ dependency: delivery.channel, code: reason, message: `${none}was available` })
            : snooze(reason, `${none}is available now`, Math.min(waitMillis, remainingMillis));
    });
    const attempt = (delivery, found) => Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const { notification, planned } = delivery;
        if (PlannedDelivery.isExpired(notification, now))
            return finish(delivery, found, { status: "expired", reason: "expired" });
        const candidates = circuits.forChannel(delivery.channel);
        return Effect.flatMap(suppressions.reasonFor(planned.target, notification.content.category), (suppressed) => {
            if (suppressed !== undefined)
                return finish(delivery, found, { status: "suppressed", reason: suppressed });
            if (candidates.length > 0)
                return callProviders(delivery, found, candidates, now);
            const message = `no provider for ${delivery.channel} is configured`;
            return finish(delivery, found, { status: "failed", reason: "no_provider", message });
        });
    });
    return { attempt, finish, recordResult, recordUnknownOutcome, reschedule: deferral.reschedule };
});
/** Waits without counting an attempt. */
export const snooze = (code, message, retryAfterMillis) => Effect.fail(new TransientError({ dependency: "notify", code, message, retryAfterMillis, countsAsAttempt: false }));
/** The same failure, counted as an attempt. */
const asAttempt = ({ code, dependency, message }) => new TransientError({ dependency, code, message });
const isSooner = (a, b) => (a.retryAfterMillis ?? 0) < (b.retryAfterMillis ?? 0);
/** The error of a call that failed before any state was written. */
const failedBeforeWrite = (error) => error._tag === "TransientError" || error._tag === "ConfigurationError"
    ? Effect.fail(error)
    : Effect.fail(new TransientError({ dependency: "notify", code: "internal_error", message: error.message }));
