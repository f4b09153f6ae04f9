/** Pushes to many targets at once: each kind of response has the same effect as in a push to one target. */
import { FakeApns, reasons } from "@armoricore/testing/fakes/FakeApns";
import { DeadLetters } from "@armoricore/worker";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Exit, Layer } from "effect";
import { DeliveryPolicy } from "../../src/delivery/DeliveryPolicy.ts";
import { UnknownOutcome, ProviderRegistry, InvalidTarget } from "../../src/provider/Provider.ts";
import * as Apns from "../../src/providers/push/Apns.ts";
import * as CallbackSemaphore from "../../src/batch/CallbackSemaphore.ts";
import * as PushBatch from "../../src/batch/PushBatch.ts";
import { awaitFinal, recordEvents, policy, ports, publishRequest, service, until } from "../support/NotifyHarness.ts";
import { PermanentError, TransientError } from "@armoricore/domain/Errors";
const apns = Layer.unwrap(Effect.map(FakeApns, ({ baseUrl, ca, key, keyId, teamId, topic }) => Apns.layer({ baseUrl, ca, key, keyId, teamId, topic })));
const installed = service(apns).pipe(Layer.provideMerge(Layer.merge(ports, FakeApns.layer)));
/** A provider whose answer each token names. */
const scripted = (calls, at = []) => {
    const seen = new Map();
    const route = {
        name: "scripted",
        channels: ["fcm"],
        reports: false,
        send: ({ target, uuid }) => Effect.suspend(() => {
            const token = "token" in target ? target.token : "";
            calls.push(`${token} ${uuid}`);
            at.push(Date.now());
            const count = (seen.get(token) ?? 0) + 1;
            seen.set(token, count);
            const once = (error) => (count === 1 ? Effect.fail(error) : Effect.succeed({ providerId: "p" }));
            if (token.startsWith("gone"))
                return Effect.fail(new InvalidTarget({ reason: "unregistered", message: "gone" }));
            if (token.startsWith("refused"))
                return Effect.fail(new PermanentError({ code: "refused", message: "no" }));
            if (token.startsWith("unknown"))
                return once(new UnknownOutcome({ message: "no answer" }));
            if (token.startsWith("defect"))
                return count === 1 ? Effect.die(new Error("a bug")) : Effect.succeed({});
            const throttled = { dependency: "scripted", code: "throttled", message: "later" };
            if (token.startsWith("later"))
                return once(new TransientError({ ...throttled, retryAfterMillis: 1_000 }));
            if (token.startsWith("never"))
                return Effect.fail(new TransientError(throttled));
            if (token.startsWith("silent"))
                return count === 1 ? Effect.never : Effect.succeed({});
            return Effect.succeed({ providerId: "p" });
        }),
    };
    return Layer.effectDiscard(Effect.flatMap(ProviderRegistry, (routes) => routes.register(route)));
};
const withScript = (calls, at, change = {}) => service(scripted(calls, at)).pipe(Layer.provide(policy(change)), Layer.provideMerge(ports));
const recipients = (tokens) => tokens.map((token) => ({ fcm_token: token.padEnd(12, "_") }));
describe("a push batch", () => {
    it.live("gives each rejected token the same result as a single push, independently of the other targets", () => Effect.gen(function* () {
        const fake = yield* FakeApns;
        // Object.keys cannot know that the table has no other keys.
        const names = Object.keys(reasons).filter((name) => reasons[name].status !== 403 && reasons[name].status !== 429 && !/Topic/.test(name));
        const tokens = names.map((name) => fake.tokenFor(name));
        const good = ["e1", "e2"].map((start) => start.padEnd(64, "0"));
        const state = yield* awaitFinal(yield* publishRequest({ recipients: [...tokens, ...good].map((apns_token) => ({ apns_token })) }));
        assert.strictEqual(state?.status, "sent");
        const found = state?.deliveries.map(({ summary }) => summary?.status);
        assert.deepStrictEqual(found, [
            ...names.map((name) => ("times" in reasons[name] ? "sent" : "failed")),
            "sent",
            "sent",
        ]);
        for (const token of [...tokens, ...good])
            assert.isAtMost(fake.requestedTokens.filter((one) => one === token).length, 2);
    }).pipe(Effect.provide(installed)));
    it.live("retries only the failed targets, and gives each failure its own result, event and attempts", () => {
        const calls = [];
        return Effect.gen(function* () {
            const events = yield* recordEvents;
            const tokens = ["good-1", "gone-token", "refused-1", "unknown-1", "defect-1", "never-token", "good-2"];
            const id = yield* publishRequest({ recipients: recipients(tokens) });
            const state = yield* awaitFinal(id);
            assert.deepStrictEqual(state?.deliveries.map(({ summary }) => [summary?.status, summary?.reason]), [
                ["sent", undefined],
                ["failed", "unregistered"],
                ["failed", "refused"],
                ["sent", undefined],
                ["sent", undefined],
                ["failed", "throttled"],
                ["sent", undefined],
            ]);
            const times = (token) => calls.filter((call) => call.startsWith(token));
            assert.deepStrictEqual(tokens.map((token) => times(token).length), [1, 1, 1, 2, 2, 5, 1]);
            assert.strictEqual(new Set(times("unknown-1")).size, 1);
            const deadLetters = yield* (yield* DeadLetters).list({ limit: 10 });
            assert.deepStrictEqual(deadLetters.map(({ record }) => record.reason), ["throttled"]);
            yield* until(Effect.sync(() => events.map(({ event_type }) => event_type).toSorted()), (types) => types.join() === "device.token_invalid,notification.sent");
        }).pipe(Effect.provide(withScript(calls)));
    });
    it.live("waits for the delay that the provider requests before it retries a target", () => {
        const calls = [];
        const at = [];
        return Effect.gen(function* () {
            yield* awaitFinal(yield* publishRequest({ recipients: recipients(["later-1", "good-1"]) }));
            assert.lengthOf(calls, 3);
            assert.isAtLeast((at[2] ?? 0) - (at[0] ?? 0), 1_000);
        }).pipe(Effect.provide(withScript(calls, at)));
    });
    it.live("sends again to a target for which the provider did not reply", () => {
        const calls = [];
        return Effect.gen(function* () {
            const state = yield* awaitFinal(yield* publishRequest({ recipients: recipients(["silent-1", "good-1"]) }));
            assert.strictEqual(state?.status, "sent");
            assert.lengthOf(calls, 3);
            assert.strictEqual(new Set(calls).size, 2);
        }).pipe(Effect.provide(withScript(calls, [], { callTimeout: Duration.millis(200) })));
    });
    it.live("expires as a whole, and fails every target if its channel has no provider", () => Effect.gen(function* () {
        const many = { recipients: recipients(["good-1", "good-2"]) };
        const expired = yield* awaitFinal(yield* publishRequest({ ...many, expires_at: "2020-01-01T00:00:00Z" }));
        assert.deepStrictEqual(expired?.deliveries.map(({ summary }) => summary?.status), ["expired", "expired"]);
        const tokens = ["a1", "a2"].map((start) => ({ apns_token: start.padEnd(64, "0") }));
        const unroutable = yield* awaitFinal(yield* publishRequest({ recipients: tokens }));
        assert.deepStrictEqual(unroutable?.deliveries.map(({ summary }) => summary?.reason), ["no_provider", "no_provider"]);
    }).pipe(Effect.provide(withScript([]))));
    it.live("reaches a thousand targets on several channels, with a malformed one among them", () => {
        const calls = [];
        return Effect.gen(function* () {
            const tokens = Array.from({ length: 998 }, (_, index) => `good-${index}`);
            const mixed = [...recipients(tokens), { fcm_token: "has blank" }, { apns_token: "ab".repeat(32) }];
            const state = yield* awaitFinal(yield* publishRequest({ recipients: mixed }));
            assert.strictEqual(state?.status, "sent");
            assert.lengthOf(calls, 998);
            assert.deepStrictEqual(state?.deliveries.slice(-2).map(({ summary }) => summary?.reason), ["malformed_token", "no_provider"]);
        }).pipe(Effect.provide(withScript(calls)));
    });
    it.live("shares one limit of concurrent calls between all push batches", () => Effect.gen(function* () {
        const semaphore = CallbackSemaphore.make(3);
        const open = [];
        let maxOpen = 0;
        const circuit = {
            start: (_context, _message, onExit) => {
                open.push(() => onExit(Exit.succeed({ providerId: "p" })));
                maxOpen = Math.max(maxOpen, open.length);
                return Effect.void;
            },
        };
        const flushedCounts = [];
        const sendBatch = (count) => PushBatch.send(
        // `send` uses only `start` of the circuit, and only the identity of each item.
        circuit, semaphore, Array.from({ length: count }, () => ({})), (completed) => Effect.sync(() => void flushedCounts.push(completed.length)));
        const replies = Effect.forever(Effect.andThen(Effect.sleep("1 millis"), Effect.sync(() => open.shift()?.())));
        yield* Effect.raceFirst(Effect.all([sendBatch(7), sendBatch(5)], { concurrency: "unbounded" }), replies);
        assert.strictEqual(maxOpen, 3);
        assert.strictEqual(flushedCounts.reduce((sum, one) => sum + one, 0), 12);
        assert.isTrue(semaphore.tryAcquire() && semaphore.tryAcquire() && semaphore.tryAcquire() && !semaphore.tryAcquire());
    }));
});
