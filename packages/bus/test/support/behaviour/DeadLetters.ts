/** Dead letters, and messages that are delivered too often. */
import { assert } from "@effect/vitest"
import { Effect, Queue } from "effect"
import * as Address from "../../../src/Address.ts"
import { type Disposition } from "../../../src/EventBus.ts"
import { eventually, expectNothingFor } from "@armoricore/testing/Eventually"
import { type BehaviourTests, bytes, collect, missing, options, retry, send, text } from "./Harness.ts"

export const deadLetterBehaviour = ({ lacks, shared, test }: BehaviourTests): void => {
  test("a dead letter is stored, then the message is gone; letters are listed, read and removed", (bus) =>
    Effect.gen(function* () {
      const consumer = yield* bus.consume(options(), (delivery) =>
        Effect.succeed<Disposition>({
          _tag: "DeadLetter",
          deadLetter: {
            address: Address.deadLetter("media", text(delivery.body)),
            body: bytes(`letter of ${text(delivery.body)}`),
            headers: { reason: "invalid" },
          },
        }),
      )
      for (const type of ["media.uploaded", "media.ready", "ready"]) yield* send(bus, type)
      yield* eventually(Effect.map(bus.deadLetters.list({ limit: 10 }), (all) => all.length === 3))
      yield* eventually(Effect.map(consumer.depth, ({ pending, inFlight }) => pending + inFlight === 0))
      yield* bus.publish({ address: Address.deadLetter("ai", "media.uploaded"), id: "own", body: bytes("ai") })
      const all = yield* bus.deadLetters.list({ limit: 10 })
      assert.lengthOf(all, 4)
      assert.strictEqual(all[0]?.subject, "armoricore-dead.media.media.uploaded")
      assert.strictEqual(text(all[0]?.body ?? bytes("")), "letter of media.uploaded")
      assert.strictEqual(all[0]?.headers["reason"], "invalid")
      const bodies = (filter: { readonly service?: string; readonly type?: string }) =>
        Effect.map(bus.deadLetters.list({ ...filter, limit: 10 }), (found) =>
          found.map(({ subject }) => subject).sort(),
        )
      assert.lengthOf(yield* bodies({ service: "media" }), 3)
      assert.deepStrictEqual(yield* bodies({ type: "media.uploaded" }), [
        "armoricore-dead.ai.media.uploaded",
        "armoricore-dead.media.media.uploaded",
      ])
      assert.deepStrictEqual(yield* bodies({ service: "media", type: "ready" }), ["armoricore-dead.media.ready"])
      assert.deepStrictEqual(yield* bodies({ service: "nobody" }), [])
      const page = yield* bus.deadLetters.list({ limit: 2, after: all[0]?.deadLetterId ?? "" })
      assert.deepStrictEqual(
        page.map(({ deadLetterId }) => deadLetterId),
        all.slice(1, 3).map(({ deadLetterId }) => deadLetterId),
      )
      const deadLetterId = all[1]?.deadLetterId ?? ""
      assert.strictEqual((yield* bus.deadLetters.get(deadLetterId)).deadLetterId, deadLetterId)
      yield* bus.deadLetters.remove(deadLetterId)
      assert.strictEqual((yield* Effect.flip(bus.deadLetters.get(deadLetterId)))._tag, "NotFound")
      assert.strictEqual((yield* Effect.flip(bus.deadLetters.remove(deadLetterId)))._tag, "NotFound")
      assert.strictEqual((yield* Effect.flip(bus.deadLetters.get("no-such-letter")))._tag, "NotFound")
      assert.lengthOf(yield* bus.deadLetters.list({ limit: 10 }), 3)
    }))

  test("dead letters are listed whichever others of their type were removed before", (bus) =>
    Effect.gen(function* () {
      // regression: NATS before 2.10.25 lost the last one of a type after removals with the newest first.
      const address = Address.deadLetter("media", "media.ready")
      const add = (id: string, type = address) => bus.publish({ address: type, id, body: bytes(id) })
      yield* add("other", Address.deadLetter("ai", "media.ready"))
      yield* Effect.forEach(["a", "b", "c"], (id) => add(id), { discard: true })
      const [, a, b, c] = yield* bus.deadLetters.list({ limit: 10 })
      yield* bus.deadLetters.remove(c?.deadLetterId ?? "")
      yield* bus.deadLetters.remove(a?.deadLetterId ?? "")
      for (const filter of [
        {},
        { service: "media" },
        { type: "media.ready" },
        { service: "media", type: "media.ready" },
      ]) {
        const found = yield* bus.deadLetters.list({ ...filter, limit: 10 })
        assert.include(
          found.map(({ deadLetterId }) => deadLetterId),
          b?.deadLetterId ?? "",
          JSON.stringify(filter),
        )
      }
    }))

  test("a dead letter may be larger than a message", (bus) =>
    Effect.gen(function* () {
      const body = Uint8Array.from({ length: 2_000_000 }, (_, index) => index % 253)
      const address = Address.deadLetter("media", "media.uploaded")
      yield* bus.publish({ address, id: "large", body, headers: { reason: "invalid" } })
      const second = yield* bus.publish({ address, id: "large", body, headers: { reason: "invalid" } })
      assert.strictEqual(second.duplicate, lacks.dedup === undefined)
      const [letter] = yield* bus.deadLetters.list({ limit: 5 })
      assert.deepStrictEqual(letter?.headers, { reason: "invalid" })
      const again = yield* bus.deadLetters.get(letter?.deadLetterId ?? "")
      assert.strictEqual(Buffer.compare(again.body, body), 0)
      yield* bus.deadLetters.remove(again.deadLetterId)
      // Where a duplicate is stored, it is a dead letter of its own.
      assert.lengthOf(yield* bus.deadLetters.list({ limit: 5 }), lacks.dedup === undefined ? 0 : 1)
    }))

  test("a letter that the bus refuses keeps its message", (bus) =>
    Effect.gen(function* () {
      const tries = yield* Queue.unbounded<number>()
      const consumer = yield* bus.consume(options(), (delivery) =>
        Effect.as(Queue.offer(tries, delivery.deliveryCount), {
          _tag: "DeadLetter",
          deadLetter: { address: Address.deadLetter("media", "x"), body: new Uint8Array(9_000_000) },
        } as const),
      )
      yield* send(bus, "x")
      yield* Queue.take(tries)
      yield* consumer.drain
      assert.lengthOf(yield* bus.deadLetters.list({ limit: 1 }), 0)
      assert.strictEqual((yield* consumer.depth).inFlight, 1)
    }))

  const tooOften = `a message delivered too often is left alone, and stays stored${missing(lacks.history?.reason, "for an operator")}`
  // The adapter in memory has no backstop of its own: a process that dies takes its messages along.
  if (shared) {
    test(tooOften, (bus) =>
      Effect.gen(function* () {
        let attempts = 0
        const consumer = yield* bus.consume(options({ maxDeliveries: 3 }), () =>
          Effect.sync(() => {
            attempts++
            return retry("20 millis")
          }),
        )
        yield* send(bus, "poison")
        yield* eventually(Effect.sync(() => attempts === 3))
        yield* expectNothingFor("500 millis", () => attempts > 3)
        yield* consumer.drain
        if (lacks.history !== undefined) {
          assert.strictEqual(yield* Effect.timeout(lacks.history.readParked, "20 seconds"), "poison")
          return
        }
        const other = yield* collect(bus, { name: "other" })
        assert.strictEqual(text((yield* other.next).body), "poison")
      }),
    )
  }

  test("a message delivered too often becomes a dead letter where its consumer makes one", (bus) =>
    Effect.gen(function* () {
      let attempts = 0
      yield* bus.consume(
        options({
          maxDeliveries: 3,
          onMaxDeliveries: ({ body }) =>
            Effect.succeed({
              deadLetter: {
                address: Address.deadLetter("media", "media.ready"),
                body,
                headers: { why: "exhausted" },
              },
            }),
        }),
        () =>
          Effect.sync(() => {
            attempts++
            return retry("20 millis")
          }),
      )
      yield* send(bus, "poison")
      yield* eventually(Effect.map(bus.deadLetters.list({ limit: 10 }), (letters) => letters.length === 1))
      assert.strictEqual(attempts, 3)
      const [letter] = yield* bus.deadLetters.list({ limit: 10 })
      assert.strictEqual(text(letter?.body ?? new Uint8Array()), "poison")
      assert.strictEqual(letter?.headers["why"], "exhausted")
    }))
}
