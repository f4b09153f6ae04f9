/** A stream that an older version made is made anew by `setup` while rooms are written to and followed. */
import * as NatsConnection from "@armoricore/nats/NatsConnection"
import { type AppendNotification, History } from "@armoricore/history/History"
import * as NatsHistory from "@armoricore/history/nats/NatsHistory"
import * as NatsServer from "@armoricore/testing/NatsServer"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Queue, Schedule } from "effect"

const history = (url: string, remake: boolean) =>
  Effect.map(
    Layer.build(
      NatsHistory.layer({ remake }).pipe(Layer.provideMerge(NatsConnection.layer({ servers: [url] })), Layer.fresh),
    ),
    (services) => ({
      history: Context.get(services, History),
      connection: Context.get(services, NatsConnection.NatsConnection),
    }),
  )

describe.skipIf(Programs.requireProgram("nats-server").missing)("a stream of an older version", () => {
  it.live(
    "is made anew by setup: what is added meanwhile waits, numbers stay, followers miss nothing",
    () =>
      Effect.gen(function* () {
        const { url } = yield* NatsServer.make()
        const node = yield* history(url, false)
        const { manager } = yield* node.connection.jetstream
        yield* Effect.promise(() =>
          manager.streams.add({ name: "ARMORICORE_HISTORY", subjects: ["armoricore-history.>"], allow_direct: true }),
        )
        const heard = yield* Queue.unbounded<AppendNotification>()
        const listen = (one: typeof node) =>
          one.history.subscribe(
            "room",
            (added) => Queue.offerUnsafe(heard, added),
            () => {},
          )
        yield* listen(node)
        const count = 400
        const write = (n: number) =>
          node.history.append("room", `m${n}`, new Uint8Array(2_000)).pipe(
            Effect.retry({
              while: (error) => error._tag === "TransientError",
              schedule: Schedule.spaced("20 millis"),
            }),
          )
        const writing = yield* Effect.forkScoped(
          Effect.forEach(
            Array.from({ length: count }, (_, n) => n),
            (n) => Effect.andThen(write(n), Effect.sleep("2 millis")),
            { discard: true },
          ),
        )
        yield* Effect.replicateEffect(Queue.take(heard), 50, { discard: true })
        const setUp = yield* history(url, true)
        assert.match(String(yield* setUp.history.setup), /updated/)
        assert.deepStrictEqual(yield* setUp.history.setup, ["stream ARMORICORE_HISTORY: ready"])
        yield* Fiber.join(writing)
        const { items } = yield* node.history.read("room", { limit: 1000 })
        assert.deepStrictEqual(
          items.map(({ id }) => id),
          Array.from({ length: count }, (_, n) => `m${n}`),
        )
        const rest = yield* Effect.replicateEffect(Queue.take(heard), count - 50)
        assert.deepStrictEqual(
          rest.map(({ item, previousSeq }) => [item.id, item.seq, previousSeq]),
          items.slice(50).map(({ id, seq }, index) => [id, seq, items[49 + index]?.seq]),
        )
        // From now on the stream tells it.
        const next = yield* history(url, false)
        yield* listen(next)
        yield* write(count)
        assert.strictEqual((yield* Queue.take(heard)).item.id, `m${count}`)
      }),
    60_000,
  )
})
