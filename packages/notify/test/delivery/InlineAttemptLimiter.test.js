import { assert, it } from "@effect/vitest";
import { Deferred, Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import * as InlineAttemptLimiter from "../../src/delivery/InlineAttemptLimiter.ts";
const options = { minConcurrent: 2, maxConcurrent: 2, maxWaitMillis: 100 };
it.effect("an attempt without a free slot waits behind fast attempts and is rejected behind slow ones", () => Effect.gen(function* () {
    const limiter = InlineAttemptLimiter.make(options);
    const use = (millis) => Effect.forkChild(limiter.run(Effect.as(Effect.sleep(millis), "done")));
    const quick = yield* Effect.forEach([10, 10, 10, 10, 10], use);
    yield* TestClock.adjust("30 millis");
    for (const fiber of quick)
        assert.strictEqual(yield* Fiber.join(fiber), "done");
    const slow = yield* Effect.forEach([2_000, 2_000], use);
    yield* TestClock.adjust("2 seconds");
    yield* Effect.forEach(slow, Fiber.join);
    const more = yield* Effect.forEach([10, 10, 10], use);
    yield* TestClock.adjust("10 millis");
    assert.deepStrictEqual(yield* Effect.forEach(more, Fiber.join), ["done", "done", undefined]);
}));
// regression: behind a provider that answered after 80 ms, 71 % of the attempts were rejected.
it.effect("behind a provider that answers after 80 ms, the limit grows and no attempt is rejected", () => Effect.gen(function* () {
    const limiter = InlineAttemptLimiter.make({ ...options, minConcurrent: 48, maxConcurrent: 100 });
    const results = [];
    const use = Effect.map(limiter.run(Effect.as(Effect.sleep(80), "done")), (result) => void results.push(result));
    // 100 requests at a time, as fast as they end.
    const lane = Effect.repeat(use, { times: 19 });
    const lanes = yield* Effect.forkChild(Effect.forEach(Array.from({ length: 100 }), () => lane, { concurrency: 100 }));
    yield* TestClock.adjust("5 seconds");
    yield* Fiber.join(lanes);
    assert.deepStrictEqual([...new Set(results)], ["done"]);
    assert.lengthOf(results, 2_000);
    assert.strictEqual(limiter.limit(), 100);
}));
it.effect("the limit returns to its minimum once the provider is fast, and attempts that wait get the slots of more", () => Effect.gen(function* () {
    const limiter = InlineAttemptLimiter.make({ ...options, maxConcurrent: 8 });
    const use = (millis) => Effect.forkChild(limiter.run(Effect.as(Effect.sleep(millis), "done")));
    for (let round = 0; round < 30; round++) {
        const fibers = yield* Effect.forEach([60, 60], use);
        yield* TestClock.adjust("60 millis");
        yield* Effect.forEach(fibers, Fiber.join);
    }
    assert.strictEqual(limiter.limit(), 6);
    const fibers = yield* Effect.forEach(Array.from({ length: 14 }, () => 1), use);
    yield* TestClock.adjust("14 millis");
    for (const fiber of fibers)
        assert.strictEqual(yield* Fiber.join(fiber), "done");
    assert.strictEqual(limiter.limit(), 2);
}));
it.effect("an interrupted attempt frees its slot, whether it runs or waits", () => Effect.gen(function* () {
    const limiter = InlineAttemptLimiter.make({ ...options, minConcurrent: 1 });
    const open = yield* Deferred.make();
    const stuck = yield* Effect.forkChild(limiter.run(Effect.never), { startImmediately: true });
    const waiting = yield* Effect.forkChild(limiter.run(Effect.succeed("never")), { startImmediately: true });
    const last = yield* Effect.forkChild(limiter.run(Deferred.await(open)), { startImmediately: true });
    yield* Fiber.interrupt(waiting);
    yield* Fiber.interrupt(stuck);
    yield* Deferred.succeed(open, "done");
    assert.strictEqual(yield* Fiber.join(last), "done");
    assert.strictEqual(yield* limiter.run(Effect.succeed("free")), "free");
}));
