/**
 * What waits to go out on one socket, bounded in bytes. When the limit is reached, droppable frames go first; if that
 * does not make room, the queue is given up and its owner must close the socket.
 */
import type { OutgoingFrame } from "./OutgoingFrame.ts"

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

  /** Nothing goes out from here on: what is queued is given up. */
  giveUp(): void {
    this.closed = true
    this.#empty()
  }

  #empty(): void {
    this.frames = undefined
    this.bytes = 0
    this.droppableBytes = 0
  }

  #makeRoom(frame: OutgoingFrame, size: number, counts: QueueCounts): "lost" | "overflow" | undefined {
    if (this.droppableBytes > 0 && this.frames !== undefined) {
      const kept = this.frames.filter(({ droppable }) => !droppable)
      counts.dropped += this.frames.length - kept.length
      this.frames = kept.length === 0 ? undefined : kept
      this.bytes -= this.droppableBytes
      this.droppableBytes = 0
      if (this.bytes + size <= this.#limit) return undefined
    }
    if (frame.droppable) {
      counts.dropped++
      return "lost"
    }
    counts.overflowed++
    this.giveUp()
    return "overflow"
  }
}
