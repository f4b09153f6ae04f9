/** Options of handlers: partition keys, cancellation, idempotent handlers and retry policies. */
import { PermanentError, TransientError } from "@armoricore/domain/Errors"
import { Cancellation, emit, Ledger, MaxExpiredLeases, on, RetryPolicies, Worker } from "@armoricore/worker"
import type { EventOf } from "@armoricore/domain/EventRegistry"
import { KeyValue } from "@armoricore/state/KeyValue"
import { ConsumerRegistry, layer as consumerRegistry } from "@armoricore/worker/control/ConsumerRegistry"
import type { LaneJob } from "@armoricore/worker/WorkerLane"
import { ledgerBucket } from "@armoricore/worker/ledger/Ledger"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Layer, Option, Scope } from "effect"
import {
  advanceClock,
  uploadEventId,
  recordMessages,
  json,
  deadLetters,
  ports,
  publish,
  playableMessage,
  flushFibers,
  uploadedEvent,
} from "./support/WorkerFixtures.ts"

const onFailure = (
  { payload }: { payload: { media_id: string; user_id: string } },
  error: { code: string; message: string },
  failed_at: string,
) => [emit("media.failed", { media_id: payload.media_id, user_id: payload.user_id, error, failed_at })]

const id = (index: number) => `0190a1b2-c3d4-7e5f-8a9b-${String(index).padStart(12, "0")}`
const upload = (index: number, media_id: string) =>
  publish(
    uploadedEvent({ event_id: id(index), payload: { media_id, user_id: "u", file_path: "s3://media/a.mp4" } }),
    id(index),
  )

describe("a lane", () => {
  type Job = LaneJob<EventOf<"media.uploaded">>
  /** Gives the jobs to the test. `handled` has the ids of messages that the ordinary handler got. */
  const laneOf = (accepts: (mediaId: string) => boolean = () => true) => {
    const jobs: Array<Job> = []
    const pulls: Array<number> = []
    const handled: Array<string> = []
    const handler = on("media.uploaded", {
      concurrency: 8,
      claimsItself: true,
      lane: {
        accepts: ({ payload }) => accepts(payload.media_id),
        start: (pulled) => {
          pulls.push(pulled.length)
          jobs.push(...pulled)
        },
        stop: Effect.sync(() => {
          for (const job of jobs.splice(0)) job.redeliver(Duration.zero)
        }),
      },
      handle: ({ event_id }) =>
        Effect.sync(() => {
          handled.push(event_id)
          return [playableMessage]
        }),
      onFailure,
    })
    return { jobs, pulls, handled, handler }
  }
  const depth = Effect.flatMap(ConsumerRegistry, ({ list }) => list()[0]?.depth ?? Effect.die("no consumer"))
  const withRegistry = Layer.provideMerge(ports, consumerRegistry)

  it.effect("gets the messages of a pull together, and its results are decided, published and acknowledged", () =>
    Effect.gen(function* () {
      const messages = yield* recordMessages
      const { handled, handler, jobs, pulls } = laneOf((mediaId) => mediaId !== "other")
      for (let index = 1; index <= 3; index++) yield* upload(index, "m")
      yield* upload(4, "other")
      yield* Worker.run("media", [handler])
      yield* flushFibers
      assert.deepStrictEqual(pulls, [3])
      for (const job of jobs) job.succeed([playableMessage])
      yield* flushFibers
      assert.deepStrictEqual(handled, [id(4)])
      assert.lengthOf(messages, 4)
      assert.strictEqual(new Set(messages.map(({ body }) => json(body).event_id)).size, 4)
      assert.isTrue(messages.every(({ body, headers }) => headers["traceparent"] === json(body).traceparent))
      assert.deepStrictEqual(yield* depth, { pending: 0, inFlight: 0, oldestAgeMillis: 0 })
      // The same event under another message id: the decision is found, and the handler does not run.
      yield* publish(uploadedEvent({ event_id: id(1), payload: jobs[0]?.event.payload }), "again")
      yield* flushFibers
      jobs[3]?.succeed([])
      yield* advanceClock("1 second")
      assert.deepStrictEqual(handled, [id(4)])
      assert.strictEqual((yield* depth).inFlight, 0)
    }).pipe(Effect.provide(withRegistry)),
  )

  it.effect("leaves a message that it declines or redelivers to the handler", () =>
    Effect.gen(function* () {
      const { handled, handler, jobs } = laneOf()
      yield* upload(1, "a")
      yield* upload(2, "b")
      yield* Worker.run("media", [handler])
      yield* flushFibers
      jobs[0]?.decline()
      jobs[1]?.redeliver(Duration.seconds(5))
      yield* flushFibers
      assert.deepStrictEqual(handled, [id(1)])
      yield* advanceClock("6 seconds")
      assert.deepStrictEqual(handled, [id(1), id(2)])
      assert.strictEqual((yield* depth).inFlight, 0)
    }).pipe(Effect.provide(withRegistry)),
  )

  it.effect("interrupts a cancelled job, whose next delivery publishes the cancellation", () =>
    Effect.gen(function* () {
      const messages = yield* recordMessages
      const { handled, handler, jobs } = laneOf()
      yield* upload(1, "a")
      yield* Worker.run("media", [handler])
      yield* flushFibers
      const [job] = jobs
      assert(job !== undefined)
      job.onCancelled = () => job.redeliver(Duration.millis(100))
      yield* (yield* Cancellation).cancel("media-media-uploaded", id(1), "not wanted")
      yield* advanceClock("1 second")
      assert.isEmpty(handled)
      assert.deepStrictEqual(
        messages.map(({ body }) => json(body).payload.error),
        [{ code: "cancelled", message: "not wanted" }],
      )
    }).pipe(Effect.provide(withRegistry)),
  )

  it.effect("is stopped at the end of the drain, and another worker gets its messages at once", () =>
    Effect.gen(function* () {
      const first = laneOf()
      const second = laneOf(() => false)
      yield* upload(1, "a")
      const scope = yield* Scope.make()
      yield* Scope.provide(Worker.run("media", [first.handler]), scope)
      yield* flushFibers
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* advanceClock("21 seconds")
      yield* Fiber.join(closing)
      yield* Worker.run("media", [second.handler])
      yield* flushFibers
      assert.deepStrictEqual(second.handled, [id(1)])
    }).pipe(Effect.provide(withRegistry)),
  )

  it.effect("may finish its messages while the worker drains", () =>
    Effect.gen(function* () {
      const messages = yield* recordMessages
      const { handler, jobs } = laneOf()
      yield* upload(1, "a")
      const scope = yield* Scope.make()
      yield* Scope.provide(Worker.run("media", [handler]), scope)
      yield* flushFibers
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* flushFibers
      assert.isUndefined(closing.pollUnsafe())
      jobs.pop()?.succeed([playableMessage])
      yield* flushFibers
      assert.isDefined(closing.pollUnsafe())
      assert.lengthOf(messages, 1)
    }).pipe(Effect.provide(withRegistry)),
  )
})

