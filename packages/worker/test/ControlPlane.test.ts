import { EventBus } from "@armoricore/bus/EventBus"
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus"
import { TransientError } from "@armoricore/domain/Errors"
import { ControlPlane } from "@armoricore/worker/ControlPlane"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { after, settle } from "./support.ts"

const doubled = { kind: "double", question: Schema.Int, answer: Schema.Int }
const named = { kind: "named", question: Schema.Void, answer: Schema.String }

/** One more process on the bus of the test; its scope ends it. */
const start = (services: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const built = yield* Layer.build(ControlPlane.layer({ services, version: "1" })).pipe(Scope.provide(scope))
    return { scope, plane: Context.get(built, ControlPlane) }
  })

describe("ControlPlane", () => {
  it.effect("processes that start know each other at once, and forget who left", () =>
    Effect.gen(function* () {
      const a = yield* start(["media"])
      const b = yield* start(["realtime"])
      yield* settle
      const seen = yield* a.plane.nodes
      assert.deepStrictEqual(
        seen.map(({ services }) => services),
        [["media"], ["realtime"]],
      )
      assert.strictEqual((yield* b.plane.nodes).length, 2)
      yield* Scope.close(b.scope, Exit.void)
      yield* settle
      assert.strictEqual((yield* a.plane.nodes).length, 1)
      const gone = yield* a.plane.departed
      assert.deepStrictEqual(
        gone.map(({ info, orderly }) => [info.node, orderly]),
        [[b.plane.self.node, true]],
      )
    }).pipe(Effect.provide(MemoryBus.layer)),
  )

  it.effect("an asker gets the answers of all, its own too, without waiting", () =>
    Effect.gen(function* () {
      const [a, b, c] = [yield* start([]), yield* start([]), yield* start([])]
      for (const { plane } of [a, b]) yield* plane.answer(doubled, (n) => Effect.succeed(n * 2))
      yield* settle
      const asking = yield* Effect.forkChild(a.plane.ask(doubled, 21))
      yield* settle
      // No time has passed.
      assert.isDefined(asking.pollUnsafe())
      const { answers, failures, silent } = yield* Fiber.join(asking)
      assert.deepStrictEqual(
        answers.map(({ node, value }) => [node, value]).sort(),
        [
          [a.plane.self.node, 42],
          [b.plane.self.node, 42],
        ].sort(),
      )
      assert.deepStrictEqual([failures, silent], [[], []])
      const one = yield* Effect.forkChild(c.plane.ask(doubled, 1, b.plane.self.node))
      yield* settle
      assert.deepStrictEqual(
        (yield* Fiber.join(one)).answers.map(({ node }) => node),
        [b.plane.self.node],
      )
    }).pipe(Effect.provide(MemoryBus.layer)),
  )

  it.effect("who is silent is named after a while, who fails with its sentence", () =>
    Effect.gen(function* () {
      const [a, b, c] = [yield* start([]), yield* start([]), yield* start([])]
      yield* a.plane.answer(named, () => Effect.succeed("a"))
      yield* b.plane.answer(named, () => Effect.never)
      yield* c.plane.answer(named, () => Effect.fail({ message: "out of order" }))
      yield* settle
      const asking = yield* Effect.forkChild(a.plane.ask(named, undefined))
      yield* after("1900 millis")
      assert.isUndefined(asking.pollUnsafe())
      yield* after("100 millis")
      const { answers, failures, silent } = yield* Fiber.join(asking)
      assert.deepStrictEqual(
        answers.map(({ value }) => value),
        ["a"],
      )
      assert.deepStrictEqual(failures, [{ node: c.plane.self.node, message: "out of order" }])
      assert.deepStrictEqual(silent, [b.plane.self.node])
    }).pipe(Effect.provide(MemoryBus.layer)),
  )

  it.effect("a process that crashed is not waited for once its beats are missed", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      let cut = false
      const dead = new TransientError({ dependency: "bus", code: "unavailable", message: "gone" })
      const mortal = Layer.succeed(EventBus, {
        ...bus,
        broadcast: (...sent) => (cut ? Effect.fail(dead) : bus.broadcast(...sent)),
      })
      const a = yield* start([])
      const b = yield* start([]).pipe(Effect.provide(mortal))
      yield* settle
      assert.strictEqual((yield* a.plane.nodes).length, 2)
      cut = true
      yield* TestClock.adjust("20 seconds")
      yield* settle
      assert.strictEqual((yield* a.plane.nodes).length, 1)
      assert.deepInclude((yield* a.plane.departed)[0], { info: b.plane.self, orderly: false })
      // Cut off, it still answers itself.
      yield* b.plane.answer(named, () => Effect.succeed("b"))
      const asking = yield* Effect.forkChild(b.plane.ask(named, undefined))
      yield* after("2 seconds")
      const { answers, silent } = yield* Fiber.join(asking)
      assert.deepStrictEqual(
        answers.map(({ value }) => value),
        ["b"],
      )
      assert.deepStrictEqual(silent, [a.plane.self.node])
    }).pipe(Effect.provide(MemoryBus.layer)),
  )
})
