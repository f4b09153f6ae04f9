/** E-mail that its server defers, on virtual time. */
import { DeadLetters } from "@armoricore/worker";
import { eventually } from "@armoricore/testing/Eventually";
import { scheduledMessages } from "@armoricore/worker/ScheduledWork";
import * as Collection from "@armoricore/state/Collection";
import { assert, describe, it } from "@effect/vitest";
import { Clock, Duration, Effect, Exit, Layer, Scope } from "effect";
import { TestClock } from "effect/testing";
import { ProviderRegistry } from "../../src/provider/Provider.ts";
import * as SmtpReply from "../../src/providers/email/SmtpReply.ts";
import { deliveryState, notificationState, policy, ports, publishRequest, service } from "../support/NotifyHarness.ts";
const minute = 60_000;
const greylisted = SmtpReply.toProviderError(Object.assign(new Error("greylisted"), {
    command: "RCPT TO",
    responseCode: 450,
    response: "450 4.2.0 <anna@example.org>: Recipient address rejected: Greylisted",
}), false);
/** A server that defers every mail for so long after the first attempt. */
const greylist = (millis) => {
    const calls = [];
    const provider = {
        name: "smtp",
        channels: ["email"],
        reports: false,
        send: () => Effect.flatMap(Clock.currentTimeMillis, (now) => {
            calls.push(now);
            return now - (calls[0] ?? now) < millis ? Effect.fail(greylisted) : Effect.succeed({ providerId: "p" });
        }),
    };
    return { calls, provider };
};
const start = Effect.fnUntraced(function* (provider, change = {}) {
    const scope = yield* Scope.make();
    const register = Layer.effectDiscard(Effect.flatMap(ProviderRegistry, (registry) => registry.register(provider)));
    yield* Layer.buildWithScope(Layer.fresh(service(register, { rules: policy(change) })), scope);
    return scope;
});
const request = (more = {}) => publishRequest({ notification_type: "email", recipients: [{ email: "anna@example.org" }], ...more });
const delivery = Effect.fnUntraced(function* (id) {
    const [planned] = (yield* notificationState(id))?.deliveries ?? [];
    return planned === undefined ? undefined : yield* deliveryState(planned.delivery_id);
});
const pass = (duration, step) => {
    const steps = Math.ceil(Duration.toMillis(Duration.fromInputUnsafe(duration)) / Duration.toMillis(Duration.fromInputUnsafe(step)));
    return Effect.forEach(Array.from({ length: steps }), () => TestClock.adjust(step), { discard: true });
};
describe("a deferred e-mail", () => {
    it.effect("survives a greylist of ten minutes and a restart, without an unacknowledged message", () => Effect.gen(function* () {
        const { calls, provider } = greylist(10 * minute);
        const first = yield* start(provider);
        const id = yield* request();
        const deferred = yield* eventually(delivery(id), (state) => state?.status === "deferred");
        assert.deepInclude(deferred, { attempt: 1, deferrals: 1, reason: "deferred" });
        const now = yield* Clock.currentTimeMillis;
        assert.strictEqual(deferred?.not_before, now + minute);
        assert.lengthOf(yield* (yield* Collection.make(scheduledMessages)).list({ limit: 10 }), 1);
        yield* pass("2 minutes", "15 seconds");
        yield* Effect.forkDetach(Scope.close(first, Exit.void));
        yield* pass("1 minute", "15 seconds");
        const next = yield* start(provider);
        yield* pass("15 minutes", "15 seconds");
        const state = yield* eventually(notificationState(id), (found) => found?.status !== "pending");
        assert.strictEqual(state?.status, "sent");
        const delays = calls.slice(1).map((at, index) => at - (calls[index] ?? 0));
        assert.isTrue(delays.every((delay) => delay >= minute));
        assert.isEmpty(yield* (yield* Collection.make(scheduledMessages)).list({ limit: 10 }));
        yield* Effect.forkDetach(Scope.close(next, Exit.void));
    }).pipe(Effect.provide(ports)));
    it.effect("ends when the notification expires", () => Effect.gen(function* () {
        const { provider } = greylist(Infinity);
        const scope = yield* start(provider);
        const id = yield* request({ expires_at: new Date(5 * minute).toISOString() });
        yield* pass("6 minutes", "15 seconds");
        const state = yield* eventually(notificationState(id), (found) => found?.status !== "pending");
        assert.strictEqual(state?.deliveries[0]?.summary?.status, "expired");
        yield* Effect.forkDetach(Scope.close(scope, Exit.void));
    }).pipe(Effect.provide(ports)));
    it.effect("fails after MAIL_RETRY_FOR with attempts at most an hour apart, and becomes a dead letter", () => Effect.gen(function* () {
        const { calls, provider } = greylist(Infinity);
        const scope = yield* start(provider, { mailRetryFor: Duration.hours(5) });
        const id = yield* request();
        yield* pass("6 hours", "1 minute");
        const state = yield* eventually(notificationState(id), (found) => found?.status !== "pending");
        assert.deepInclude(state?.deliveries[0]?.summary, { status: "failed", reason: "deferred" });
        const delays = calls.slice(1).map((at, index) => at - (calls[index] ?? 0));
        assert.isAtMost(Math.max(...delays), 62 * minute);
        assert.isAtLeast((calls.at(-1) ?? 0) - (calls[0] ?? 0), 5 * 60 * minute);
        const letters = yield* (yield* DeadLetters).list({ limit: 10 });
        assert.deepStrictEqual(letters.map(({ record }) => record.reason), ["deferred"]);
        yield* Effect.forkDetach(Scope.close(scope, Exit.void));
    }).pipe(Effect.provide(ports)));
});