describe("partition keys", () => {
  it.effect(
    "messages with one key run one at a time in the order of arrival over all processes; other keys run concurrently",
    () =>
      Effect.gen(function* () {
        const order: Array<string> = []
        let running = 0
        let together = 0
        const handler = on("media.uploaded", {
          concurrency: 4,
          partitionKey: ({ payload }) => payload.media_id,
          handle: ({ event_id, payload }, { attempts }) =>
            Effect.gen(function* () {
              order.push(`${payload.media_id}${Number(event_id.slice(-4))}`)
              together = Math.max(together, ++running)
              yield* Effect.sleep("200 millis")
              running--
              // A retry stays at the head; later messages wait behind it.
              if (event_id === id(1) && attempts === 0) {
                return yield* new TransientError({ dependency: "x", code: "away", message: "away" })
              }
              return []
            }),
          onFailure,
        })
        yield* Worker.run("media", [handler])
        yield* Worker.run("media", [handler]).pipe(
          Effect.provideService(Worker.CurrentProcessConsumers, new Worker.ProcessConsumers()),
        )
        for (let index = 1; index <= 4; index++) {
          yield* upload(index, "a")
          yield* upload(index + 10, "b")
          yield* advanceClock("10 millis")
        }
        for (let steps = 0; steps < 300; steps++) yield* advanceClock("100 millis")
        assert.deepStrictEqual(
          order.filter((run) => run.startsWith("a")),
          ["a1", "a1", "a2", "a3", "a4"],
        )
        assert.deepStrictEqual(
          order.filter((run) => run.startsWith("b")),
          ["b11", "b12", "b13", "b14"],
        )
        assert.strictEqual(together, 2)
        assert.isEmpty(yield* deadLetters)
      }).pipe(Effect.provide(ports)),
    60_000,
  )

  it.effect("a permanent failure starts the next message with the key", () =>
    Effect.gen(function* () {
      const done: Array<string> = []
      yield* Worker.run("media", [
        on("media.uploaded", {
          concurrency: 2,
          partitionKey: ({ payload }) => payload.media_id,
          handle: ({ event_id }) =>
            event_id === id(1)
              ? Effect.fail(new PermanentError({ code: "broken", message: "broken" }))
              : Effect.sync(() => (done.push(event_id), [])),
          onFailure,
        }),
      ])
      yield* upload(1, "a")
      yield* upload(2, "a")
      yield* advanceClock("1 second")
      assert.deepStrictEqual(done, [id(2)])
    }).pipe(Effect.provide(ports)),
  )
})

