/**
 * The transport of one long-poll session, for clients whose network blocks WebSockets. A poll is answered at once if
 * frames are queued; otherwise it is pending until a frame arrives or the poll window ends. A session ends when the
 * server closes it, or when no poll arrived within the poll timeout.
 */
import { FrameQueue, type QueueCounts } from "../FrameQueue.ts"
import type { OutgoingFrame } from "../OutgoingFrame.ts"
import { binaryToText } from "../../protocol/SerializerV2.ts"
import type { Receiver, Transport } from "./Transport.ts"

/** The `status` of the body; the HTTP status is always 200, as in Phoenix. */
export type PollStatus = 200 | 204 | 410

/** Responds to one poll. */
export type PollResponder = (status: PollStatus, messages: ReadonlyArray<string>) => void

/** A message of the client that the socket has not received yet. */
interface QueuedMessage {
  readonly bytes: Buffer
  readonly isBinary: boolean
  /** Set on the last message of a request: responds to the request. */
  readonly done: ((isAccepted: boolean) => void) | undefined
}

/**
 * With so many messages that wait, no further request is accepted. Only a client that does not wait for its responses
 * exceeds this number: one request is accepted whole, since the size of its body is limited.
 */
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

  /** Replaces a pending poll, which the client has abandoned. */
  poll(respond: PollResponder, now: number): void {
    if (this.#gone) return respond(410, [])
    this.#polledAt = now
    this.#receiver?.onActivity()
    this.#pendingPoll?.(204, [])
    this.#pendingPoll = respond
    this.#deliver()
  }

  /** The connection of the poll closed. */
  cancelPoll(respond: PollResponder): void {
    if (this.#pendingPoll === respond) this.#pendingPoll = undefined
  }

  /**
   * Calls `done(true)` once the socket received all messages, `done(false)` if the queue is full or the session ends.
   */
  push(messages: ReadonlyArray<Omit<QueuedMessage, "done">>, done: (isAccepted: boolean) => void): void {
    if (this.#gone || this.#queuedMessages.length >= maxQueuedMessages) return done(false)
    this.#receiver?.onActivity()
    if (messages.length === 0) return done(true)
    const last = messages.length - 1
    messages.forEach((message, index) =>
      this.#queuedMessages.push({ ...message, done: index === last ? done : undefined }),
    )
    this.#receiveQueued()
  }

  send(frame: OutgoingFrame): void {
    const result = this.enqueue(frame, this.#counts)
    if (result === "overflow") this.#receiver?.onOverflow()
    if (result !== "queued" || this.#scheduled) return
    // One response carries all frames of a turn of the event loop.
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#deliver()
    })
  }

  /** A response carries all queued frames, so none waits behind others. */
  sendFirst(frame: OutgoingFrame): void {
    this.send(frame)
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#receiveQueued()
  }

  /** HTTP has no close frame: the client receives 410, connects again, and learns the reason then. */
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
    for (const topic of this.takeMissedTopics()) this.#receiver?.onMissed(topic)
    for (const snapshot of this.takeSnapshots()) {
      const frame = this.#receiver?.snapshotFrame(snapshot)
      if (frame !== undefined) frames.push(frame)
    }
    if (frames.length > 0)
      this.#respond(
        200,
        frames.map(({ body }) => (typeof body === "string" ? body : binaryToText(body))),
      )
    this.notifyCapacity()
  }

  #respond(status: PollStatus, messages: ReadonlyArray<string>): void {
    const respond = this.#pendingPoll
    this.#pendingPoll = undefined
    respond?.(status, messages)
  }

  #receiveQueued(): void {
    while (!this.#paused && !this.#gone) {
      const message = this.#queuedMessages.shift()
      if (message === undefined) return
      this.#receiver?.receive(message.bytes, message.isBinary)
      message.done?.(!this.#gone)
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
