/** What travels between nodes, and how much of it. */
import { EventBus } from "@armoricore/bus/EventBus"
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus"
import { Cluster, everybody } from "@armoricore/realtime/cluster/Cluster"
import { pack, Unpacker } from "@armoricore/realtime/cluster/Parcels"
import { ownerOf } from "@armoricore/realtime/cluster/Rendezvous"
import { decode, encode, type RoomMessage } from "@armoricore/realtime/cluster/RoomMessage"
import * as Packed from "@armoricore/realtime/Packed"
import { serializer } from "@armoricore/realtime/protocol/Frame"
import { serializer as v1 } from "@armoricore/realtime/protocol/FrameV1"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Queue, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"

const message = (payload: RoomMessage["payload"], more: Partial<RoomMessage> = {}): RoomMessage => ({
  node: "n1",
  id: 7,
  isEchoed: true,
  event: "said",
  droppable: false,
  seq: undefined,
  part: undefined,
  payload,
  ...more,
})

describe("between nodes", () => {
  it("a broadcast arrives as the frame that its own node would have made", () => {
    for (const payload of [{}, { text: 'é日🎬 \n "quoted"' }, { deep: [{ a: null }] }, Uint8Array.of(0, 10, 255)]) {
      const got = decode(encode(message(payload, { seq: 3, part: "presence", droppable: true })))
      assert.deepInclude(got, {
        node: "n1",
        id: 7,
        isEchoed: true,
        event: "said",
        seq: 3,
        part: "presence",
        droppable: true,
      })
      const frames = [payload, got?.payload ?? {}].map((one) => serializer.broadcast("room:a", "said", one))
      assert.deepStrictEqual(frames[1], frames[0])
      assert.deepStrictEqual(
        v1.broadcast("room:a", "said", got?.payload ?? {}),
        v1.broadcast("room:a", "said", payload),
      )
    }
    for (const body of ["", "\n", "{}\n{}", "[1]\n", "not json"]) assert.isUndefined(decode(Buffer.from(body)))
  })

  it("an entry of the history arrives as the frame that it would have been, with its number", () => {
    for (const payload of [{}, { content: 'é "}" ' }, { a: { seq: 1 } }]) {
      for (const droppable of [false, true]) {
        const item = { seq: 42, id: "x", body: Packed.pack({ event: "new_message", payload, droppable }) }
        const raw = Packed.unpackRaw(item)
        assert.deepInclude(raw, { event: "new_message", seq: 42, droppable })
        assert.strictEqual(
          serializer.broadcast("t", "e", raw.payload),
          serializer.broadcast("t", "e", Packed.unpack(item).payload),
        )
      }
    }
    const odd = { seq: 1, id: "x", body: Buffer.from(`{"payload":{"a":1},"event":"Odd-Name"}`) }
    assert.deepStrictEqual(JSON.parse(JSON.stringify(Packed.unpackRaw(odd).payload)), { a: 1, seq: 1 })
  })

  it("what is larger than the bus takes goes in parts; a part that is lost loses that message alone", () => {
    const text = "é".repeat(700_000)
    const parts = pack("n1.1", text)
    assert.isAbove(parts.length, 2)
    for (const part of parts) assert.isBelow(part.byteLength, 1_000_000)
    const unpacker = new Unpacker()
    assert.deepStrictEqual(
      parts.map((part) => unpacker.take(part)),
      parts.map((_, index) => (index === parts.length - 1 ? text : undefined)),
    )
    for (const part of pack("n1.2", text).slice(1)) assert.isUndefined(unpacker.take(part))
    assert.strictEqual(unpacker.take(Buffer.from("{}")), "{}")
  })

  it("owners are spread evenly, and a node that goes moves only its own", () => {
    const nodes = Array.from({ length: 5 }, (_, index) => `node${index}`)
    const users = Array.from({ length: 5000 }, (_, index) => `user-${index}`)
    const before = users.map((user) => ownerOf(user, nodes))
    for (const node of nodes) {
      const share = before.filter((owner) => owner === node).length
      assert.isAbove(share, 800)
      assert.isBelow(share, 1200)
    }
    const left = nodes.slice(1)
    users.forEach((user, index) => {
      if (before[index] !== "node0") assert.strictEqual(ownerOf(user, left), before[index])
    })
  })
})