describe("cancellation", () => {
  it.effect("a running job is interrupted at once, its cancellation is published, and it does not run again", () =>
    Effect.gen(function* () {
      let runs = 0
      let interrupted = 0
      const messages = yield* recordMessages
      yield* Worker.run("media", [
        on("media.uploaded", {
          handle: () =>
            Effect.suspend(() => {
              runs++
              return Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++))
            }),
          onFailure,
        }),
      ])
      yield* publish(uploadedEvent())
      yield* flushFibers
      const cancellation = yield* Cancellation
      assert.isTrue(yield* cancellation.cancel("media-media-uploaded", uploadEventId, "the user left"))
      yield* advanceClock("1 second")
      assert.deepStrictEqual([runs, interrupted], [1, 1])
      assert.deepStrictEqual(
        messages.map(({ body }) => json(body).payload.error),
        [{ code: "cancelled", message: "the user left" }],
      )
      assert.isFalse(yield* cancellation.cancel("media-media-uploaded", uploadEventId, "again"))
      assert.isEmpty(yield* deadLetters)
    }).pipe(Effect.provide(ports)),
  )

  it.effect(
    "a worker that missed the message finds the cancellation in the ledger; a job may be cancelled before it arrives",
    () =>
      Effect.gen(function* () {
        let runs = 0
        const messages = yield* recordMessages
        const handle = () =>
          Effect.andThen(
            Effect.sync(() => void runs++),
            Effect.never,
          )
        yield* Worker.run("media", [on("media.uploaded", { handle, onFailure })])
        yield* publish(uploadedEvent())
        yield* flushFibers
        yield* (yield* Ledger).cancel(`media-media-uploaded.${uploadEventId}`, "silently")
        yield* (yield* Ledger).cancel(`media-media-uploaded.${id(2)}`, "early")
        yield* upload(2, "b")
        for (let steps = 0; steps < 30; steps++) yield* advanceClock("1 second")
        assert.strictEqual(runs, 1)
        assert.deepStrictEqual(
          messages.map(({ body }) => json(body).payload.error.message),
          ["early", "silently"],
        )
      }).pipe(Effect.provide(ports)),
  )
})

describe("an idempotent handler", () => {
  it.effect("writes no ledger record; its attempts and results are the usual ones", () =>
    Effect.gen(function* () {
      let runs = 0
      const messages = yield* recordMessages
      yield* Worker.run("media", [
        on("media.uploaded", {
          idempotent: true,
          handle: (_, { attempts }) =>
            Effect.suspend(() => {
              assert.strictEqual(attempts, runs++)
              return runs > 2
                ? Effect.succeed([playableMessage])
                : Effect.fail(new TransientError({ dependency: "x", code: "away", message: "away" }))
            }),
          onFailure,
        }),
      ])
      yield* publish(uploadedEvent())
      for (let steps = 0; steps < 10; steps++) yield* advanceClock("1 second")
      assert.strictEqual(runs, 3)
      assert.lengthOf(messages, 1)
      assert.isEmpty(yield* (yield* KeyValue).list(ledgerBucket, { limit: 10 }))
    }).pipe(Effect.provide(ports)),
  )
})

