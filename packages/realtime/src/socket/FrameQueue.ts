/**
 * The queue of outgoing frames of one socket, bounded in bytes. It holds what the connection did not accept yet, so its
 * limit counts what the client failed to read. At the limit, droppable frames are dropped first, then the frames that a
 * history can replay: their topics are reported as missed, and the client joins them again at its own speed. If that does
 * not make room, the queue is discarded and its owner must close the socket.
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
  /** Topics with a history whose frames were dropped. */
  protected missedTopics: Set<string> | undefined = undefined
  /** Bytes that left the queue since the connection opened. */
  takenBytes = 0
  readonly #limit: number
  #capacityListener: { readonly below: number; readonly listener: () => void } | undefined = undefined

  constructor(limit: number) {
    this.#limit = limit
  }

  get queuedBytes(): number {
    return this.bytes
  }

  /** Calls the listener once, as soon as at most `below` bytes are queued. Replaces an earlier listener. */
  onceBelow(below: number, listener: () => void): void {
    this.#capacityListener = { below, listener }
  }

  /** To be called after frames left the queue. */
  protected notifyCapacity(): void {
    const waiting = this.#capacityListener
    if (waiting === undefined || this.bytes > waiting.below) return
    this.#capacityListener = undefined
    waiting.listener()
  }

  /** Returns `overflow` if a frame that is not droppable found no room; the queue is closed then. */
  protected enqueue(frame: OutgoingFrame, counts: QueueCounts): "queued" | "dropped" | "overflow" {
    if (this.closed) return "dropped"
    if (this.#isSuperseded(frame)) {
      counts.dropped++
      return "dropped"
    }
    const size = frame.wireBytes.length
    if (this.isOverLimit(frame)) {
      const result = this.#evictDroppable(frame, counts)
      if (result !== undefined) return result
    }
    if (this.frames === undefined) this.frames = [frame]
    else this.frames.push(frame)
    this.bytes += size
    if (frame.droppable) this.droppableBytes += size
    return "queued"
  }

  protected enqueueFirst(frame: OutgoingFrame): "queued" | "dropped" {
    if (this.closed) return "dropped"
    if (this.frames === undefined) this.frames = [frame]
    else this.frames.unshift(frame)
    this.bytes += frame.wireBytes.length
    if (frame.droppable) this.droppableBytes += frame.wireBytes.length
    return "queued"
  }

  /** A single frame always fits: the client has read everything before it. */
  protected isOverLimit(frame: OutgoingFrame): boolean {
    return this.bytes > 0 && this.bytes + frame.wireBytes.length > this.#limit
  }

  /** Removes and returns all queued frames. */
  protected takeAll(): ReadonlyArray<OutgoingFrame> {
    const frames = this.frames ?? []
    this.takenBytes += this.bytes
    this.#clear()
    return frames
  }

  /** Removes and returns the topics whose frames were dropped, once half of the queue is free. */
  protected takeMissedTopics(): ReadonlyArray<string> {
    if (this.missedTopics === undefined || this.bytes * 2 > this.#limit) return []
    const topics = [...this.missedTopics]
    this.missedTopics = undefined
    return topics
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
    this.missedTopics = undefined
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
  #evictDroppable(frame: OutgoingFrame, counts: QueueCounts): "dropped" | "overflow" | undefined {
    if (this.droppableBytes > 0 && this.frames !== undefined) {
      const remaining = this.frames.filter((queued) => !queued.droppable || this.#drop(queued, counts))
      this.frames = remaining.length === 0 ? undefined : remaining
      this.bytes -= this.droppableBytes
      this.droppableBytes = 0
      if (!this.#isSuperseded(frame) && !this.isOverLimit(frame)) return undefined
    }
    if (frame.droppable) {
      this.#drop(frame, counts)
      return "dropped"
    }
    return this.#evictReplayable(frame, counts)
  }

  #evictReplayable(frame: OutgoingFrame, counts: QueueCounts): "dropped" | "overflow" | undefined {
    for (const { replayableTopic } of [frame, ...(this.frames ?? [])])
      if (replayableTopic !== undefined) (this.missedTopics ??= new Set()).add(replayableTopic)
    const remaining = this.frames?.filter((queued) => {
      if (!this.#isSuperseded(queued)) return true
      this.bytes -= queued.wireBytes.length
      counts.dropped++
      return false
    })
    this.frames = remaining?.length === 0 ? undefined : remaining
    if (this.#isSuperseded(frame)) {
      counts.dropped++
      return "dropped"
    }
    if (!this.isOverLimit(frame)) return undefined
    counts.overflowed++
    this.discard()
    return "overflow"
  }

  #drop({ snapshot }: OutgoingFrame, counts: QueueCounts): false {
    counts.dropped++
    if (snapshot !== undefined) (this.pendingSnapshots ??= new Map()).set(keyOf(snapshot), snapshot)
    return false
  }

  #isSuperseded({ replayableTopic, snapshot }: OutgoingFrame): boolean {
    return (
      (snapshot !== undefined && this.pendingSnapshots?.has(keyOf(snapshot)) === true) ||
      (replayableTopic !== undefined && this.missedTopics?.has(replayableTopic) === true)
    )
  }
}

/** Unambiguous, because no event of a channel contains a space. */
const keyOf = ({ event, topic }: StateSnapshot): string => `${event} ${topic}`
