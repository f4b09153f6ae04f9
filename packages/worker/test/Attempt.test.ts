/** Work that starts inline has the same timeout, lease renewal and interruption as any other work. */
import { PermanentError } from "@armoricore/domain/Errors"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Attempt from "../src/Attempt.ts"

const limit = Attempt.withTimeout("media", Duration.minutes(1))

/** Never completes; records its interruption in `seen`. */
const endless = (seen: Array<string>) =>
  Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => void seen.push("interrupted"))))

describe("inline work", () => {
  it.effect("synchronous work runs without a watcher, whether it succeeds or fails", () =>
    Effect.gen(function* () {
      const watched = () => Effect.die("nothing is left to watch")
      assert.strictEqual(yield* Attempt.runInline(Effect.succeed(1), watched), 1)
      const fault = new PermanentError({ code: "bad", message: "bad" })
      assert.deepStrictEqual(yield* Effect.exit(Attempt.runInline(Effect.fail(fault), watched)), Exit.fail(fault))
    }),
  )

  it.effect("suspended work returns its result within the timeout", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Attempt.runInline(Effect.as(Effect.sleep("59 seconds"), "done"), limit))
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "done")
    }),
  )

  it.effect("work over its timeout is interrupted, and has ended when the timeout is reported", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const told = Effect.tapError(Attempt.runInline(endless(seen), limit), ({ code }) =>
        Effect.sync(() => void seen.push(code)),
      )
      const fiber = yield* Effect.forkChild(Effect.flip(told))
      yield* TestClock.adjust("61 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).code, "timeout")
      assert.deepStrictEqual(seen, ["interrupted", "timeout"])
    }),
  )

  it.effect("work is interrupted with its waiting fiber, and if its watcher fails", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const fiber = yield* Effect.forkChild(Attempt.runInline(endless(seen), limit), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(seen, ["interrupted"])
      const lost = new PermanentError({ code: "lost", message: "another worker has the lease" })
      const watched = Attempt.runInline(endless(seen), (rest) => Effect.raceFirst(rest, Effect.fail(lost)))
      assert.strictEqual(yield* Effect.flip(watched), lost)
      assert.deepStrictEqual(seen, ["interrupted", "interrupted"])
    }),
  )
})
