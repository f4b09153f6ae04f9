/** Work that starts in place is limited, watched and interrupted like any other. */
import { PermanentError } from "@armoricore/domain/Errors"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Attempt from "../src/Attempt.ts"

const limit = Attempt.withTimeout("media", Duration.minutes(1))

/** Never ends by itself; tells in `seen` that it was interrupted. */
const endless = (seen: Array<string>) =>
  Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => void seen.push("interrupted"))))

describe("work that starts in place", () => {
  it.effect("is not watched where it is done at once, be it well or not", () =>
    Effect.gen(function* () {
      const watched = () => Effect.die("nothing is left to watch")
      assert.strictEqual(yield* Attempt.runInline(Effect.succeed(1), watched), 1)
      const fault = new PermanentError({ code: "bad", message: "bad" })
      assert.deepStrictEqual(yield* Effect.exit(Attempt.runInline(Effect.fail(fault), watched)), Exit.fail(fault))
    }),
  )

  it.effect("gives its result where it ends within its limit", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Attempt.runInline(Effect.as(Effect.sleep("59 seconds"), "done"), limit))
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "done")
    }),
  )

  it.effect("is interrupted over its limit, and has ended when that is told", () =>
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

  it.effect("is interrupted with whoever waits for it, and where its watch fails", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const fiber = yield* Effect.forkChild(Attempt.runInline(endless(seen), limit), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(seen, ["interrupted"])
      const lost = new PermanentError({ code: "lost", message: "the lease is somebody else's" })
      const watched = Attempt.runInline(endless(seen), (rest) => Effect.raceFirst(rest, Effect.fail(lost)))
      assert.strictEqual(yield* Effect.flip(watched), lost)
      assert.deepStrictEqual(seen, ["interrupted", "interrupted"])
    }),
  )
})
