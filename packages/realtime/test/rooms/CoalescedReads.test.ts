import * as CoalescedReads from "@armoricore/realtime/rooms/CoalescedReads"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"

describe("SharedReads", () => {
  it.effect("many who ask at once share two reads; nobody gets an answer older than the question", () =>
    Effect.gen(function* () {
      const share = yield* CoalescedReads.make<number, string>()
      let now = 0
      let reads = 0
      const read = Effect.suspend(() => {
        reads++
        return Effect.as(Effect.sleep("1 second"), now)
      })
      const first = yield* Effect.forkChild(share("k", read))
      yield* TestClock.adjust("500 millis")
      now = 1
      const late = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 100 }), () => share("k", read), { concurrency: "unbounded" }),
      )
      const other = yield* Effect.forkChild(share("other", read))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(first), 0)
      assert.deepStrictEqual([...new Set(yield* Fiber.join(late))], [1])
      assert.strictEqual(yield* Fiber.join(other), 1)
      assert.strictEqual(reads, 3)
      const again = yield* Effect.forkChild(share("k", read))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(again)
      assert.strictEqual(reads, 4)
    }),
  )

  it.effect("a fault is everybody's, and the next one tries again; who gives up stops nobody else", () =>
    Effect.gen(function* () {
      const share = yield* CoalescedReads.make<number, string>()
      assert.strictEqual(yield* Effect.flip(share("k", Effect.fail("away"))), "away")
      const slow = Effect.as(Effect.sleep("1 second"), 7)
      const impatient = yield* Effect.forkChild(share("k", slow))
      yield* TestClock.adjust("1 milli")
      const patient = yield* Effect.forkChild(share("k", slow))
      yield* TestClock.adjust("1 milli")
      yield* Fiber.interrupt(impatient)
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* Fiber.join(patient), 7)
    }),
  )
})
