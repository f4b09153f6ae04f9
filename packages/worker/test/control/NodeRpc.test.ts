import { EventBus } from "@armoricore/bus/EventBus"
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus"
import { TransientError } from "@armoricore/domain/Errors"
import { NodeRpc } from "@armoricore/worker/control/NodeRpc"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { advanceClock, flushFibers } from "../support/WorkerFixtures.ts"

const doubled = { kind: "double", request: Schema.Int, reply: Schema.Int }
const named = { kind: "named", request: Schema.Void, reply: Schema.String }

/** One more process on the bus of the test; its scope ends it. */
const start = (services: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const built = yield* Layer.build(NodeRpc.layer({ services, version: "1" })).pipe(Scope.provide(scope))
    return { scope, plane: Context.get(built, NodeRpc) }
  })

describe("ControlPlane", () => {
  it.effect("processes that start know each other at once, and forget who left", () =>
    Effect.gen(function* () {
      const a = yield* start(["media"])
      const b = yield* start(["realtime"])
      yield* flushFibers
      const seen = yield* a.plane.nodes
      assert.deepStrictEqual(
        seen.map(({ services }) => services),
        [["media"], ["realtime"]],
      )
      assert.strictEqual((yield* b.plane.nodes).length, 2)
      yield* Scope.close(b.scope, Exit.void)
      yield* flushFibers
      assert.strictEqual((yield* a.plane.nodes).length, 1)
      const gone = yield* a.plane.departed
      assert.deepStrictEqual(
        gone.map(({ descriptor, graceful }) => [descriptor.node, graceful]),
        [[b.plane.self.node, true]],
      )
    }).pipe(Effect.provide(MemoryBus.layer)),
  )

  it.effect("an asker gets the answers of all, its own too, without waiting", () =>
    Effect.gen(function* () {
      const [a, b, c] = [yield* start([]), yield* start([]), yield* start([])]
      for (const { plane } of [a, b]) yield* plane.respond(doubled, (n) => Effect.succeed(n * 2))
      yield* flushFibers
      const asking = yield* Effect.forkChild(a.plane.call(doubled, 21))
      yield* flushFibers
      // No time has passed.
      assert.isDefined(asking.pollUnsafe())
      const { replies, failures, unresponsive } = yield* Fiber.join(asking)
      assert.deepStrictEqual(
        replies.map(({ node, value }) => [node, value]).sort(),
        [
          [a.plane.self.node, 42],
          [b.plane.self.node, 42],
        ].sort(),
      )
      assert.deepStrictEqual([failures, unresponsive], [[], []])
      const one = yield* Effect.forkChild(c.plane.call(doubled, 1, b.plane.self.node))
      yield* flushFibers
      assert.deepStrictEqual(
        (yield* Fiber.join(one)).replies.map(({ node }) => node),
        [b.plane.self.node],
      )
    }).pipe(Effect.provide(MemoryBus.layer)),
  )

  it.effect("who is silent is named after a while, who fails with its sentence", () =>
    Effect.gen(function* () {
      const [a, b, c] = [yield* start([]), yield* start([]), yield* start([])]
      yield* a.plane.respond(named, () => Effect.succeed("a"))
      yield* b.plane.respond(named, () => Effect.never)
      yield* c.plane.respond(named, () => Effect.fail({ message: "out of order" }))
      yield* flushFibers
      const asking = yield* Effect.forkChild(a.plane.call(named, undefined))
      yield* advanceClock("1900 millis")
      assert.isUndefined(asking.pollUnsafe())
      yield* advanceClock("100 millis")
      const { replies, failures, unresponsive } = yield* Fiber.join(asking)
      assert.deepStrictEqual(
        replies.map(({ value }) => value),
        ["a"],
      )
      assert.deepStrictEqual(failures, [{ node: c.plane.self.node, message: "out of order" }])
      assert.deepStrictEqual(unresponsive, [b.plane.self.node])
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
      yield* flushFibers
      assert.strictEqual((yield* a.plane.nodes).length, 2)
      cut = true
      yield* TestClock.adjust("20 seconds")
      yield* flushFibers
      assert.strictEqual((yield* a.plane.nodes).length, 1)
      assert.deepInclude((yield* a.plane.departed)[0], { descriptor: b.plane.self, graceful: false })
      // Cut off, it still answers itself.
      yield* b.plane.respond(named, () => Effect.succeed("b"))
      const asking = yield* Effect.forkChild(b.plane.call(named, undefined))
      yield* advanceClock("2 seconds")
      const { replies, unresponsive } = yield* Fiber.join(asking)
      assert.deepStrictEqual(
        replies.map(({ value }) => value),
        ["b"],
      )
      assert.deepStrictEqual(unresponsive, [a.plane.self.node])
    }).pipe(Effect.provide(MemoryBus.layer)),
  )
})
