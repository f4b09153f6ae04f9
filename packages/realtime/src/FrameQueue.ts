/**
 * What waits to go out on one socket, bounded in bytes. When the limit is reached, droppable frames go first; if that
 * does not make room, the queue is given up and its owner must close the socket.
 *
 * Changes that were dropped may be owed as one: the latest state of their topic, made when there is room for it. Until
 * then further changes of the same kind are not queued, since that state will hold them.
 */
import type { Latest, OutgoingFrame } from "./OutgoingFrame.ts"

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
  protected owed: Map<string, Latest> | undefined = undefined
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  get queuedBytes(): number {
    return this.bytes
  }

  /** `overflow`: there was no room for a frame that must not be lost; the queue is closed now. */
  protected admit(frame: OutgoingFrame, counts: QueueCounts): "queued" | "lost" | "overflow" {
    if (this.closed) return "lost"
    if (this.owed !== undefined && this.#isOwed(frame)) {
      counts.dropped++
      return "lost"
    }
    const size = frame.wire.length
    if (this.bytes + size > this.#limit) {
      const refused = this.#makeRoom(frame, size, counts)
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
    this.#empty()
    return frames
  }

  /** What is owed, once half of the queue is free. */
  protected takeOwed(): ReadonlyArray<Latest> {
    if (this.owed === undefined || this.bytes * 2 > this.#limit) return []
    const due = [...this.owed.values()]
    this.owed = undefined
    return due
  }

  /** Nothing goes out from here on: what is queued is given up. */
  giveUp(): void {
    this.closed = true
    this.owed = undefined
    this.#empty()
  }

  #empty(): void {
    this.frames = undefined
    this.bytes = 0
    this.droppableBytes = 0
  }

  #makeRoom(frame: OutgoingFrame, size: number, counts: QueueCounts): "lost" | "overflow" | undefined {
    if (this.droppableBytes > 0 && this.frames !== undefined) {
      const kept = this.frames.filter((queued) => !queued.droppable || this.#lose(queued, counts))
      this.frames = kept.length === 0 ? undefined : kept
      this.bytes -= this.droppableBytes
      this.droppableBytes = 0
      if (!this.#isOwed(frame) && this.bytes + size <= this.#limit) return undefined
    }
    if (frame.droppable) {
      this.#lose(frame, counts)
      return "lost"
    }
    counts.overflowed++
    this.giveUp()
    return "overflow"
  }

  #lose({ latest }: OutgoingFrame, counts: QueueCounts): false {
    counts.dropped++
    if (latest !== undefined) (this.owed ??= new Map()).set(keyOf(latest), latest)
    return false
  }

  #isOwed({ latest }: OutgoingFrame): boolean {
    return latest !== undefined && this.owed?.has(keyOf(latest)) === true
  }
}

/** No event has a blank in it. */
const keyOf = ({ event, topic }: Latest): string => `${event} ${topic}`
