import { assert, describe, it } from "@effect/vitest";
import { Effect, Exit, Layer } from "effect";
import * as StopOrder from "../../src/app/StopOrder.ts";
const run = (started, finalizer) => Effect.scoped(Effect.gen(function* () {
    const order = yield* StopOrder.make;
    for (const stage of started)
        yield* order.build(stage, Layer.effectDiscard(Effect.addFinalizer(() => finalizer(stage))));
}));
describe("StopOrder", () => {
    it.effect("stops the stages in the order of the list, in any order of start", () => Effect.gen(function* () {
        for (const started of [StopOrder.stages, StopOrder.stages.toReversed()]) {
            const stopped = [];
            yield* run(started, (stage) => Effect.sync(() => void stopped.push(stage)));
            assert.deepStrictEqual(stopped, [...StopOrder.stages]);
        }
    }));
    it.effect("waits for a stage before it stops the next", () => Effect.gen(function* () {
        const steps = [];
        yield* run(["ports", "workers"], (stage) => Effect.gen(function* () {
            steps.push(`${stage} begins`);
            for (let turn = 0; turn < 10; turn++)
                yield* Effect.yieldNow;
            steps.push(`${stage} ends`);
        }));
        assert.deepStrictEqual(steps, ["workers begins", "workers ends", "ports begins", "ports ends"]);
    }));
    it.effect("stops the later stages after one that dies, and reports the defect", () => Effect.gen(function* () {
        const stopped = [];
        const exit = yield* Effect.exit(run(StopOrder.stages, (stage) => stage === "workers" ? Effect.die(new Error("broken")) : Effect.sync(() => void stopped.push(stage))));
        assert.isTrue(Exit.isFailure(exit));
        assert.deepStrictEqual(stopped, StopOrder.stages.filter((stage) => stage !== "workers"));
    }));
});
