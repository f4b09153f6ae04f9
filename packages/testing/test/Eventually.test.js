import { assert, describe, it } from "@effect/vitest";
import { Cause, Effect, Exit, Ref } from "effect";
import { eventually, expectNothingFor } from "../src/Eventually.ts";
const defectOf = (exit) => Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "no failure";
describe("eventually", () => {
    it.effect("observes until the condition holds, under TestClock too", () => Effect.gen(function* () {
        const count = yield* Ref.make(0);
        const look = Ref.updateAndGet(count, (n) => n + 1);
        assert.strictEqual(yield* eventually(look, (n) => n === 3), 3);
    }));
    it.effect("takes a plain function as the condition", () => {
        let calls = 0;
        return Effect.map(eventually(() => ++calls > 2), (held) => assert.deepStrictEqual([held, calls], [true, 3]));
    });
    it.effect("dies with the last value when the time is over", () => Effect.gen(function* () {
        const exit = yield* Effect.exit(eventually(() => ({ status: "queued" }), () => false, { timeout: "20 millis" }));
        assert.include(defectOf(exit), '{"status":"queued"}');
    }));
});
describe("expectNothingFor", () => {
    it.effect("succeeds when nothing is observed", () => expectNothingFor("20 millis", () => []));
    it.effect("dies at the first observation", () => Effect.gen(function* () {
        const seen = [];
        const exit = yield* Effect.exit(expectNothingFor("5 seconds", () => {
            seen.push("frame");
            return seen;
        }));
        assert.include(defectOf(exit), '["frame"]');
        assert.strictEqual(seen.length, 1);
    }));
});
