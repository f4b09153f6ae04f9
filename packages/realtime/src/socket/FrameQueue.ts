/**
 * What waits to go out on one socket, bounded in bytes. When the limit is reached, droppable frames go first; if that
 * does not make room, the queue is given up and its owner must close the socket.
 *
 * Changes that were dropped may be owed as one: the latest state of their topic, made when there is room for it. Until
 * then further changes of the same kind are not queued, since that state will hold them.
 */
import type { StateSnapshot, OutgoingFrame } from "./OutgoingFrame.ts"

/** Counted in plain numbers because a metric update per frame would cost more than the frame. */
export interface QueueCounts {
  dropped: number
  overflowed: number
}

export class FrameQueue {
  protected frames: Array<OutgoingFrame> | undefined = undefined
  protected bytes = 0
  protected droppableBytes = 0
  protected closed = false
  protected pendingSnapshots: Map<string, StateSnapshot> | undefined = undefined
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  get queuedBytes(): number {
    return this.bytes
  }

  /** `overflow`: there was no room for a frame that must not be lost; the queue is closed now. */
  protected enqueue(frame: OutgoingFrame, counts: QueueCounts): "queued" | "lost" | "overflow" {
    if (this.closed) return "lost"
    if (this.pendingSnapshots !== undefined && this.#isSuperseded(frame)) {
      counts.dropped++
      return "lost"
    }
    const size = frame.wireBytes.length
    if (this.bytes + size > this.#limit) {
      const refused = this.#evictDroppable(frame, size, counts)
      if (refused !== undefined) return refused
    }
    if (this.frames === undefined) this.frames = [frame]
    else this.frames.push(frame)
    this.bytes += size
    if (frame.droppable) this.droppableBytes += size
    return "queued"
  }

  /** Everything that waits. */
  protected takeAll(): ReadonlyArray<OutgoingFrame> {
    const frames = this.frames ?? []
    this.#clear()
    return frames
  }

  /** What is owed, once half of the queue is free. */
  protected takeSnapshots(): ReadonlyArray<StateSnapshot> {
    if (this.pendingSnapshots === undefined || this.bytes * 2 > this.#limit) return []
    const due = [...this.pendingSnapshots.values()]
    this.pendingSnapshots = undefined
    return due
  }

  /** Nothing goes out from here on: what is queued is given up. */
  discard(): void {
    this.closed = true
    this.pendingSnapshots = undefined
    this.#clear()
  }

  #clear(): void {
    this.frames = undefined
    this.bytes = 0
    this.droppableBytes = 0
  }

  #evictDroppable(frame: OutgoingFrame, size: number, counts: QueueCounts): "lost" | "overflow" | undefined {
    if (this.droppableBytes > 0 && this.frames !== undefined) {
      const kept = this.frames.filter((queued) => !queued.droppable || this.#drop(queued, counts))
      this.frames = kept.length === 0 ? undefined : kept
      this.bytes -= this.droppableBytes
      this.droppableBytes = 0
      if (!this.#isSuperseded(frame) && this.bytes + size <= this.#limit) return undefined
    }
    if (frame.droppable) {
      this.#drop(frame, counts)
      return "lost"
    }
    counts.overflowed++
    this.discard()
    return "overflow"
  }

  #drop({ snapshot }: OutgoingFrame, counts: QueueCounts): false {
    counts.dropped++
    if (snapshot !== undefined) (this.pendingSnapshots ??= new Map()).set(keyOf(snapshot), snapshot)
    return false
  }

  #isSuperseded({ snapshot }: OutgoingFrame): boolean {
    return snapshot !== undefined && this.pendingSnapshots?.has(keyOf(snapshot)) === true
  }
}

/** No event has a blank in it. */
const keyOf = ({ event, topic }: StateSnapshot): string => `${event} ${topic}`