describe("Cluster", () => {
  const nodesOf = Effect.fnUntraced(function* (count: number) {
    const bus = yield* Layer.build(MemoryBus.layer)
    const times = { heartbeat: Duration.seconds(5), lostAfter: Duration.seconds(15) }
    const heard = { messages: 0 }
    const counted = Context.add(bus, EventBus, {
      ...Context.get(bus, EventBus),
      listen: (address, onMessage, onGap) =>
        Context.get(bus, EventBus).listen(
          address,
          (one) => {
            heard.messages++
            onMessage(one)
          },
          onGap,
        ),
    })
    const layer = Layer.fresh(Cluster.layer(times)).pipe(Layer.provide(Layer.succeedContext(counted)))
    const nodes = yield* Effect.forEach(Array.from({ length: count }), () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const services = yield* Effect.provideService(Layer.build(layer), Scope.Scope, scope)
        return { ...Context.get(services, Cluster), end: Scope.close(scope, Exit.void) }
      }),
    )
    return { nodes, heard }
  })

  it.effect("nodes find each other, ask each other, and notice who left", () =>
    Effect.gen(function* () {
      const { nodes } = yield* nodesOf(3)
      const [a, b, c] = nodes
      if (a === undefined || b === undefined || c === undefined) return assert.fail()
      for (const node of nodes) assert.strictEqual(node.others().length, 2)
      for (const node of [b, c]) yield* node.on("twice", Schema.Finite, ({ value, answer }) => answer(value * 2))
      assert.strictEqual(yield* a.ask(b.node, "twice", 21, Schema.Finite), 42)
      const { answers, silent } = yield* a.gather("twice", 2, Schema.Finite)
      assert.deepStrictEqual([answers.map(({ value }) => value), silent], [[4, 4], []])
      const told = yield* Queue.unbounded<string>()
      yield* b.on("note", Schema.String, ({ from, value }) => Queue.offerUnsafe(told, `${from} ${value}`))
      yield* a.tell(everybody, "note", "hello")
      assert.strictEqual(yield* Queue.take(told), `${a.node} hello`)
      const changes: Array<string> = []
      yield* a.onNode((change, node) => changes.push(`${change} ${node}`))
      yield* c.end
      assert.deepStrictEqual([changes, a.others()], [[`left ${c.node}`], [b.node]])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(a.others(), [b.node])
    }),
  )

  it.effect("whoever waits for an answer of a node that goes does not wait any longer", () =>
    Effect.gen(function* () {
      const { nodes } = yield* nodesOf(3)
      const [a, b, c] = nodes
      if (a === undefined || b === undefined || c === undefined) return assert.fail()
      yield* b.on("slow", Schema.Null, () => {})
      yield* c.on("slow", Schema.Null, ({ answer }) => answer(1))
      const one = yield* Effect.forkChild(a.ask(b.node, "slow", null, Schema.Finite, Duration.hours(1)))
      const all = yield* Effect.forkChild(a.gather("slow", null, Schema.Finite))
      yield* Effect.yieldNow
      yield* b.end
      assert.isUndefined(yield* Fiber.join(one))
      const { answers, silent } = yield* Fiber.join(all)
      assert.deepStrictEqual([answers.map(({ node }) => node), silent], [[c.node], [b.node]])
    }),
  )

  it.effect("at rest each node hears every other once a heartbeat, however many there are", () =>
    Effect.gen(function* () {
      for (const count of [2, 10, 50]) {
        const { heard } = yield* nodesOf(count)
        heard.messages = 0
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(heard.messages, 2 * count * count)
      }
    }),
  )
})
