/**
 * The way out of one WebSocket: its queue, and writes gathered per turn of the event loop. Two thirds of a
 * delivery's cost is the kernel's write, so whatever is queued within a turn goes out as one buffer; and since the
 * subscribers of a topic mostly have the same frames queued, that buffer is made once for all of them.
 *
 * It writes past `ws`, straight to its socket. That is safe because each write is a run of whole frames, compression is
 * off (so `ws` holds nothing back), and nothing is written once the socket is closing.
 *
 * A slow reader: while the socket is full, frames stay in the queue, which is bounded. Besides it the kernel's side
 * holds at most one batch and Node's own buffer (64 KiB each).
 *
 * Plain callbacks, no Effect: this runs for every single delivery.
 */
import { FrameQueue, type QueueCounts } from "./FrameQueue.ts"
import type { StateSnapshot, OutgoingFrame } from "./OutgoingFrame.ts"

/** The part of a `net.Socket` that is used. */
export interface WritableSocket {
  readonly writable: boolean
  readonly write: (bytes: Uint8Array) => boolean
  readonly once: (event: "drain", listener: () => void) => unknown
}

/** Whose queue it is. */
export interface WriterOwner {
  /** The queue is given up. */
  readonly onOverflow: () => void
  /** What is owed, as a frame; `undefined`: nobody there wants it any more. */
  readonly snapshotFrame: (snapshot: StateSnapshot) => OutgoingFrame | undefined
}

const maxBatchBytes = 65_536

/** Flushes every queue that was written to within a turn, at its end. One for all sockets of an endpoint. */
export class Flusher {
  readonly counts: QueueCounts = { dropped: 0, overflowed: 0 }
  #dirty: Array<SocketWriter> = []
  #lastFrames: ReadonlyArray<OutgoingFrame> = []
  #lastBytes: Uint8Array = new Uint8Array(0)

  add(outbound: SocketWriter): void {
    if (this.#dirty.push(outbound) === 1) setImmediate(this.#run)
  }

  /** One buffer for these frames, shared with the socket before when it had the same. */
  concat(frames: ReadonlyArray<OutgoingFrame>, bytes: number): Uint8Array {
    const [first] = frames
    if (first !== undefined && frames.length === 1) return first.wireBytes
    if (sameFrames(frames, this.#lastFrames)) return this.#lastBytes
    this.#lastFrames = frames
    this.#lastBytes = Buffer.concat(
      frames.map(({ wireBytes }) => wireBytes),
      bytes,
    )
    return this.#lastBytes
  }

  readonly #run = (): void => {
    const dirty = this.#dirty
    this.#dirty = []
    for (const outbound of dirty) outbound.flush()
    this.#lastFrames = []
    this.#lastBytes = new Uint8Array(0)
  }
}

export class SocketWriter extends FrameQueue {
  readonly #socket: WritableSocket
  readonly #flusher: Flusher
  readonly #owner: WriterOwner
  /** Waiting for the end of this turn, or for the socket to drain. */
  #waiting = false

  constructor(wire: WritableSocket, flusher: Flusher, limit: number, owner: WriterOwner) {
    super(limit)
    this.#socket = wire
    this.#flusher = flusher
    this.#owner = owner
  }

  push(frame: OutgoingFrame): void {
    const outcome = this.enqueue(frame, this.#flusher.counts)
    if (outcome === "overflow") this.#owner.onOverflow()
    if (this.#waiting || (outcome !== "queued" && this.pendingSnapshots === undefined)) return
    this.#waiting = true
    this.#flusher.add(this)
  }

  flush(): void {
    this.#waiting = false
    for (;;) {
      if (this.pendingSnapshots !== undefined) this.#sendSnapshots()
      if (this.frames === undefined || this.closed) return
      if (!this.#socket.writable) return this.discard()
      const frames = this.#takeBatch(this.frames)
      if (!this.#socket.write(frames)) {
        this.#waiting = true
        this.#socket.once("drain", () => this.flush())
        return
      }
    }
  }

  #sendSnapshots(): void {
    for (const snapshot of this.takeSnapshots()) {
      const frame = this.#owner.snapshotFrame(snapshot)
      if (frame !== undefined && this.enqueue(frame, this.#flusher.counts) === "overflow") this.#owner.onOverflow()
    }
  }

  /** The next batch, and what it leaves in the queue. */
  #takeBatch(queue: Array<OutgoingFrame>): Uint8Array {
    if (this.bytes <= maxBatchBytes) {
      const { bytes } = this
      return this.#flusher.concat(this.takeAll(), bytes)
    }
    let bytes = 0
    let count = 0
    for (const frame of queue) {
      if (count > 0 && bytes + frame.wireBytes.length > maxBatchBytes) break
      bytes += frame.wireBytes.length
      if (frame.droppable) this.droppableBytes -= frame.wireBytes.length
      count++
    }
    const batch = queue.splice(0, count)
    this.frames = queue.length === 0 ? undefined : queue
    this.bytes -= bytes
    return this.#flusher.concat(batch, bytes)
  }
}

const sameFrames = (left: ReadonlyArray<OutgoingFrame>, right: ReadonlyArray<OutgoingFrame>): boolean => {
  if (left.length !== right.length) return false
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false
  return true
}
