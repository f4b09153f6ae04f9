/**
 * The queue of outgoing frames of one socket, bounded in bytes. At the limit, droppable frames are dropped first. If
 * that does not make room, the queue is discarded and its owner must close the socket.
 *
 * Dropped changes of a state are replaced by one snapshot of that state, sent when there is room for it. Until then,
 * further changes of the same state are not queued, because the snapshot will include them.
 */
import type { StateSnapshot, OutgoingFrame } from "./OutgoingFrame.ts"

/** Plain numbers, because a metric update per frame would cost more than the frame. */
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

  /** Returns `overflow` if a frame that is not droppable found no room; the queue is closed then. */
  protected enqueue(frame: OutgoingFrame, counts: QueueCounts): "queued" | "dropped" | "overflow" {
    if (this.closed) return "dropped"
    if (this.pendingSnapshots !== undefined && this.#isSuperseded(frame)) {
      counts.dropped++
      return "dropped"
    }
    const size = frame.wireBytes.length
    if (this.bytes + size > this.#limit) {
      const result = this.#evictDroppable(frame, size, counts)
      if (result !== undefined) return result
    }
    if (this.frames === undefined) this.frames = [frame]
    else this.frames.push(frame)
    this.bytes += size
    if (frame.droppable) this.droppableBytes += size
    return "queued"
  }

  /** Removes and returns all queued frames. */
  protected takeAll(): ReadonlyArray<OutgoingFrame> {
    const frames = this.frames ?? []
    this.#clear()
    return frames
  }

  /** Removes and returns the pending snapshots, once half of the queue is free. */
  protected takeSnapshots(): ReadonlyArray<StateSnapshot> {
    if (this.pendingSnapshots === undefined || this.bytes * 2 > this.#limit) return []
    const snapshots = [...this.pendingSnapshots.values()]
    this.pendingSnapshots = undefined
    return snapshots
  }

  /** Drops all queued frames and accepts no more. */
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

  /**
   * Drops the droppable frames. Returns `undefined` if that makes room for `frame`, otherwise the result of `enqueue`.
   */
  #evictDroppable(frame: OutgoingFrame, size: number, counts: QueueCounts): "dropped" | "overflow" | undefined {
    if (this.droppableBytes > 0 && this.frames !== undefined) {
      const remaining = this.frames.filter((queued) => !queued.droppable || this.#drop(queued, counts))
      this.frames = remaining.length === 0 ? undefined : remaining
      this.bytes -= this.droppableBytes
      this.droppableBytes = 0
      if (!this.#isSuperseded(frame) && this.bytes + size <= this.#limit) return undefined
    }
    if (frame.droppable) {
      this.#drop(frame, counts)
      return "dropped"
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

/** Unambiguous, because no event of a channel contains a space. */
const keyOf = ({ event, topic }: StateSnapshot): string => `${event} ${topic}`
