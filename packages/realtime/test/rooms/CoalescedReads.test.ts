import * as CoalescedReads from "@armoricore/realtime/rooms/CoalescedReads"
import { assert, describe, it } from "@effect/vitest"
import { replyEncoder } from "@armoricore/realtime/channel/PayloadCodecs"
import { entryDecoder } from "@armoricore/realtime/channels/MessageFields"
import { Effect, Fiber, Schema, SchemaGetter } from "effect"
import { TestClock } from "effect/testing"

describe("CoalescedReads", () => {
  it.effect("concurrent callers share two reads, and none gets a result older than its call", () =>
    Effect.gen(function* () {
      const coalesce = yield* CoalescedReads.make<number, string>()
      let now = 0
      let reads = 0
      const read = Effect.suspend(() => {
        reads++
        return Effect.as(Effect.sleep("1 second"), now)
      })
      const first = yield* Effect.forkChild(coalesce("k", read))
      yield* TestClock.adjust("500 millis")
      now = 1
      const late = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 100 }), () => coalesce("k", read), { concurrency: "unbounded" }),
      )
      const other = yield* Effect.forkChild(coalesce("other", read))
      yield* TestClock.adjust("505 millis")
      assert.strictEqual(yield* Fiber.join(first), 0)
      // The read that the others wait for has not begun, so that one more can share it.
      const last = yield* Effect.forkChild(coalesce("k", read))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual([...new Set(yield* Fiber.join(late)), yield* Fiber.join(last)], [1, 1])
      assert.strictEqual(yield* Fiber.join(other), 1)
      assert.strictEqual(reads, 3)
      const next = yield* Effect.forkChild(coalesce("k", read))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(next)
      assert.strictEqual(reads, 4)
    }),
  )

  it.effect(
    "a failure reaches every caller of the read, and an interrupted caller does not stop the read for the others",
    () =>
      Effect.gen(function* () {
        const coalesce = yield* CoalescedReads.make<number, string>()
        assert.strictEqual(yield* Effect.flip(coalesce("k", Effect.fail("away"))), "away")
        const slow = Effect.as(Effect.sleep("1 second"), 7)
        const interrupted = yield* Effect.forkChild(coalesce("k", slow))
        yield* TestClock.adjust("1 milli")
        const waiting = yield* Effect.forkChild(coalesce("k", slow))
        yield* TestClock.adjust("1 milli")
        yield* Fiber.interrupt(interrupted)
        yield* TestClock.adjust("3 seconds")
        assert.strictEqual(yield* Fiber.join(waiting), 7)
      }),
  )
})

describe("the messages of a shared read", () => {
  it.effect("are decoded and encoded once for all replies, and lists that may change each time", () =>
    Effect.gen(function* () {
      let decoded = 0
      let encoded = 0
      const Counted = Schema.Struct({
        text: Schema.String.pipe(
          Schema.decodeTo(Schema.String, {
            decode: SchemaGetter.transform((text: string) => {
              decoded++
              return text.toUpperCase()
            }),
            encode: SchemaGetter.transform((text: string) => {
              encoded++
              return text.toLowerCase()
            }),
          }),
        ),
      })
      const entries = [1, 2].map((seq) => ({ event: "said", seq, payload: { text: `m${seq}` } }))
      const decode = entryDecoder(Counted)
      const encode = replyEncoder(Schema.Struct({ messages: Schema.Array(Counted), more: Schema.Boolean }))
      for (let join = 0; join < 3; join++) {
        const messages = yield* decode(entries)
        assert.deepStrictEqual(messages, [{ text: "M1" }, { text: "M2" }])
        assert.deepStrictEqual(yield* encode({ messages, more: join === 1 }), {
          messages: [{ text: "m1" }, { text: "m2" }],
          more: join === 1,
        })
      }
      assert.deepStrictEqual([decoded, encoded], [2, 2])
      const changing = [{ text: "A" }]
      assert.deepStrictEqual(yield* encode({ messages: changing, more: false }), {
        messages: [{ text: "a" }],
        more: false,
      })
      changing.push({ text: "B" })
      const both = [{ text: "a" }, { text: "b" }]
      assert.deepStrictEqual(yield* encode({ messages: changing, more: false }), { messages: both, more: false })
    }),
  )
})
