/**
 * One long-poll session: the same socket over HTTP requests, for clients whose WebSocket is blocked. A poll is answered
 * at once when something waits, else parked until something comes or its window is over. A session ends when the
 * server closes it, or when no poll came for a while.
 */
import { FrameQueue, type QueueCounts } from "../FrameQueue.ts"
import type { OutgoingFrame } from "../OutgoingFrame.ts"
import { binaryToText } from "../../protocol/SerializerV2.ts"
import type { Receiver, Transport } from "./Transport.ts"

/** The body's `status`; HTTP's own is always 200, as Phoenix has it. */
export type PollStatus = 200 | 204 | 410

/** Answers one poll. */
export type PollResponder = (status: PollStatus, messages: ReadonlyArray<string>) => void

/** A message of the client that is not handed on yet. */
interface QueuedMessage {
  readonly bytes: Buffer
  readonly isBinary: boolean
  /** Set on the last line of a request: the client waits for this. */
  readonly done: ((taken: boolean) => void) | undefined
}

/** More lines than this wait: the client did not wait for its answers. */
const maxQueuedMessages = 1000

export class LongPollTransport extends FrameQueue implements Transport {
  readonly #counts: QueueCounts
  readonly #window: number
  readonly #timeout: number
  readonly #onGone: () => void
  #receiver: Receiver | undefined
  #pendingPoll: PollResponder | undefined
  #polledAt: number
  #scheduled = false
  #paused = false
  #queuedMessages: Array<QueuedMessage> = []
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
  poll(answer: PollResponder, now: number): void {
    if (this.#gone) return answer(410, [])
    this.#polledAt = now
    this.#receiver?.onActivity()
    this.#pendingPoll?.(204, [])
    this.#pendingPoll = answer
    this.#deliver()
  }

  /** The request of a parked poll is gone. */
  cancelPoll(answer: PollResponder): void {
    if (this.#pendingPoll === answer) this.#pendingPoll = undefined
  }

  /** `done` is called when all were handed on (true), or when that takes too long or there are too many (false). */
  push(messages: ReadonlyArray<Omit<QueuedMessage, "done">>, done: (taken: boolean) => void): void {
    if (this.#gone || this.#queuedMessages.length + messages.length > maxQueuedMessages) return done(false)
    this.#receiver?.onActivity()
    if (messages.length === 0) return done(true)
    const last = messages.length - 1
    messages.forEach((message, index) =>
      this.#queuedMessages.push({ ...message, done: index === last ? done : undefined }),
    )
    this.#receiveQueued()
  }

  send(frame: OutgoingFrame): void {
    const outcome = this.enqueue(frame, this.#counts)
    if (outcome === "overflow") this.#receiver?.onOverflow()
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
    this.#receiveQueued()
  }

  /** There is no close frame over HTTP: a session that is gone (410) makes the client connect again, and learn why. */
  close(): void {
    this.#deliver()
    this.#end()
  }

  sweep(now: number): void {
    if (now - this.#polledAt < (this.#pendingPoll === undefined ? this.#timeout : this.#window)) return
    if (this.#pendingPoll === undefined) return this.#end()
    this.#polledAt = now
    this.#respond(204, [])
  }

  get isGone(): boolean {
    return this.#gone
  }

  #deliver(): void {
    if (this.#pendingPoll === undefined) return
    const frames = [...this.takeAll()]
    for (const snapshot of this.takeSnapshots()) {
      const frame = this.#receiver?.snapshotFrame(snapshot)
      if (frame !== undefined) frames.push(frame)
    }
    if (frames.length > 0)
      this.#respond(
        200,
        frames.map(({ body }) => (typeof body === "string" ? body : binaryToText(body))),
      )
  }

  #respond(status: PollStatus, messages: ReadonlyArray<string>): void {
    const answer = this.#pendingPoll
    this.#pendingPoll = undefined
    answer?.(status, messages)
  }

  #receiveQueued(): void {
    while (!this.#paused && !this.#gone) {
      const line = this.#queuedMessages.shift()
      if (line === undefined) return
      this.#receiver?.receive(line.bytes, line.isBinary)
      line.done?.(!this.#gone)
    }
  }

  #end(): void {
    if (this.#gone) return
    this.#gone = true
    this.discard()
    this.#respond(410, [])
    for (const { done } of this.#queuedMessages.splice(0)) done?.(false)
    this.#onGone()
    this.#receiver?.onClosed()
  }
}
