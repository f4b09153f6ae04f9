/** The bus and the history go away and come back, and rooms do not notice. */
import * as NatsConnection from "@armoricore/nats/NatsConnection"
import { EventBus, type OutgoingMessage } from "@armoricore/bus/EventBus"
import { TransientError } from "@armoricore/domain/Errors"
import { Cluster } from "@armoricore/realtime/cluster/Cluster"
import { History } from "@armoricore/history/History"
import * as MemoryHistory from "@armoricore/history/memory/MemoryHistory"
import * as NatsHistory from "@armoricore/history/nats/NatsHistory"
import * as NatsServer from "@armoricore/testing/NatsServer"
import * as Programs from "@armoricore/testing/Programs"
import * as PublishBuffer from "@armoricore/realtime/pubsub/PublishBuffer"
import * as TimelineModule from "@armoricore/realtime/rooms/RoomLog"
import { Topics } from "@armoricore/realtime/pubsub/Topics"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Schedule } from "effect"
import { TestClock } from "effect/testing"

const { RoomLog } = TimelineModule

class Outage extends Context.Service<Outage, { away: boolean }>()("test/Outage") {
  static readonly layer = Layer.sync(Outage, () => ({ away: false }))
}

const away = new TransientError({ dependency: "history", code: "unavailable", message: "away" })

const failing = <A, E>(weather: { readonly away: boolean }, effect: Effect.Effect<A, E>) =>
  Effect.suspend((): Effect.Effect<A, E | TransientError> => (weather.away ? Effect.fail(away) : effect))

const history = Layer.effect(
  History,
  Effect.gen(function* () {
    const weather = yield* Outage
    const memory = yield* History
    return {
      append: (room, id, body) => failing(weather, memory.append(room, id, body)),
      read: (room, page) => failing(weather, memory.read(room, page)),
      remove: (room, id) => failing(weather, memory.remove(room, id)),
      subscribe: memory.subscribe,
      setup: memory.setup,
    }
  }),
).pipe(Layer.provide(MemoryHistory.layer()))

const roomLog = TimelineModule.layer.pipe(
  Layer.provideMerge([Topics.layer, Cluster.layerSingleNode]),
  Layer.provideMerge(history),
  Layer.provideMerge(Outage.layer),
)

const topic = "chat:room:r"

const say = Effect.fnUntraced(function* (id: string) {
  return yield* (yield* RoomLog).append(topic, { event: "new_message", id, payload: { id } })
})

const ids = (entries: ReadonlyArray<TimelineModule.LogEntry>) => entries.map(({ payload }) => payload["id"])

describe("without the history", () => {
  it.effect("an item that nobody can read left a room without answers for ever", () =>
    Effect.gen(function* () {
      const { append } = yield* History
      yield* append(topic, "odd", Buffer.from("no JSON"))
      const odd = yield* Effect.exit(say("odd"))
      assert.isTrue(Exit.isFailure(odd))
      assert.strictEqual((yield* say("next")).payload["id"], "next")
    }).pipe(Effect.provide(roomLog)),
  )

  it.effect("a room goes on, and what was said is kept in order when it is back", () =>
    Effect.gen(function* () {
      const { replay, remove } = yield* RoomLog
      const weather = yield* Outage
      const heard: Array<unknown> = []
      const topics = yield* Topics
      topics.subscribe(topic, { receive: ({ payload, seq }) => heard.push([Object(payload).id, seq]) })
      const before = yield* say("a")
      weather.away = true
      const first = yield* say("b")
      const second = yield* say("c")
      const bad = yield* say("bad")
      assert.isTrue(yield* remove(topic, "bad"))
      assert.deepStrictEqual([first.seq, second.seq, bad.seq], [before.seq + 1, before.seq + 2, before.seq + 3])
      assert.deepStrictEqual(yield* say("b"), { ...first, fresh: false })
      const meanwhile = yield* replay(topic, { since: before.seq })
      assert.deepStrictEqual([ids(meanwhile.entries), meanwhile.recovered], [["b", "c"], false])

      weather.away = false
      yield* TestClock.adjust("2 seconds")
      const after = yield* say("d")
      assert.isAbove(after.seq, second.seq)
      const whole = yield* replay(topic, { since: before.seq })
      assert.deepStrictEqual([ids(whole.entries), whole.recovered], [["b", "c", "d"], true])
      assert.deepStrictEqual(
        heard.map((one) => (Array.isArray(one) ? one[0] : one)),
        ["a", "b", "c", "bad", "d"],
      )
    }).pipe(Effect.provide(roomLog)),
  )

  it.effect("a number given meanwhile never hides what was said", () =>
    Effect.gen(function* () {
      const { replay } = yield* RoomLog
      const weather = yield* Outage
      weather.away = true
      const first = yield* say("b")
      yield* say("c")
      weather.away = false
      yield* TestClock.adjust("2 seconds")
      assert.includeMembers(ids((yield* replay(topic, { since: first.seq })).entries), ["c"])
    }).pipe(Effect.provide(roomLog)),
  )

  it.effect("only so much is kept", () =>
    Effect.gen(function* () {
      ;(yield* Outage).away = true
      yield* Effect.forEach(
        Array.from({ length: 10_000 }, (_, index) => `m${index}`),
        say,
        { concurrency: 100, discard: true },
      )
      const refused = yield* Effect.flip(say("one too many"))
      assert.strictEqual(refused._tag, "TransientError")
    }).pipe(Effect.provide(roomLog)),
  )
})