describe("a handler that claims its messages itself", () => {
  const record = Effect.flatMap(KeyValue, (state) =>
    Effect.map(state.list(ledgerBucket, { limit: 10 }), (all) =>
      all.map(({ revision, value }) => [revision, JSON.parse(value).status]),
    ),
  )

  it.effect("writes no lease for a first delivery, and one for work that takes long", () =>
    Effect.gen(function* () {
      const messages = yield* recordMessages
      yield* Worker.run("media", [
        on("media.uploaded", {
          claimsItself: true,
          handle: () => Effect.as(Effect.sleep("15 seconds"), [playableMessage]),
          onFailure,
        }),
      ])
      yield* publish(uploadedEvent())
      yield* advanceClock("9 seconds")
      assert.deepStrictEqual(yield* record, [])
      yield* advanceClock("2 seconds")
      assert.deepStrictEqual(yield* record, [[1, "leased"]])
      yield* advanceClock("5 seconds")
      assert.deepStrictEqual(yield* record, [[2, "decided"]])
      assert.lengthOf(messages, 1)
    }).pipe(Effect.provide(ports)),
  )

  it.effect("has the usual attempts, and a decided message is not decided again", () =>
    Effect.gen(function* () {
      const attemptsSeen: Array<number> = []
      const messages = yield* recordMessages
      yield* Worker.run("media", [
        on("media.uploaded", {
          claimsItself: true,
          handle: (_, { attempts }) =>
            Effect.suspend(() => {
              attemptsSeen.push(attempts)
              return attempts === 2
                ? Effect.succeed([playableMessage])
                : Effect.fail(new TransientError({ dependency: "x", code: "away", message: "away" }))
            }),
          onFailure,
        }),
      ])
      yield* publish(uploadedEvent())
      for (let steps = 0; steps < 10; steps++) yield* advanceClock("1 second")
      assert.deepStrictEqual(attemptsSeen, [0, 1, 2])
      const decided = yield* record
      assert.lengthOf(messages, 1)
      // The same event in another message: its handler may run, but its decision does not count.
      yield* publish(uploadedEvent(), "another message")
      for (let steps = 0; steps < 10; steps++) yield* advanceClock("1 second")
      assert.deepStrictEqual(yield* record, decided)
      assert.strictEqual(new Set(messages.map((message) => message.id)).size, 1)
    }).pipe(Effect.provide(ports)),
  )
})

describe("the retry policy", () => {
  const busy = on("media.uploaded", {
    handle: () => Effect.fail(new TransientError({ dependency: "x", code: "away", message: "away" })),
    onFailure,
  })
  const attempts = Effect.map(deadLetters, ([deadLetter]) => deadLetter?.record.attempts)

  it.effect("comes from the service if it has one", () =>
    Effect.gen(function* () {
      yield* Worker.run("media", [busy])
      yield* publish(uploadedEvent())
      for (let steps = 0; steps < 5; steps++) yield* advanceClock("1 second")
      assert.strictEqual(yield* attempts, 2)
    }).pipe(
      Effect.provide(Layer.succeed(RetryPolicies, new Map([["media", { maxAttempts: 2 }]]))),
      Effect.provide(ports),
    ),
  )

  it.effect("comes from the handler if it has one", () =>
    Effect.gen(function* () {
      yield* Worker.run("media", [{ ...busy, retry: { maxAttempts: 3, base: Duration.millis(10) } }])
      yield* publish(uploadedEvent())
      for (let steps = 0; steps < 5; steps++) yield* advanceClock("100 millis")
      assert.strictEqual(yield* attempts, 3)
    }).pipe(Effect.provide(ports)),
  )
})

describe("a message that crashes its workers", () => {
  it.effect("becomes a dead letter and one failure after a limited number of crashes", () =>
    Effect.gen(function* () {
      const ledger = yield* Ledger
      const key = `media-media-uploaded.${uploadEventId}`
      // Three owners crash one after the other.
      for (let crashes = 0; crashes < 3; crashes++) {
        yield* ledger.acquire(key, `owner-${crashes}`, Duration.seconds(1))
        yield* advanceClock("2 seconds")
      }
      let runs = 0
      const messages = yield* recordMessages
      yield* Worker.run("media", [
        on("media.uploaded", { handle: () => Effect.sync(() => (runs++, [playableMessage])), onFailure }),
      ])
      yield* publish(uploadedEvent())
      yield* advanceClock("1 second")
      assert.strictEqual(runs, 0)
      assert.deepStrictEqual(
        messages.map(({ body }) => json(body).payload.error.code),
        ["crashed"],
      )
      assert.deepStrictEqual(
        (yield* deadLetters).map(({ record }) => record.reason),
        ["crashed"],
      )
    }).pipe(Effect.provideService(MaxExpiredLeases, 3), Effect.provide(ports)),
  )

  it.effect("messages of a partition are handled when its head never returns", () =>
    Effect.gen(function* () {
      const { keyedQueue } = yield* Ledger
      yield* keyedQueue.enqueue("media.a", "media-media-uploaded.gone", 0)
      const gate = yield* Deferred.make<void>()
      yield* Worker.run("media", [
        on("media.uploaded", {
          partitionKey: ({ payload }) => payload.media_id,
          handle: () => Effect.as(Deferred.succeed(gate, undefined), []),
          onFailure,
        }),
      ])
      yield* upload(1, "a")
      for (let minutes = 0; minutes < 4; minutes++) yield* advanceClock("1 minute")
      assert.isTrue(Option.isNone(yield* Deferred.poll(gate)))
      for (let minutes = 0; minutes < 2; minutes++) yield* advanceClock("1 minute")
      assert.isTrue(Option.isSome(yield* Deferred.poll(gate)))
    }).pipe(Effect.provide(ports)),
  )
})
