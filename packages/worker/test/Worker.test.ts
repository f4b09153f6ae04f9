import { event, work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { resultEventId } from "@armoricore/domain/DeterministicId"
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import { sign, signatureHeader } from "@armoricore/domain/Signature"
import { DeadLetters, emit, EventSigningKeys, Ledger, on, onWork, Worker, WorkSchemas } from "@armoricore/worker"
import type { HandlerError, HandlerContext } from "@armoricore/worker/Handler"
import type { ResultMessage } from "@armoricore/worker/ResultMessage"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Layer, Redacted, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import {
  advanceClock,
  bytes,
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

const handler = <R>(handle: (job: HandlerContext) => Effect.Effect<ReadonlyArray<ResultMessage>, HandlerError, R>) =>
  on("media.uploaded", {
    handle: (_, job) => handle(job),
    onFailure: ({ payload }, error, failed_at) => [
      emit("media.failed", { media_id: payload.media_id, user_id: payload.user_id, error, failed_at }),
    ],
    timeout: Duration.minutes(10),
  })

describe("the worker loop", () => {
  it.effect("publishes the result under an id derived from its cause, with its request id", () =>
    Effect.gen(function* () {
      const messages = yield* recordMessages
      yield* Worker.run("media", [handler(() => Effect.succeed([playableMessage]))])
      yield* publish(uploadedEvent())
      yield* flushFibers
      assert.lengthOf(messages, 1)
      const result = json(messages[0]?.body ?? new Uint8Array())
      assert.strictEqual(result.event_id, resultEventId(uploadEventId, "media.playable"))
      assert.strictEqual(result.request_id, "r-1")
      assert.strictEqual(result.source, "media")
      assert.isEmpty(yield* deadLetters)
    }).pipe(Effect.provide(ports)),
  )

  it.effect("handles an event once, however often it is delivered", () =>
    Effect.gen(function* () {
      let runs = 0
      const messages = yield* recordMessages
      yield* Worker.run("media", [handler(() => Effect.sync(() => [(runs++, playableMessage)]))])
      yield* publish(uploadedEvent())
      yield* flushFibers
      yield* publish(uploadedEvent())
      yield* flushFibers
      assert.strictEqual(runs, 1)
      assert.strictEqual(new Set(messages.map(({ id }) => id)).size, 1)
    }).pipe(Effect.provide(ports)),
  )

  it.effect("an undecodable message becomes a dead letter, and the next message is handled", () =>
    Effect.gen(function* () {
      const messages = yield* recordMessages
      yield* Worker.run("media", [handler(() => Effect.succeed([playableMessage]))])
      yield* publish(uploadedEvent({ payload: { user_id: "u", file_path: "s3://media/a.mp4" } }))
      yield* publish(uploadedEvent({ source: "stranger" }))
      yield* publish(uploadedEvent())
      yield* flushFibers
      const found = yield* deadLetters
      assert.deepStrictEqual(
        found.map(({ record }) => [record.reason, record.path, record.attempts]),
        [
          ["invalid", "payload.media_id", 1],
          ["unauthorized", "source", 1],
        ],
      )
      assert.deepStrictEqual(json(found[1]?.body ?? new Uint8Array()).source, "stranger")
      assert.lengthOf(messages, 1)
    }).pipe(Effect.provide(ports)),
  )

  it.effect("publishes a permanent failure once, without retry or dead letter", () =>
    Effect.gen(function* () {
      let runs = 0
      const messages = yield* recordMessages
      yield* Worker.run("media", [
        handler(() =>
          Effect.suspend(() => {
            runs++
            return Effect.fail(new PermanentError({ code: "unsupported_format", message: "not a film" }))
          }),
        ),
      ])
      yield* publish(uploadedEvent())
      yield* advanceClock("1 hour")
      assert.strictEqual(runs, 1)
      assert.deepStrictEqual(
        messages.map(({ body }) => json(body).payload.error),
        [{ code: "unsupported_format", message: "not a film" }],
      )
      assert.isEmpty(yield* deadLetters)
    }).pipe(Effect.provide(ports)),
  )

  it.effect(
    "retries a transient error with backoff, then publishes the failure and a dead letter",
    () =>
      Effect.gen(function* () {
        const starts: Array<number> = []
        const messages = yield* recordMessages
        yield* Worker.run("media", [
          handler((job) =>
            Effect.clockWith((clock) =>
              Effect.suspend(() => {
                starts.push(clock.currentTimeMillisUnsafe())
                assert.strictEqual(job.attempts, starts.length - 1)
                return Effect.fail(new TransientError({ dependency: "storage", code: "unavailable", message: "away" }))
              }),
            ),
          ),
        ])
        yield* publish(uploadedEvent())
        for (let seconds = 0; seconds < 600; seconds++) yield* advanceClock("1 second")
        assert.lengthOf(starts, 5)
        const gaps = starts.slice(1).map((at, index) => at - (starts[index] ?? 0))
        gaps.forEach((gap, index) => {
          assert.isAtLeast(gap, 500 * 2 ** index)
          // The test moves the clock in whole seconds.
          assert.isAtMost(gap, 1000 * 2 ** index + 1000)
        })
        assert.deepStrictEqual(
          messages.map(({ body }) => json(body).event_type),
          ["media.failed"],
        )
        assert.deepStrictEqual(
          (yield* deadLetters).map(({ record }) => [record.reason, record.attempts, record.event_id]),
          [["unavailable", 5, uploadEventId]],
        )
      }).pipe(Effect.provide(ports)),
    60_000,
  )

  it.effect("waits at least as long as Retry-After", () =>
    Effect.gen(function* () {
      let runs = 0
      yield* Worker.run("media", [
        handler(() =>
          Effect.suspend(() => {
            runs++
            return runs > 1
              ? Effect.succeed([])
              : Effect.fail(
                  new TransientError({
                    dependency: "fcm",
                    code: "throttled",
                    message: "slow",
                    retryAfterMillis: 45_000,
                  }),
                )
          }),
        ),
      ])
      yield* publish(uploadedEvent())
      yield* advanceClock("44 seconds")
      assert.strictEqual(runs, 1)
      yield* advanceClock("2 seconds")
      assert.strictEqual(runs, 2)
    }).pipe(Effect.provide(ports)),
  )

  it.effect("a configuration error uses up no attempt", () =>
    Effect.gen(function* () {
      let runs = 0
      const messages = yield* recordMessages
      yield* Worker.run("media", [
        handler((job) =>
          Effect.suspend(() => {
            runs++
            assert.strictEqual(job.attempts, 0)
            return runs > 10
              ? Effect.succeed([playableMessage])
              : Effect.fail(new ConfigurationError({ setting: "APNS_KEY", message: "refused" }))
          }),
        ),
      ])
      yield* publish(uploadedEvent())
      for (let minutes = 0; minutes < 12; minutes++) yield* advanceClock("61 seconds")
      assert.strictEqual(runs, 11)
      assert.lengthOf(messages, 1)
      assert.isEmpty(yield* deadLetters)
    }).pipe(Effect.provide(ports)),
  )

  it.effect("a defect and a timeout of the handler count as transient errors", () =>
    Effect.gen(function* () {
      let runs = 0
      const messages = yield* recordMessages
      yield* Worker.run("media", [
        handler(() =>
          Effect.suspend(() => {
            runs++
            if (runs === 1) return Effect.die(new Error("bug"))
            return runs === 2 ? Effect.never : Effect.succeed([playableMessage])
          }),
        ),
      ])
      yield* publish(uploadedEvent())
      yield* advanceClock("2 seconds")
      assert.strictEqual(runs, 2)
      for (let minutes = 0; minutes < 11; minutes++) yield* advanceClock("1 minute")
      assert.strictEqual(runs, 3)
      assert.lengthOf(messages, 1)
    }).pipe(Effect.provide(ports)),
  )

  it.effect("a worker that lost its lease publishes nothing; the result of the next owner counts", () =>
    Effect.gen(function* () {
      const messages = yield* recordMessages
      const ledger = yield* Ledger
      const late = yield* ledger.acquire("media-media-uploaded." + uploadEventId, "late", Duration.seconds(1))
      assert(late._tag === "Acquired")
      yield* TestClock.adjust("2 seconds")
      yield* Worker.run("media", [handler(() => Effect.succeed([playableMessage]))])
      yield* publish(uploadedEvent())
      yield* flushFibers
      const lost = yield* Effect.flip(late.lease.decide({ outbound: [] }, 1))
      assert.strictEqual(lost._tag, "Conflict")
      assert.lengthOf(messages, 1)
    }).pipe(Effect.provide(ports)),
  )

  it.effect("renews the lease of long work, so that no other worker starts it", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const messages = yield* recordMessages
      yield* Worker.run("media", [handler(() => Effect.as(Deferred.await(gate), [playableMessage]))])
      yield* publish(uploadedEvent())
      for (let steps = 0; steps < 20; steps++) yield* advanceClock("9 seconds")
      const ledger = yield* Ledger
      const other = yield* ledger.acquire("media-media-uploaded." + uploadEventId, "other", Duration.seconds(1))
      assert.strictEqual(other._tag, "Leased")
      yield* Deferred.succeed(gate, undefined)
      yield* flushFibers
      assert.lengthOf(messages, 1)
    }).pipe(Effect.provide(ports)),
  )

  it.effect(
    "a handler over the drain timeout is interrupted and its message redelivered, without counting an attempt",
    () =>
      Effect.gen(function* () {
        const first = yield* Scope.make()
        yield* Worker.run("media", [handler(() => Effect.never)]).pipe(Scope.provide(first))
        yield* publish(uploadedEvent())
        yield* flushFibers
        const closing = yield* Effect.forkChild(Scope.close(first, Exit.void))
        yield* advanceClock("21 seconds")
        assert.isDefined(closing.pollUnsafe())
        const messages = yield* recordMessages
        yield* Worker.run("media", [
          handler((job) => Effect.sync(() => (assert.strictEqual(job.attempts, 0), [playableMessage]))),
        ])
        yield* advanceClock("1 second")
        assert.lengthOf(messages, 1)
      }).pipe(Effect.provide(ports)),
  )

  it.effect(
    "a replayed dead letter runs again and names its origin",
    () =>
      Effect.gen(function* () {
        let healthy = false
        const messages = yield* recordMessages
        yield* Worker.run("media", [
          handler(() =>
            healthy
              ? Effect.succeed([playableMessage])
              : Effect.fail(new TransientError({ dependency: "storage", code: "unavailable", message: "away" })),
          ),
        ])
        yield* publish(uploadedEvent())
        for (let seconds = 0; seconds < 40; seconds++) yield* advanceClock("1 second")
        const dead = yield* DeadLetters
        const [letter] = yield* deadLetters
        assert.isDefined(letter)
        yield* dead.replay(letter.id)
        for (let seconds = 0; seconds < 40; seconds++) yield* advanceClock("1 second")
        const [again] = yield* deadLetters
        assert.strictEqual(again?.record.replay_of, letter.id)
        healthy = true
        assert.isDefined(again)
        yield* dead.replay(again.id)
        yield* advanceClock("1 second")
        assert.isEmpty(yield* deadLetters)
        assert.strictEqual(json(messages.at(-1)?.body ?? new Uint8Array()).event_type, "media.playable")
      }).pipe(Effect.provide(ports)),
    60_000,
  )

  it.effect("an edited dead letter is validated before it is published", () =>
    Effect.gen(function* () {
      const messages = yield* recordMessages
      yield* Worker.run("media", [handler(() => Effect.succeed([playableMessage]))])
      yield* publish(uploadedEvent({ payload: {} }))
      yield* flushFibers
      const dead = yield* DeadLetters
      const [letter] = yield* deadLetters
      assert.isDefined(letter)
      const refused = yield* Effect.flip(dead.replay(letter.id, bytes(uploadedEvent({ payload: { media_id: "m" } }))))
      assert(refused._tag === "InvalidEvent")
      assert.strictEqual(refused.path, "payload.user_id")
      assert.lengthOf(yield* deadLetters, 1)
      yield* dead.replay(letter.id, bytes(uploadedEvent()))
      yield* flushFibers
      assert.isEmpty(yield* deadLetters)
      assert.lengthOf(messages, 1)
    }).pipe(Effect.provide(ports)),
  )

  /** A second consumer of the same type. */
  const both = (work: Effect.Effect<ReadonlyArray<typeof playableMessage>, TransientError>, ran: Array<string>) =>
    Effect.forEach(["media", "ai"] as const, (service) =>
      Worker.run(service, [
        handler(() =>
          Effect.andThen(
            service === "media" ? work : Effect.succeed([]),
            Effect.sync(() => void ran.push(service)),
          ).pipe(Effect.as([])),
        ),
      ]),
    )

  it.effect("an invalid event becomes one dead letter for all consumers of its type", () =>
    // regression: each consumer wrote its own dead letter
    Effect.gen(function* () {
      const ran: Array<string> = []
      yield* both(Effect.succeed([]), ran)
      yield* publish(uploadedEvent({ payload: {} }))
      yield* publish(uploadedEvent({ source: "somebody" }))
      yield* flushFibers
      assert.deepStrictEqual(
        (yield* deadLetters).map(({ record }) => record.path),
        ["payload.media_id", "source"],
      )
      // No consumer has handled the event, so all of them receive the replay.
      const dead = yield* DeadLetters
      const [, letter] = yield* deadLetters
      assert.isDefined(letter)
      yield* dead.replay(letter.id)
      yield* flushFibers
      assert.lengthOf(yield* deadLetters, 2)
      const [, again] = yield* deadLetters
      assert.isDefined(again)
      yield* dead.replay(again.id, bytes(uploadedEvent()))
      yield* flushFibers
      assert.sameMembers(ran, ["media", "ai"])
    }).pipe(Effect.provide(ports)),
  )

  it.effect("a replay needs no signature of the publisher, edited or not, however old the event is", () =>
    // regression: the old signature was judged again, and the event died a second time
    Effect.gen(function* () {
      const keys = new Map([["k", Redacted.make("secret-1")]])
      const ran: Array<string> = []
      yield* Worker.run("media", [
        handler(({ message }) =>
          Effect.as(
            Effect.sync(() => void ran.push(json(message.body).payload.file_path)),
            [],
          ),
        ),
      ]).pipe(Effect.provideService(EventSigningKeys, keys))
      const bus = yield* EventBus
      const send = (body: Uint8Array, headers: Record<string, string>) =>
        bus.publish({ address: event("media.uploaded"), id: crypto.randomUUID(), body, headers })
      const dead = yield* DeadLetters
      const signedAt = (body: Uint8Array, seconds: number) => ({
        [signatureHeader]: sign("k", Redacted.make("secret-1"), seconds, body),
      })
      const old = bytes(uploadedEvent({ event_id: crypto.randomUUID() }))
      yield* send(old, signedAt(old, 9_000))
      const invalid = bytes(uploadedEvent({ event_id: crypto.randomUUID(), payload: {} }))
      yield* send(invalid, signedAt(invalid, 0))
      yield* flushFibers
      const [unsigned, incomplete] = yield* deadLetters
      assert.deepStrictEqual([unsigned?.record.reason, incomplete?.record.reason], ["bad_signature", "invalid"])
      yield* TestClock.adjust("1 hour")
      yield* dead.replay(unsigned?.id ?? "")
      const corrected = { media_id: "m", user_id: "u", file_path: "s3://media/b.mp4" }
      yield* dead.replay(
        incomplete?.id ?? "",
        bytes(uploadedEvent({ event_id: crypto.randomUUID(), payload: corrected })),
      )
      yield* flushFibers
      assert.deepStrictEqual(ran, ["s3://media/a.mp4", "s3://media/b.mp4"])
      assert.isEmpty(yield* deadLetters)
      // The header alone authorises nothing.
      yield* send(bytes(uploadedEvent({ event_id: crypto.randomUUID() })), { "Armoricore-Replay-Of": "1" })
      yield* flushFibers
      assert.lengthOf(ran, 2)
      assert.strictEqual((yield* deadLetters)[0]?.record.reason, "bad_signature")
    }).pipe(Effect.provide(ports)),
  )

  it.effect("an edited dead letter stays until its replay was handled", () =>
    Effect.gen(function* () {
      let healthy = false
      yield* Worker.run("media", [
        handler(() =>
          healthy
            ? Effect.succeed([])
            : Effect.fail(new TransientError({ dependency: "storage", code: "unavailable", message: "away" })),
        ),
      ])
      yield* publish(uploadedEvent({ payload: {} }))
      yield* flushFibers
      const dead = yield* DeadLetters
      const [original] = yield* deadLetters
      assert.isDefined(original)
      const edited = (file: string) =>
        bytes(uploadedEvent({ payload: { media_id: "m", user_id: "u", file_path: `s3://media/${file}` } }))
      yield* dead.replay(original.id, edited("none.mp4"))
      for (let seconds = 0; seconds < 40; seconds++) yield* advanceClock("1 second")
      assert.deepStrictEqual(
        (yield* deadLetters).map(({ id, record }) => [id === original.id, record.reason]),
        [
          [true, "invalid"],
          [false, "unavailable"],
        ],
      )
      healthy = true
      yield* dead.replay(original.id, edited("b.mp4"))
      yield* flushFibers
      assert.deepStrictEqual(
        (yield* deadLetters).map(({ record }) => record.reason),
        ["unavailable"],
      )
    }).pipe(Effect.provide(ports)),
  )

  const Job = Schema.Struct({ index: Schema.Int })
  const jobLayer = Layer.fresh(DeadLetters.layer).pipe(
    Layer.provide(Layer.succeed(WorkSchemas.WorkSchemas, WorkSchemas.of({ media: { job: Job } }))),
    Layer.provideMerge(ports),
  )

  it.effect("an edited dead letter of work must be a work message of its kind, and keeps its type", () =>
    Effect.gen(function* () {
      const handled: Array<number> = []
      yield* Worker.run("media", [
        onWork("job", Job, {
          handle: ({ index }) =>
            Effect.as(
              Effect.sync(() => void handled.push(index)),
              [],
            ),
          onFailure: () => [],
        }),
      ])
      const bus = yield* EventBus
      const body = bytes({ cause_id: uploadEventId, payload: { index: "x" } })
      yield* bus.publish({ address: work("media", "job"), id: "work-1", body })
      yield* flushFibers
      const dead = yield* DeadLetters
      const [letter] = yield* dead.list({ type: "work.job", limit: 10 })
      assert.isDefined(letter)
      assert.strictEqual(letter.record.message, 'payload.index must be a number, not "x"')
      assert.strictEqual(letter.record.event_id, uploadEventId)
      // regression: an event was accepted as the body, the original was deleted, and the work could never run
      const event = yield* Effect.flip(dead.replay(letter.id, bytes(uploadedEvent())))
      assert.match(event.message, new RegExp(`^cause_id is missing; .* of the event ${uploadEventId}: to change `))
      const wrong = bytes({ cause_id: uploadEventId, payload: {} })
      assert.match((yield* Effect.flip(dead.replay(letter.id, wrong))).message, /^payload\.index is missing; /)
      yield* dead.replay(letter.id, bytes({ cause_id: uploadEventId, payload: { index: 7 } }))
      yield* flushFibers
      assert.deepStrictEqual(handled, [7])
      assert.isEmpty(yield* deadLetters)
    }).pipe(Effect.provide(jobLayer)),
  )

  it.effect("services have any name; two runs with one consumer in a process are a fault at start", () =>
    // regression: every outside service was "operator", and two of them shared the messages of one consumer
    Effect.gen(function* () {
      const ran: Array<string> = []
      const recorder = (service: string) =>
        Worker.run(service, [
          handler(() =>
            Effect.as(
              Effect.sync(() => void ran.push(service)),
              [],
            ),
          ),
        ])
      yield* recorder("tickets")
      yield* recorder("billing")
      const fault = yield* Effect.flip(recorder("tickets"))
      assert(fault._tag === "ConfigurationError")
      assert.strictEqual(fault.setting, "consumer tickets-media-uploaded")
      assert.strictEqual((yield* Effect.flip(recorder("My Service")))._tag, "ConfigurationError")
      yield* publish(uploadedEvent())
      yield* flushFibers
      assert.sameMembers(ran, ["tickets", "billing"])
    }).pipe(Effect.provide(ports)),
  )

  it.effect("a dead letter without a readable type has the type of its subject", () =>
    Effect.gen(function* () {
      yield* Worker.run("media", [handler(() => Effect.succeed([]))])
      const bus = yield* EventBus
      yield* bus.publish({ address: event("media.uploaded"), id: "x", body: new TextEncoder().encode("{") })
      yield* flushFibers
      assert.strictEqual((yield* deadLetters)[0]?.record.event_type, "media.uploaded")
    }).pipe(Effect.provide(ports)),
  )

  it.effect("a message with very large headers becomes a dead letter", () =>
    // regression: NATS rejected the dead letter, because headers count towards its message limit
    Effect.gen(function* () {
      yield* Worker.run("media", [handler(() => Effect.succeed([]))])
      const bus = yield* EventBus
      const headers = {
        big: "x".repeat(25_000),
        traceparent: "y".repeat(20_000),
        "Armoricore-Replay-Of": "z".repeat(9_000),
      }
      yield* bus.publish({ address: event("media.uploaded"), id: "i".repeat(100_000), body: bytes({}), headers })
      yield* flushFibers
      const [letter] = yield* bus.deadLetters.list({ limit: 10 })
      assert.deepStrictEqual(Object.keys(letter?.headers ?? {}), ["traceparent", "Armoricore-Letter"])
      assert.isBelow(JSON.stringify(letter?.headers).length, 30_000)
      assert.lengthOf(yield* deadLetters, 1)
    }).pipe(Effect.provide(ports)),
  )

  it.effect("an event with a forged replay header is handled", () =>
    // regression: the event was acknowledged without being handled
    Effect.gen(function* () {
      const ran: Array<string> = []
      yield* both(Effect.succeed([]), ran)
      const bus = yield* EventBus
      for (const [id, header] of [
        ["a", "Armoricore-Replay-For"],
        ["b", "armoricore-replay-for"],
      ] as const) {
        yield* bus.publish({
          address: event("media.uploaded"),
          id,
          body: bytes(uploadedEvent({ event_id: crypto.randomUUID() })),
          headers: { [header]: "nobody", "Armoricore-Replay-Of": "1" },
        })
      }
      yield* flushFibers
      assert.sameMembers(ran, ["media", "ai", "media", "ai"])
      assert.isEmpty(yield* deadLetters)
    }).pipe(Effect.provide(ports)),
  )

  it.effect("a dead letter of one consumer is replayed for that consumer only", () =>
    Effect.gen(function* () {
      const ran: Array<string> = []
      let healthy = false
      const away = new TransientError({ dependency: "storage", code: "unavailable", message: "away" })
      yield* both(
        Effect.suspend(() => (healthy ? Effect.succeed([]) : Effect.fail(away))),
        ran,
      )
      yield* publish(uploadedEvent())
      for (let seconds = 0; seconds < 40; seconds++) yield* advanceClock("1 second")
      const [letter] = yield* deadLetters
      assert.strictEqual(letter?.record.service, "media")
      assert.deepStrictEqual(ran, ["ai"])
      healthy = true
      const ledger = yield* Ledger
      // The other consumer would have handled it again.
      yield* ledger.remove(`ai-media-uploaded.${uploadEventId}`)
      assert.isDefined(letter)
      yield* (yield* DeadLetters).replay(letter.id)
      yield* advanceClock("1 second")
      assert.deepStrictEqual(ran, ["ai", "media"])
    }).pipe(Effect.provide(ports)),
  )
})
