import { Flusher, SocketWriter, type WriterOwner } from "@armoricore/realtime/socket/SocketWriter"
import { OutgoingFrame } from "@armoricore/realtime/socket/OutgoingFrame"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"

/** A socket whose kernel buffer the test fills and empties. */
class FakeWire {
  writable = true
  full = false
  readonly writes: Array<Uint8Array> = []
  #drained: Array<() => void> = []

  write(bytes: Uint8Array): boolean {
    this.writes.push(bytes)
    return !this.full
  }

  once(_: "drain", listener: () => void): void {
    this.#drained.push(listener)
  }

  drain(): void {
    this.full = false
    for (const listener of this.#drained.splice(0)) listener()
  }

  get text(): string {
    return Buffer.concat(this.writes).toString("latin1")
  }
}

const turn = Effect.callback<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

const setUp = (limit = 1000) => {
  const flusher = new Flusher()
  const wire = new FakeWire()
  let overflows = 0
  const owner: WriterOwner = {
    onOverflow: () => overflows++,
    snapshotFrame: ({ event, payload }) => new OutgoingFrame(`${event}${JSON.stringify(payload())}`, false),
  }
  const outbound = new SocketWriter(wire, flusher, limit, owner)
  return { flusher, wire, outbound, overflows: () => overflows }
}

const must = (text: string) => new OutgoingFrame(text, false)
const may = (text: string) => new OutgoingFrame(text, true)

describe("Outbound", () => {
  it.effect("what is queued within a turn goes out as one write, in order", () =>
    Effect.gen(function* () {
      const { wire, outbound } = setUp()
      for (const text of ["a", "b", "c"]) outbound.push(must(text))
      assert.strictEqual(wire.writes.length, 0)
      yield* turn
      assert.strictEqual(wire.writes.length, 1)
      assert.strictEqual(wire.text, "\x81\x01a\x81\x01b\x81\x01c")
    }),
  )

  it.effect("sockets with the same frames queued share one buffer", () =>
    Effect.gen(function* () {
      const flusher = new Flusher()
      const wires = [new FakeWire(), new FakeWire(), new FakeWire()]
      const outbounds = wires.map(
        (wire) => new SocketWriter(wire, flusher, 1000, { onOverflow: () => {}, snapshotFrame: () => undefined }),
      )
      for (const frame of [must("a"), must("b")]) for (const outbound of outbounds) outbound.push(frame)
      outbounds[2]?.push(must("c"))
      yield* turn
      const [first, second, third] = wires.map(({ writes }) => writes[0])
      assert.strictEqual(first, second)
      assert.strictEqual(wires[2]?.text, "\x81\x01a\x81\x01b\x81\x01c")
      assert.notStrictEqual(first, third)
    }),
  )

  it.effect("a full socket is left alone until it drains", () =>
    Effect.gen(function* () {
      const { wire, outbound } = setUp()
      wire.full = true
      outbound.push(must("a"))
      yield* turn
      outbound.push(must("b"))
      yield* turn
      assert.strictEqual(wire.text, "\x81\x01a")
      wire.drain()
      assert.strictEqual(wire.text, "\x81\x01a\x81\x01b")
    }),
  )

  it.effect("a slow reader loses droppable frames first, and the order of the others stays", () =>
    Effect.gen(function* () {
      const { flusher, wire, outbound, overflows } = setUp(13)
      wire.full = true
      outbound.push(must("0"))
      yield* turn
      for (const frame of [must("a"), may("x"), must("b"), may("y"), must("c")]) outbound.push(frame)
      assert.strictEqual(flusher.counts.dropped, 2)
      outbound.push(may("z"))
      assert.strictEqual(overflows(), 0)
      wire.drain()
      assert.strictEqual(wire.text, "\x81\x010\x81\x01a\x81\x01b\x81\x01c\x81\x01z")
    }),
  )

  it.effect("changes that were dropped are told as the latest state, once half of the queue is free", () =>
    Effect.gen(function* () {
      const { wire, outbound, overflows } = setUp(40)
      let users = 0
      const snapshot = { topic: "t", event: "state", payload: () => [users] }
      const change = () => outbound.push(new OutgoingFrame(`+${++users}`, true, snapshot))
      wire.full = true
      outbound.push(must("0"))
      yield* turn
      for (let n = 0; n < 9; n++) change()
      outbound.push(must("a".repeat(10)))
      assert.isBelow(outbound.queuedBytes, 40, "the changes made room")
      for (let n = 0; n < 100; n++) change()
      assert.strictEqual(outbound.queuedBytes, 12, "what is owed takes no room")
      outbound.push(must("b".repeat(10)))
      wire.drain()
      const [a, b] = ["a", "b"].map((letter) => `\x81\x0a${letter.repeat(10)}`)
      assert.strictEqual(wire.text, `\x81\x010${a}${b}\x81\x0astate[109]`)
      change()
      yield* turn
      assert.isTrue(wire.text.endsWith("\x81\x04+110"), "then changes are told again")
      assert.strictEqual(overflows(), 0)
    }),
  )

  it.effect("when there is nothing left to drop it gives up once", () =>
    Effect.gen(function* () {
      const { flusher, wire, outbound, overflows } = setUp(7)
      wire.full = true
      outbound.push(must("0"))
      yield* turn
      for (const text of ["a", "b", "c", "d"]) outbound.push(must(text))
      assert.strictEqual(overflows(), 1)
      assert.strictEqual(outbound.queuedBytes, 0)
      assert.deepStrictEqual(flusher.counts, { dropped: 0, overflowed: 1 })
      wire.drain()
      assert.strictEqual(wire.text, "\x81\x010")
    }),
  )

  it.effect("much goes out in batches, and a frame larger than a batch alone", () =>
    Effect.gen(function* () {
      const { wire, outbound } = setUp(10_000_000)
      const frames = [must("a".repeat(40_000)), must("b".repeat(40_000)), must("c".repeat(200_000)), must("d")]
      for (const frame of frames) outbound.push(frame)
      yield* turn
      assert.isAbove(wire.writes.length, 2)
      assert.strictEqual(wire.text, Buffer.concat(frames.map((frame) => frame.wireBytes)).toString("latin1"))
    }),
  )

  it.effect("a socket that is no longer writable is given up", () =>
    Effect.gen(function* () {
      const { wire, outbound } = setUp()
      wire.writable = false
      outbound.push(must("a"))
      yield* turn
      outbound.push(must("b"))
      assert.strictEqual(outbound.queuedBytes, 0)
      assert.strictEqual(wire.writes.length, 0)
    }),
  )
})
