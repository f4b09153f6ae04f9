/** How messages reach the handlers of durable consumers. */
import { assert } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Queue, Scope, Semaphore } from "effect"
import * as Address from "../../../src/Address.ts"
import { type Delivery } from "../../../src/EventBus.ts"
import { eventually, expectNothingFor } from "@armoricore/testing/Eventually"
import { ack, acked, type BehaviourTests, collect, options, retry, send, text } from "./Harness.ts"

export const consumingBehaviour = ({ lacks, test, testShared }: BehaviourTests): void => {
  test("delivers in the order of publication", (bus) =>
    Effect.gen(function* () {
      const sent = Array.from({ length: 50 }, (_, index) => String(index))
      yield* Effect.forEach(sent, (body) => send(bus, body), { discard: true })
      const { next } = yield* collect(bus, { concurrency: 1 })
      const got = yield* Effect.forEach(sent, () => Effect.map(next, ({ body }) => text(body)))
      assert.deepStrictEqual(got, sent)
    }))

  test("every consumer name gets every event; other types are not for it", (bus) =>
    Effect.gen(function* () {
      const one = yield* collect(bus, { name: "one" })
      const two = yield* collect(bus, { name: "two" })
      yield* send(bus, "other", Address.event("media.failed"))
      yield* send(bus, "x")
      assert.strictEqual(text((yield* one.next).body), "x")
      assert.strictEqual(text((yield* two.next).body), "x")
    }))

  test("removes matching events that every consumer has handled", (bus) =>
    Effect.gen(function* () {
      const one = yield* collect(bus, { name: "one" })
      const two = yield* collect(bus, { name: "two", from: "all-events" })
      yield* bus.consume(options({ name: "slow", from: Address.event("media.failed") }), () =>
        Effect.succeed(retry("1 hour")),
      )
      const slow = yield* collect(bus, { name: "other", from: Address.event("media.failed") })
      yield* send(bus, "canary waits", Address.event("media.failed"))
      for (const body of ["canary 1", "canary 2 stays", "other", "last"]) yield* send(bus, body)
      yield* slow.next
      for (const { next } of [one, one, one, one, two, two, two, two, two]) yield* next
      yield* eventually(
        Effect.map(Effect.all([one.consumer.depth, two.consumer.depth]), (depths) =>
          depths.every(({ inFlight, pending }) => inFlight + pending === 0),
        ),
      )
      const remove = bus.removeHandled("canary", (body) => !text(body).endsWith("stays"))
      const stored = lacks.history === undefined ? 1 : 0
      assert.strictEqual(yield* remove, stored)
      assert.strictEqual(yield* remove, 0)
      // regression: on NATS before 2.10.25 the last event of a type was not found after the removal of those around it.
      for (const mark of ["last", "canary 2 stays", "other"])
        assert.strictEqual(yield* bus.removeHandled(mark, () => true), stored)
    }))

  test("never runs more handlers than its concurrency", (bus) =>
    Effect.gen(function* () {
      let running = 0
      let most = 0
      let done = 0
      yield* bus.consume(options({ concurrency: 3 }), () =>
        Effect.gen(function* () {
          most = Math.max(most, ++running)
          yield* Effect.sleep("20 millis")
          running--
          done++
          return ack
        }),
      )
      yield* Effect.forEach(Array.from({ length: 20 }), () => send(bus, "x"), { concurrency: 20, discard: true })
      yield* eventually(Effect.sync(() => done === 20))
      assert.strictEqual(most, 3)
    }))

  test("a shared gate bounds two consumers together, and an idle one does not hold it", (bus) =>
    Effect.gen(function* () {
      const sharedPermits = yield* Semaphore.make(1)
      let running = 0
      let most = 0
      const done: Array<string> = []
      const handle = (delivery: Delivery) =>
        Effect.gen(function* () {
          most = Math.max(most, ++running)
          yield* Effect.sleep("20 millis")
          running--
          done.push(text(delivery.body))
          return ack
        })
      yield* bus.consume(options({ name: "a", sharedPermits }), handle)
      yield* bus.consume(options({ name: "b", sharedPermits, from: Address.event("media.failed") }), handle)
      yield* Effect.forEach([1, 2, 3], (n) => send(bus, `b${n}`, Address.event("media.failed")), { discard: true })
      yield* eventually(Effect.sync(() => done.length === 3))
      yield* Effect.forEach([1, 2, 3], (n) => send(bus, `a${n}`), { discard: true })
      yield* eventually(Effect.sync(() => done.length === 6))
      assert.strictEqual(most, 1)
      assert.isTrue(yield* Effect.timeout(Effect.as(sharedPermits.take(1), true), "5 seconds"))
    }))

  test("a retry comes back no earlier than asked and holds no slot meanwhile", (bus) =>
    Effect.gen(function* () {
      const log: Array<{ readonly body: string; readonly at: number; readonly attempt: number }> = []
      yield* bus.consume(options({ concurrency: 1 }), (delivery) =>
        Effect.sync(() => {
          log.push({ body: text(delivery.body), at: Date.now(), attempt: delivery.deliveryCount })
          return text(delivery.body) === "slow" && delivery.deliveryCount === 1 ? retry("700.3 millis") : ack
        }),
      )
      yield* send(bus, "slow")
      yield* send(bus, "quick")
      yield* eventually(Effect.sync(() => log.length === 3))
      assert.deepStrictEqual(
        log.map(({ body, attempt }) => `${body}${attempt}`),
        ["slow1", "quick1", "slow2"],
      )
      assert.isAtLeast((log[2]?.at ?? 0) - (log[0]?.at ?? 0), 695)
      assert.isAtMost((log[2]?.at ?? 0) - (log[0]?.at ?? 0), 15_000)
    }))

  test("a handler that runs longer than ackWait is not run twice", (bus) =>
    Effect.gen(function* () {
      const attempts: Array<number> = []
      let done = 0
      yield* bus.consume(options({ ackWait: Duration.millis(600) }), (delivery) =>
        Effect.gen(function* () {
          attempts.push(delivery.deliveryCount)
          yield* delivery.inProgress
          yield* Effect.sleep("2 seconds")
          done++
          return ack
        }),
      )
      yield* send(bus, "long")
      yield* eventually(Effect.sync(() => done > 0))
      assert.deepStrictEqual(attempts, [1])
    }))

  test("a handler that dies is tried again after about a second", (bus) =>
    Effect.gen(function* () {
      const times: Array<number> = []
      yield* bus.consume(options(), (delivery) => {
        times.push(Date.now())
        // Also a throw outside of any effect must not hurt the consumer.
        if (delivery.deliveryCount === 1) throw new Error("died on purpose")
        return acked
      })
      yield* send(bus, "x")
      yield* eventually(Effect.sync(() => times.length === 2))
      assert.isAtLeast((times[1] ?? 0) - (times[0] ?? 0), 900)
    }))

  test("closing the scope interrupts the handlers and hands their messages back at once", (bus) =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const scope = yield* Scope.make()
      yield* bus
        .consume(options({ ackWait: Duration.seconds(30) }), () =>
          Effect.andThen(Deferred.succeed(started, undefined), Effect.never),
        )
        .pipe(Scope.provide(scope))
      yield* send(bus, "x")
      yield* Deferred.await(started)
      yield* Scope.close(scope, Exit.void)
      const closedAt = Date.now()
      const delivery = yield* (yield* collect(bus, { ackWait: Duration.seconds(30) })).next
      // NATS takes the first delivery back if no consumer pulls at the moment of the nack.
      assert.include([1, 2], delivery.deliveryCount)
      // Far below the wait that a lost message takes, far above what a busy machine needs.
      assert.isBelow(Date.now() - closedAt, 15_000)
    }))

  test("drain takes nothing new and waits for what runs", (bus) =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      let done = 0
      const consumer = yield* bus.consume(options({ concurrency: 1 }), () =>
        Deferred.succeed(started, undefined).pipe(
          Effect.andThen(Deferred.await(go)),
          Effect.andThen(Effect.sync(() => void done++)),
          Effect.as(ack),
        ),
      )
      yield* send(bus, "running")
      yield* Deferred.await(started)
      yield* send(bus, "waiting")
      const draining = yield* Effect.forkChild(consumer.drain)
      yield* expectNothingFor("100 millis", () => done)
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(draining)
      assert.strictEqual(done, 1)
      assert.strictEqual(text((yield* (yield* collect(bus)).next).body), "waiting")
    }))

  test("two consumers of one name share the work", (bus) =>
    Effect.gen(function* () {
      const one = yield* collect(bus)
      const two = yield* collect(bus)
      const sent = Array.from({ length: 40 }, (_, index) => `${index}`)
      yield* Effect.forEach(sent, (body) => send(bus, body), { discard: true })
      yield* eventually(Effect.map(one.consumer.depth, ({ pending, inFlight }) => pending + inFlight === 0))
      const got = [...(yield* Queue.clear(one.got)), ...(yield* Queue.clear(two.got))].map(({ body }) => text(body))
      assert.deepStrictEqual(got.sort(), sent.sort())
    }))

  test("the guard sees events of every type, also unknown ones, and nothing else", (bus) =>
    Effect.gen(function* () {
      const guard = yield* collect(bus, { name: "guard", from: "all-events", concurrency: 1 })
      yield* send(bus, "work", Address.work("media", "job"))
      yield* send(bus, "one")
      yield* send(bus, "two", Address.event("never.declared"))
      assert.strictEqual((yield* guard.next).subject, "armoricore.media.ready")
      assert.strictEqual((yield* guard.next).subject, "armoricore.never.declared")
      assert.strictEqual(yield* Queue.size(guard.got), 0)
    }))

  test("work is handled by one consumer and is gone then", (bus) =>
    Effect.gen(function* () {
      const job = Address.work("notify", "delivery")
      yield* send(bus, "job-1", job)
      yield* send(bus, "other", Address.work("notify", "other"))
      const first = yield* collect(bus, { from: job })
      assert.strictEqual((yield* first.next).subject, "armoricore-work.notify.delivery")
      yield* send(bus, "job-2", job)
      assert.strictEqual(text((yield* first.next).body), "job-2")
      yield* eventually(Effect.map(first.consumer.depth, ({ pending, inFlight }) => pending + inFlight === 0))
    }))

  test("depth counts what waits, what runs and how old the oldest is", (bus) =>
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const consumer = yield* bus.consume(options({ concurrency: 2 }), () => Effect.as(Deferred.await(go), ack))
      assert.deepStrictEqual(yield* consumer.depth, { pending: 0, inFlight: 0, oldestAgeMillis: 0 })
      yield* Effect.forEach([1, 2, 3, 4, 5], (n) => send(bus, `${n}`), { discard: true })
      yield* eventually(Effect.map(consumer.depth, ({ pending, inFlight }) => pending === 3 && inFlight === 2))
      yield* eventually(Effect.map(consumer.depth, ({ oldestAgeMillis }) => oldestAgeMillis >= 50))
      yield* Deferred.succeed(go, undefined)
      yield* eventually(Effect.map(consumer.depth, ({ pending, inFlight }) => pending + inFlight === 0))
      assert.strictEqual((yield* consumer.depth).oldestAgeMillis, 0)
    }))

  test("one bad message among many costs no more than its own retries", (bus) =>
    Effect.gen(function* () {
      let bad = 0
      let good = 0
      yield* bus.consume(options({ concurrency: 8 }), (delivery) =>
        Effect.sync(() => {
          if (text(delivery.body) !== "bad") {
            good++
            return ack
          }
          return ++bad < 3 ? retry("100 millis") : ack
        }),
      )
      yield* send(bus, "bad")
      yield* Effect.forEach(Array.from({ length: 200 }), () => send(bus, "good"), { concurrency: 32, discard: true })
      yield* eventually(Effect.sync(() => good === 200 && bad === 3))
    }))

  testShared("two processes share one name; one that goes hands its messages to the other", (first, second) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      let stuck = 0
      yield* second.bus
        .consume(options({ concurrency: 2, ackWait: Duration.seconds(30) }), () =>
          Effect.andThen(
            Effect.sync(() => void stuck++),
            Effect.never,
          ),
        )
        .pipe(Scope.provide(scope))
      yield* Effect.forEach([1, 2, 3, 4], (n) => send(first.bus, `${n}`), { discard: true })
      yield* eventually(Effect.sync(() => stuck === 2))
      const other = yield* collect(first.bus, { ackWait: Duration.seconds(30) })
      const retained = [yield* other.next, yield* other.next]
      yield* eventually(
        Effect.map(
          other.consumer.depth,
          ({ pending, inFlight }) => pending === 0 && (lacks.inFlightElsewhere !== undefined || inFlight === 2),
        ),
      )
      yield* Scope.close(scope, Exit.void)
      const handedBack = [yield* other.next, yield* other.next]
      assert.deepStrictEqual([...retained, ...handedBack].map(({ body }) => text(body)).sort(), ["1", "2", "3", "4"])
      assert.deepStrictEqual(
        handedBack.map(({ deliveryCount }) => deliveryCount),
        [2, 2],
      )
    }),
  )
}
