import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors";
import { CircuitBreakers, withCircuitBreaker, circuitOpen } from "@armoricore/worker";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Metric } from "effect";
import { TestClock } from "effect/testing";
const away = new TransientError({ dependency: "speech", code: "unavailable", message: "away" });
const level = Effect.map(Metric.value(Metric.withAttributes(circuitOpen, { dependency: "speech" })), ({ value }) => value);
describe("a dependency's circuit", () => {
    it.effect("opens after failures in a row, rejects calls without counting an attempt, and lets one call probe", () => Effect.gen(function* () {
        let calls = 0;
        let healthy = false;
        const call = Effect.suspend(() => {
            calls++;
            return healthy ? Effect.succeed("text") : Effect.fail(away);
        }).pipe(withCircuitBreaker("speech"));
        for (let failures = 0; failures < 5; failures++) {
            assert.strictEqual(yield* Effect.flip(call), away);
        }
        const refused = yield* Effect.flip(call);
        assert.strictEqual(calls, 5);
        assert.strictEqual(refused.code, "circuit_open");
        assert.strictEqual(refused.countsAsAttempt, false);
        assert.strictEqual(refused.retryAfterMillis, 1_000);
        yield* TestClock.adjust(0).pipe(Effect.andThen(Effect.yieldNow), Effect.repeat({ times: 50 }));
        assert.strictEqual(yield* level, 1);
        yield* TestClock.adjust("1 second");
        assert.strictEqual(yield* Effect.flip(call), away);
        assert.strictEqual(calls, 6);
        // After a failed probe the open time doubles.
        assert.strictEqual((yield* Effect.flip(call)).retryAfterMillis, 2_000);
        healthy = true;
        yield* TestClock.adjust("2 seconds");
        assert.strictEqual(yield* call, "text");
        yield* TestClock.adjust(0).pipe(Effect.andThen(Effect.yieldNow), Effect.repeat({ times: 50 }));
        assert.strictEqual(yield* level, 0);
        assert.strictEqual(yield* (yield* CircuitBreakers).state("speech"), "closed");
    }).pipe(Effect.provide(CircuitBreakers.layer)));
    it.effect("stays closed for a reachable dependency that throttles, rejects or is misconfigured", () => Effect.gen(function* () {
        const answers = [
            new TransientError({ dependency: "mail", code: "throttled", message: "slow down" }),
            new PermanentError({ code: "no_such_address", message: "unknown" }),
            new ConfigurationError({ setting: "SMTP_URL", message: "refused" }),
            new TransientError({ dependency: "mail", code: "elsewhere", message: "wait", countsAsAttempt: false }),
        ];
        for (let round = 0; round < 6; round++) {
            for (const answer of answers) {
                assert.strictEqual(yield* Effect.flip(withCircuitBreaker("mail")(Effect.fail(answer))), answer);
            }
        }
    }).pipe(Effect.provide(CircuitBreakers.layer)));
    it.effect("each dependency has its own circuit; a defect of the call counts as a failure", () => Effect.gen(function* () {
        for (let failures = 0; failures < 5; failures++) {
            yield* Effect.exit(withCircuitBreaker("a")(Effect.die(new Error("bug"))));
        }
        assert.strictEqual((yield* Effect.flip(withCircuitBreaker("a")(Effect.void))).code, "circuit_open");
        yield* withCircuitBreaker("b")(Effect.void);
    }).pipe(Effect.provide(CircuitBreakers.layer)));
});
