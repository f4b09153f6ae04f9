/** Publishing: stored messages, duplicates, refused messages, setup. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import * as Address from "../../../src/Address.ts"
import { publishAll } from "../../../src/EventBus.ts"
import { type BehaviourTests, bytes, collect, missing, ready, send, text } from "./Harness.ts"

export const publishingBehaviour = ({ lacks, test }: BehaviourTests): void => {
  test("publishes what was stored before any consumer, with id, headers, subject and time", (bus) =>
    Effect.gen(function* () {
      const before = Date.now()
      assert.deepStrictEqual(yield* send(bus, "one", ready, "first-id"), { duplicate: false })
      const delivery = yield* (yield* collect(bus)).next
      assert.strictEqual(text(delivery.body), "one")
      assert.strictEqual(delivery.id, "first-id")
      assert.strictEqual(delivery.subject, "armoricore.media.ready")
      assert.strictEqual(delivery.headers["Armoricore-Test"], "one")
      assert.strictEqual(delivery.deliveryCount, 1)
      assert.isAtLeast(delivery.arrivedAt, before - 1_000)
      assert.isAtMost(delivery.arrivedAt, Date.now() + 1_000)
    }))

  test(`a second message with the same id is a duplicate and is not stored${missing(lacks.dedup, "stored here")}`, (bus) =>
    Effect.gen(function* () {
      yield* send(bus, "a", ready, "same")
      const second = yield* send(bus, "b", ready, "same")
      if (lacks.dedup !== undefined) {
        assert.deepStrictEqual(second, { duplicate: false })
        const both = yield* collect(bus, { concurrency: 1 })
        const got = [yield* both.next, yield* both.next]
        // The ledger knows the two by their one id.
        assert.deepStrictEqual(
          got.map(({ id }) => id),
          ["same", "same"],
        )
        return
      }
      assert.deepStrictEqual(second, { duplicate: true })
      // The other channel knows nothing of it.
      assert.deepStrictEqual(yield* send(bus, "w", Address.work("media", "job"), "same"), { duplicate: false })
      yield* send(bus, "c")
      const { next } = yield* collect(bus, { concurrency: 1 })
      assert.deepStrictEqual([text((yield* next).body), text((yield* next).body)], ["a", "c"])
    }))

  test("several messages are stored in their order, and one that is refused is refused alone", (bus) =>
    Effect.gen(function* () {
      const sizes = [1, 1_100_000, 2, 1]
      const exits = yield* publishAll(
        bus,
        sizes.map((size) => ({ address: ready, id: `size-${size}`, body: new Uint8Array(size) })),
      )
      assert.deepStrictEqual(
        exits.map(({ _tag }) => _tag),
        ["Success", "Failure", "Success", "Success"],
      )
      const { next } = yield* collect(bus, { concurrency: 1 })
      assert.deepStrictEqual([(yield* next).id, (yield* next).id], ["size-1", "size-2"])
    }))

  test("a message over the limit is refused with its size and what to do", (bus) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(bus.publish({ address: ready, id: "big", body: new Uint8Array(1_100_000) }))
      assert.strictEqual(error._tag, "PermanentError")
      assert.include(error.message, "object storage")
      if (error._tag === "PermanentError") assert.strictEqual(error.code, "too_large")
      assert.strictEqual(
        (yield* Effect.flip(bus.broadcast(Address.ephemeral("x"), new Uint8Array(1_100_000))))._tag,
        "PermanentError",
      )
    }))

  test("headers and ids that no bus can carry are refused; the bus goes on", (bus) =>
    Effect.gen(function* () {
      const attempt = (headers: Record<string, string>, id = "x") =>
        Effect.map(Effect.flip(bus.publish({ address: ready, id, body: bytes("x"), headers })), (error) =>
          error._tag === "PermanentError" ? error.code : error._tag,
        )
      // regression: on NATS a line break was a defect, and 70 kB was a transient error for ever
      assert.strictEqual(yield* attempt({ traceparent: "a\r\nb" }), "invalid_header")
      assert.strictEqual(yield* attempt({ traceparent: "x".repeat(70_000) }), "invalid_header")
      assert.strictEqual(yield* attempt({ "no name": "x" }), "invalid_header")
      assert.strictEqual(yield* attempt({}, "line\nbreak"), "invalid_header")
      const live = Effect.flip(bus.broadcast(Address.ephemeral("a"), bytes("x"), { a: "\n" }))
      assert.strictEqual((yield* live)._tag, "PermanentError")
      yield* send(bus, "good")
      assert.strictEqual(text((yield* (yield* collect(bus)).next).body), "good")
    }))

  test("setup may run twice, keeps what is stored, and lets a publisher publish before any worker", (bus) =>
    Effect.gen(function* () {
      const wanted = [
        { name: "worker", from: ready },
        { name: "guard", from: "all-events" },
        { name: "jobs", from: Address.work("media", "job") },
      ] as const
      assert.isNotEmpty(yield* bus.setup(wanted))
      yield* send(bus, "early")
      assert.isNotEmpty(yield* bus.setup(wanted))
      assert.strictEqual(text((yield* (yield* collect(bus)).next).body), "early")
    }))

  test("a name that reads something else is a configuration error, and so is an impossible name", (bus) =>
    Effect.gen(function* () {
      yield* collect(bus)
      const error = yield* Effect.flip(collect(bus, { from: Address.event("media.failed") }))
      assert.strictEqual(error._tag, "ConfigurationError")
      assert.include(error.message, "another name")
      assert.strictEqual((yield* Effect.flip(collect(bus, { name: "No Such.Name" })))._tag, "ConfigurationError")
    }))
}
