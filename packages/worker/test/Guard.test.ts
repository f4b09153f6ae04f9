import { event } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus"
import * as MemoryState from "@armoricore/state/memory/MemoryState"
import { DeadLetters, Guard, Ledger } from "@armoricore/worker"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"

const ports = DeadLetters.layer.pipe(
  Layer.provideMerge(Ledger.layer),
  Layer.provideMerge(Layer.mergeAll(MemoryBus.layer, MemoryState.layer)),
)

const publish = (subject: string, more: object) =>
  Effect.flatMap(EventBus, (bus) =>
    bus.publish({
      address: event(subject),
      id: crypto.randomUUID(),
      body: new TextEncoder().encode(
        JSON.stringify({
          event_type: subject,
          event_id: crypto.randomUUID(),
          timestamp: "2026-01-31T12:00:00Z",
          source: "php-backend",
          payload: {},
          ...more,
        }),
      ),
    }),
  )

it.effect("regression: a sound event on a subject that nobody reads vanished", () =>
  Effect.gen(function* () {
    yield* Guard.run(new Set(["media.uploaded"]))
    yield* publish("media.upload", {
      event_type: "media.uploaded",
      payload: { media_id: "m", user_id: "u", file_path: "s3://media/a.mp4" },
    })
    yield* TestClock.adjust(0).pipe(Effect.andThen(Effect.yieldNow), Effect.repeat({ times: 50 }))
    const [letter, ...others] = yield* Effect.flatMap(DeadLetters, (dead) => dead.list({ limit: 10 }))
    assert.deepStrictEqual(
      [letter?.info.service, letter?.info.reason, letter?.info.path],
      ["guard", "invalid", "event_type"],
    )
    assert.isEmpty(others)
  }).pipe(Effect.provide(ports)),
)

it.effect("unknown and forged types become dead letters, those that a worker reads are left to it", () =>
  Effect.gen(function* () {
    yield* Guard.run(new Set(["media.uploaded"]))
    yield* publish("media.eaten", {})
    yield* publish("media.playable", { payload: { media_id: "m", user_id: "u", playback_urls: { hls: "h", mp4: [] } } })
    yield* publish("media.playable", {
      source: "media",
      payload: { media_id: "m", user_id: "u", playback_urls: { hls: "h", mp4: [] } },
    })
    yield* publish("media.uploaded", {})
    yield* TestClock.adjust(0).pipe(Effect.andThen(Effect.yieldNow), Effect.repeat({ times: 50 }))
    const letters = yield* Effect.flatMap(DeadLetters, (dead) => dead.list({ limit: 10 }))
    assert.deepStrictEqual(
      letters.map(({ info }) => [info.service, info.event_type, info.reason, info.path]),
      [
        ["guard", "media.eaten", "unknown_type", "event_type"],
        ["guard", "media.playable", "unauthorized", "source"],
      ],
    )
  }).pipe(Effect.provide(ports)),
)
