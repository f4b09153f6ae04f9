import { TransientError } from "@armoricore/domain/Errors"
import { sign, signatureHeader } from "@armoricore/domain/Signature"
import { EventSigningKeys, on, Worker } from "@armoricore/worker"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Redacted, Schedule } from "effect"
import {
  advanceClock,
  bytes,
  recordMessages,
  deadLetters,
  ports,
  publish,
  playableMessage,
  flushFibers,
  uploadedEvent,
} from "./support/WorkerFixtures.ts"
import { event } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"

const id = (index: number) => `0190a1b2-c3d4-7e5f-8a9b-${String(index).padStart(12, "0")}`

describe("a poison event", () => {
  it.effect(
    "1 poison event among 1,000 valid ones costs only its own attempts, and blocks no other event",
    () =>
      Effect.gen(function* () {
        let bad = 0
        let good = 0
        let lastGood = 0
        yield* Worker.run("media", [
          on("media.uploaded", {
            concurrency: 2,
            handle: ({ event_id }) =>
              Effect.gen(function* () {
                if (event_id === id(1)) {
                  bad++
                  return yield* new TransientError({ dependency: "x", code: "poison", message: "always" })
                }
                good++
                lastGood = yield* Clock.currentTimeMillis
                return []
              }),
            onFailure: () => [],
          }),
        ])
        yield* Effect.forEach(
          Array.from({ length: 1_001 }, (_, index) => id(index + 1)),
          (event_id) => publish(uploadedEvent({ event_id }), event_id),
          { discard: true },
        )
        // The clock has not moved: all valid events are handled while the poison event waits for its second attempt.
        yield* flushFibers.pipe(Effect.repeat({ until: () => good === 1_000, schedule: Schedule.recurs(200) }))
        assert.deepStrictEqual([good, bad, lastGood], [1_000, 1, 0])
        for (let seconds = 0; seconds < 30; seconds++) yield* advanceClock("1 second")
        assert.deepStrictEqual([good, bad], [1_000, 5])
        assert.deepStrictEqual(
          (yield* deadLetters).map(({ record }) => [record.event_id, record.reason]),
          [[id(1), "poison"]],
        )
      }).pipe(Effect.provide(ports)),
    60_000,
  )
})

describe("invalid input", () => {
  const raw = (body: Uint8Array, headers: Record<string, string> = {}) =>
    Effect.flatMap(EventBus, (bus) =>
      bus.publish({ address: event("media.uploaded"), id: crypto.randomUUID(), body, headers }),
    )
  const deep = `{"a":`.repeat(5_000) + "1" + "}".repeat(5_000)
  const text = (value: string) => new TextEncoder().encode(value)

  it.effect("every kind becomes a dead letter with its reason and field, and the next event is handled", () =>
    Effect.gen(function* () {
      const messages = yield* recordMessages
      yield* Worker.run("media", [
        on("media.uploaded", { handle: () => Effect.succeed([playableMessage]), onFailure: () => [] }),
      ])
      yield* raw(bytes(uploadedEvent({ filler: "x".repeat(1_000_001) })))
      yield* raw(new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]))
      yield* raw(text(deep))
      yield* raw(text(""))
      yield* raw(text("[1, 2"))
      yield* raw(bytes(null))
      yield* raw(bytes(uploadedEvent({ payload: [] })))
      yield* raw(bytes(uploadedEvent({ payload: { media_id: { no: "id" }, user_id: "u", file_path: "s3://media/a" } })))
      yield* raw(bytes(uploadedEvent({ timestamp: 7 })))
      yield* raw(bytes(uploadedEvent({ source: "nobody" })))
      yield* raw(bytes(uploadedEvent({ event_type: "media.eaten" })))
      yield* publish(uploadedEvent())
      yield* flushFibers
      assert.deepStrictEqual(
        (yield* deadLetters).map(({ record }) => [record.reason, record.path]),
        [
          ["too_large", ""],
          ["undecodable", ""],
          ["undecodable", ""],
          ["undecodable", ""],
          ["undecodable", ""],
          ["invalid", ""],
          ["invalid", "payload"],
          ["invalid", "payload.media_id"],
          ["invalid", "timestamp"],
          ["unauthorized", "source"],
          ["unknown_type", "event_type"],
        ],
      )
      assert.lengthOf(messages, 1)
    }).pipe(Effect.provide(ports)),
  )

  it.effect("with signing keys, an unsigned, forged or old signature is rejected; a current one is accepted", () =>
    Effect.gen(function* () {
      const messages = yield* recordMessages
      yield* Worker.run("media", [
        on("media.uploaded", { handle: () => Effect.succeed([playableMessage]), onFailure: () => [] }),
      ])
      const body = bytes(uploadedEvent())
      const signed = (secret: string, at: number) => ({
        [signatureHeader]: sign("k1", Redacted.make(secret), at, body),
      })
      yield* raw(body)
      yield* raw(body, signed("a guess", 0))
      yield* raw(body, signed("secret-1", 301))
      yield* raw(body, signed("secret-1", 300))
      yield* flushFibers
      assert.deepStrictEqual(
        (yield* deadLetters).map(({ record }) => record.reason),
        ["bad_signature", "bad_signature", "bad_signature"],
      )
      assert.lengthOf(messages, 1)
    }).pipe(
      Effect.provideService(EventSigningKeys, new Map([["k1", Redacted.make("secret-1")]])),
      Effect.provide(ports),
    ),
  )
})
