import { assert, describe, it } from "@effect/vitest";
import { Effect, Ref } from "effect";
import { TestClock } from "effect/testing";
import { Readiness } from "../../src/app/Readiness.ts";
const withChecks = (...checks) => Effect.provide(Readiness.layer(Effect.succeed(checks)));
describe("Readiness", () => {
    it.effect("is not ready before it serves, and never again after it starts to drain", () => Effect.gen(function* () {
        const readiness = yield* Readiness;
        assert.deepInclude(yield* readiness.report, { ready: false, reasons: ["the program is starting"] });
        yield* readiness.setPhase("serving");
        assert.deepStrictEqual(yield* readiness.report, { ready: true, degraded: false, reasons: [] });
        yield* readiness.setPhase("draining");
        yield* readiness.setPhase("serving");
        assert.deepInclude(yield* readiness.report, { ready: false, reasons: ["the program is stopping"] });
    }).pipe(withChecks()));
    it.effect("a failed required check makes it not ready, any other degraded; both report the reason", () => Effect.gen(function* () {
        const broken = yield* Ref.make(["bus"]);
        const check = (name, required) => ({
            name,
            required,
            run: Effect.flatMap(Ref.get(broken), (names) => names.includes(name) ? Effect.fail("not connected") : Effect.void),
        });
        yield* Effect.gen(function* () {
            const readiness = yield* Readiness;
            yield* readiness.setPhase("serving");
            assert.deepStrictEqual(yield* readiness.report, {
                ready: true,
                degraded: true,
                reasons: ["bus: not connected"],
            });
            yield* Ref.set(broken, ["state"]);
            // The report is cached for a second.
            assert.isTrue((yield* readiness.report).degraded);
            yield* TestClock.adjust("1 second");
            assert.deepStrictEqual(yield* readiness.report, {
                ready: false,
                degraded: false,
                reasons: ["state: not connected"],
            });
        }).pipe(withChecks(check("bus", false), check("state", true)));
    }));
});