describe.skipIf(Programs.requireProgram("nats-server").missing)("without NATS", () => {
  it.live(
    "a room goes on through a crash of the server, and its history has everything afterwards",
    () =>
      Effect.gen(function* () {
        const server = yield* NatsServer.make()
        const nats = TimelineModule.layer.pipe(
          Layer.provideMerge([Topics.layer, Cluster.layerSingleNode]),
          Layer.provideMerge(NatsHistory.layer()),
          Layer.provideMerge(NatsConnection.layer({ servers: [server.url] })),
        )
        yield* Effect.gen(function* () {
          const { replay } = yield* RoomLog
          yield* (yield* NatsConnection.NatsConnection).connected
          yield* (yield* History).setup
          const first = yield* say("a")
          yield* server.kill
          const second = yield* say("b")
          assert.isAbove(second.seq, first.seq)
          assert.isFalse((yield* replay(topic, { since: first.seq })).recovered)
          yield* server.restart
          const { entries } = yield* Effect.repeat(replay(topic, { since: first.seq }), {
            until: ({ recovered }) => recovered,
            schedule: Schedule.spaced("100 millis"),
          })
          assert.deepStrictEqual(ids(entries), ["b"])
        }).pipe(Effect.provide(nats))
      }),
    { timeout: 30_000 },
  )
})

describe("without the bus", () => {
  const published: Array<string> = []
  let isAway = false
  const unused = () => Effect.die(new Error("not used here"))
  const bus = Layer.mock(EventBus, {
    deadLetters: { list: unused, get: unused, remove: unused },
    publish: (message: OutgoingMessage) =>
      isAway
        ? Effect.fail(away)
        : Effect.sync(() => {
            published.push(message.id)
            return { duplicate: false }
          }),
  })
  const payload = { message_id: "m", room_id: "r", user_id: "u", content: "hi", timestamp: "2026-01-31T12:00:00Z" }

  it.effect("events wait, oldest given up first, and go out in order when it is back", () =>
    Effect.gen(function* () {
      const { offer, pendingCount } = yield* PublishBuffer.PublishBuffer
      yield* offer("chat.message", "0", payload)
      yield* TestClock.adjust("1 milli")
      assert.strictEqual(published.length, 1)
      isAway = true
      for (let n = 1; n <= 7; n++) yield* offer("chat.message", `${n}`, payload)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(pendingCount(), 5)
      isAway = false
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(pendingCount(), 0)
      assert.strictEqual(published.length, 6)
      assert.strictEqual(new Set(published).size, 6)
    }).pipe(Effect.provide(PublishBuffer.layer({ capacity: 5 }).pipe(Layer.provide(bus)))),
  )
})
