/**
 * One long-poll session: the same socket over HTTP requests, for clients whose WebSocket is blocked. A poll is answered
 * at once when something waits, else parked until something comes or its window is over. A session ends when the
 * server closes it, or when no poll came for a while.
 */
import { FrameQueue, type QueueCounts } from "../FrameQueue.ts"
import type { OutgoingFrame } from "../OutgoingFrame.ts"
import { textOf } from "../protocol/Frame.ts"
import type { Receiver, Transport } from "../Transport.ts"

/** The body's `status`; HTTP's own is always 200, as Phoenix has it. */
export type PollStatus = 200 | 204 | 410

/** Answers one poll. */
export type Answer = (status: PollStatus, messages: ReadonlyArray<string>) => void

/** A message of the client that is not handed on yet. */
interface Line {
  readonly bytes: Buffer
  readonly isBinary: boolean
  /** Set on the last line of a request: the client waits for this. */
  readonly done: ((taken: boolean) => void) | undefined
}

/** More lines than this wait: the client did not wait for its answers. */
const maxLines = 1000

export class LongPollTransport extends FrameQueue implements Transport {
  readonly #counts: QueueCounts
  readonly #window: number
  readonly #timeout: number
  readonly #onGone: () => void
  #receiver: Receiver | undefined
  #parked: Answer | undefined
  #polledAt: number
  #scheduled = false
  #paused = false
  #lines: Array<Line> = []
  #gone = false

  constructor(options: {
    readonly maxQueuedBytes: number
    readonly counts: QueueCounts
    readonly pollWindow: number
    readonly pollTimeout: number
    readonly now: number
    readonly onGone: () => void
  }) {
    super(options.maxQueuedBytes)
    this.#counts = options.counts
    this.#window = options.pollWindow
    this.#timeout = options.pollTimeout
    this.#polledAt = options.now
    this.#onGone = options.onGone
  }

  attach(receiver: Receiver): void {
    this.#receiver = receiver
  }

  /** Takes the place of a poll that is still parked: the client gave that one up. */
  poll(answer: Answer, now: number): void {
    if (this.#gone) return answer(410, [])
    this.#polledAt = now
    this.#receiver?.heard()
    this.#parked?.(204, [])
    this.#parked = answer
    this.#deliver()
  }

  /** The request of a parked poll is gone. */
  unpark(answer: Answer): void {
    if (this.#parked === answer) this.#parked = undefined
  }

  /** `done` is called when all were handed on (true), or when that takes too long or there are too many (false). */
  push(messages: ReadonlyArray<Omit<Line, "done">>, done: (taken: boolean) => void): void {
    if (this.#gone || this.#lines.length + messages.length > maxLines) return done(false)
    this.#receiver?.heard()
    if (messages.length === 0) return done(true)
    const last = messages.length - 1
    messages.forEach((message, index) => this.#lines.push({ ...message, done: index === last ? done : undefined }))
    this.#take()
  }

  send(frame: OutgoingFrame): void {
    const outcome = this.admit(frame, this.#counts)
    if (outcome === "overflow") this.#receiver?.overflowed()
    if (outcome !== "queued" || this.#scheduled) return
    // What comes within one turn of the event loop goes out in one answer.
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#deliver()
    })
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#take()
  }

  /** There is no close frame over HTTP: a session that is gone (410) makes the client connect again, and learn why. */
  close(): void {
    this.#deliver()
    this.#end()
  }

  sweep(now: number): void {
    if (now - this.#polledAt < (this.#parked === undefined ? this.#timeout : this.#window)) return
    if (this.#parked === undefined) return this.#end()
    this.#polledAt = now
    this.#answer(204, [])
  }

  get isGone(): boolean {
    return this.#gone
  }

  #deliver(): void {
    if (this.#parked === undefined) return
    const frames = [...this.takeAll()]
    for (const latest of this.takeOwed()) {
      const frame = this.#receiver?.latest(latest)
      if (frame !== undefined) frames.push(frame)
    }
    if (frames.length > 0)
      this.#answer(
        200,
        frames.map(({ body }) => (typeof body === "string" ? body : textOf(body))),
      )
  }

  #answer(status: PollStatus, messages: ReadonlyArray<string>): void {
    const answer = this.#parked
    this.#parked = undefined
    answer?.(status, messages)
  }

  #take(): void {
    while (!this.#paused && !this.#gone) {
      const line = this.#lines.shift()
      if (line === undefined) return
      this.#receiver?.receive(line.bytes, line.isBinary)
      line.done?.(!this.#gone)
    }
  }

  #end(): void {
    if (this.#gone) return
    this.#gone = true
    this.giveUp()
    this.#answer(410, [])
    for (const { done } of this.#lines.splice(0)) done?.(false)
    this.#onGone()
    this.#receiver?.gone()
  }
}
