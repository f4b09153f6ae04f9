import { event } from "@armoricore/bus/Address"
import { EventBus, publishAll } from "@armoricore/bus/EventBus"
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus"
import { TransientError } from "@armoricore/domain/Errors"
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as PublishFailures from "../../src/app/PublishFailures.ts"

it.effect("a full bus is reported until a publish succeeds, and for at most a minute", () =>
  // regression: /readyz said ready while every publish was refused, because a full disk can still be read
  Effect.gen(function* () {
    let isFull = true
    const full = new TransientError({ dependency: "bus", code: "full", message: "the disk is full" })
    const bus = Layer.effect(
      EventBus,
      Effect.map(EventBus, (memory) => ({
        ...memory,
        publish: (message: Parameters<typeof memory.publish>[0]) =>
          Effect.suspend(() => (isFull ? Effect.fail(full) : memory.publish(message))),
        publishMany: (messages: Parameters<typeof publishAll>[1]) =>
          Effect.suspend(() =>
            isFull ? Effect.succeed(messages.map(() => Exit.fail(full))) : publishAll(memory, messages),
          ),
      })),
    ).pipe(Layer.provide(MemoryBus.layer))
    yield* Effect.gen(function* () {
      const bus = yield* EventBus
      const failures = yield* PublishFailures.PublishFailures
      const message = () => ({ address: event("media.ready"), id: crypto.randomUUID(), body: new Uint8Array() })
      const send = Effect.suspend(() => Effect.ignore(bus.publish(message())))
      const sendMany = Effect.suspend(() => publishAll(bus, [message(), message()]))
      assert.isUndefined(yield* failures.full)
      yield* send
      assert.strictEqual(yield* failures.full, "the disk is full")
      yield* TestClock.adjust("2 minutes")
      assert.isUndefined(yield* failures.full)
      yield* send
      isFull = false
      yield* send
      assert.isUndefined(yield* failures.full)
      isFull = true
      yield* sendMany
      assert.strictEqual(yield* failures.full, "the disk is full")
      isFull = false
      yield* sendMany
      assert.isUndefined(yield* failures.full)
    }).pipe(Effect.provide(PublishFailures.layer.pipe(Layer.provide(bus))))
  }),
)
