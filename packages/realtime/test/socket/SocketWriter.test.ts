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
  const writer = new SocketWriter(wire, flusher, limit)
  writer.attach(owner)
  return { flusher, wire, writer, overflows: () => overflows }
}

const must = (text: string) => new OutgoingFrame(text, false)
const may = (text: string) => new OutgoingFrame(text, true)

describe("Outbound", () => {
  it.effect("what is queued within a turn goes out as one write, in order", () =>
    Effect.gen(function* () {
      const { wire, writer } = setUp()
      for (const text of ["a", "b", "c"]) writer.send(must(text))
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
      const writers = wires.map((wire) => new SocketWriter(wire, flusher, 1000))
      for (const frame of [must("a"), must("b")]) for (const writer of writers) writer.send(frame)
      writers[2]?.send(must("c"))
      yield* turn
      const [first, second, third] = wires.map(({ writes }) => writes[0])
      assert.strictEqual(first, second)
      assert.strictEqual(wires[2]?.text, "\x81\x01a\x81\x01b\x81\x01c")
      assert.notStrictEqual(first, third)
    }),
  )

  it.effect("a full socket is left alone until it drains", () =>
    Effect.gen(function* () {
      const { wire, writer } = setUp()
      wire.full = true
      writer.send(must("a"))
      yield* turn
      writer.send(must("b"))
      yield* turn
      assert.strictEqual(wire.text, "\x81\x01a")
      wire.drain()
      assert.strictEqual(wire.text, "\x81\x01a\x81\x01b")
    }),
  )

  it.effect("a slow reader loses droppable frames first, and the order of the others stays", () =>
    Effect.gen(function* () {
      const { flusher, wire, writer, overflows } = setUp(13)
      wire.full = true
      writer.send(must("0"))
      yield* turn
      for (const frame of [must("a"), may("x"), must("b"), may("y"), must("c")]) writer.send(frame)
      assert.strictEqual(flusher.counts.dropped, 2)
      writer.send(may("z"))
      assert.strictEqual(overflows(), 0)
      wire.drain()
      assert.strictEqual(wire.text, "\x81\x010\x81\x01a\x81\x01b\x81\x01c\x81\x01z")
    }),
  )

  it.effect("changes that were dropped are told as the latest state, once half of the queue is free", () =>
    Effect.gen(function* () {
      const { wire, writer, overflows } = setUp(40)
      let users = 0
      const snapshot = { topic: "t", event: "state", payload: () => [users] }
      const change = () => writer.send(new OutgoingFrame(`+${++users}`, true, snapshot))
      wire.full = true
      writer.send(must("0"))
      yield* turn
      for (let n = 0; n < 9; n++) change()
      writer.send(must("a".repeat(10)))
      assert.isBelow(writer.queuedBytes, 40, "the changes made room")
      for (let n = 0; n < 100; n++) change()
      assert.strictEqual(writer.queuedBytes, 12, "what is owed takes no room")
      writer.send(must("b".repeat(10)))
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
      const { flusher, wire, writer, overflows } = setUp(7)
      wire.full = true
      writer.send(must("0"))
      yield* turn
      for (const text of ["a", "b", "c", "d"]) writer.send(must(text))
      assert.strictEqual(overflows(), 1)
      assert.strictEqual(writer.queuedBytes, 0)
      assert.deepStrictEqual(flusher.counts, { dropped: 0, overflowed: 1 })
      wire.drain()
      assert.strictEqual(wire.text, "\x81\x010")
    }),
  )

  it.effect("much goes out in batches, and a frame larger than a batch alone", () =>
    Effect.gen(function* () {
      const { wire, writer } = setUp(10_000_000)
      const frames = [must("a".repeat(40_000)), must("b".repeat(40_000)), must("c".repeat(200_000)), must("d")]
      for (const frame of frames) writer.send(frame)
      yield* turn
      assert.isAbove(wire.writes.length, 2)
      assert.strictEqual(wire.text, Buffer.concat(frames.map((frame) => frame.wireBytes)).toString("latin1"))
    }),
  )

  it.effect("a socket that is no longer writable is given up", () =>
    Effect.gen(function* () {
      const { wire, writer } = setUp()
      wire.writable = false
      writer.send(must("a"))
      yield* turn
      writer.send(must("b"))
      assert.strictEqual(writer.queuedBytes, 0)
      assert.strictEqual(wire.writes.length, 0)
    }),
  )
})
