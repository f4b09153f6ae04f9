import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as InlineAttemptLimiter from "../../src/delivery/InlineAttemptLimiter.ts"

const options = { maxConcurrent: 2, queueBelowMeanMillis: 30 }

it.effect("an attempt without a free slot waits behind fast attempts and is rejected behind slow ones", () =>
  Effect.gen(function* () {
    const limiter = InlineAttemptLimiter.make(options)
    const use = (millis: number) => Effect.forkChild(limiter.run(Effect.as(Effect.sleep(millis), "done")))
    const quick = yield* Effect.forEach([10, 10, 10, 10, 10], use)
    yield* TestClock.adjust("30 millis")
    for (const fiber of quick) assert.strictEqual(yield* Fiber.join(fiber), "done")
    const slow = yield* Effect.forEach([2_000, 2_000], use)
    yield* TestClock.adjust("2 seconds")
    yield* Effect.forEach(slow, Fiber.join)
    const more = yield* Effect.forEach([10, 10, 10], use)
    yield* TestClock.adjust("10 millis")
    assert.deepStrictEqual(yield* Effect.forEach(more, Fiber.join), ["done", "done", undefined])
  }),
)

it.effect("an interrupted attempt frees its slot, whether it runs or waits", () =>
  Effect.gen(function* () {
    const limiter = InlineAttemptLimiter.make({ ...options, maxConcurrent: 1 })
    const open = yield* Deferred.make<string>()
    const stuck = yield* Effect.forkChild(limiter.run(Effect.never), { startImmediately: true })
    const waiting = yield* Effect.forkChild(limiter.run(Effect.succeed("never")), { startImmediately: true })
    const last = yield* Effect.forkChild(limiter.run(Deferred.await(open)), { startImmediately: true })
    yield* Fiber.interrupt(waiting)
    yield* Fiber.interrupt(stuck)
    yield* Deferred.succeed(open, "done")
    assert.strictEqual(yield* Fiber.join(last), "done")
    assert.strictEqual(yield* limiter.run(Effect.succeed("free")), "free")
  }),
)
