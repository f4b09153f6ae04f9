/**
 * Decides when a socket may produce its next large reply (the replay of a join, a page of history), and how large it may
 * be. Replies are produced only as the client reads: until then their content waits in the store.
 *
 * A client that reads fast gets full replies. If replies wait, the remaining ones share what the client reads in
 * {@link shareTime}, so that every join of a slow client is answered before it times out.
 *
 * Plain callbacks, because the connection reports its progress by callbacks.
 */
import { type Clock, Effect } from "effect"
import * as MonotonicClock from "@armoricore/worker/MonotonicClock"
import type { Transport } from "./transports/Transport.ts"

/** Replies that one socket produces at a time. */
const maxProducing = 2
/** Before this time the rate of the client is unknown. */
const measureTime = 300
/** In milliseconds; official clients wait 10 s for the reply to a join. */
const shareTime = 2000
const maxReplyBytes = 131_072
const minReplyBytes = 2048

export interface ReplyGateOptions {
  readonly queue: Pick<Transport, "onceBelow" | "queuedBytes" | "takenBytes">
  readonly clock: Clock.Clock
  /** The limit of the queue. */
  readonly maxQueuedBytes: number
}

/** `Holder`: who produces a reply, one at a time. */
export class ReplyGate<Holder extends object> {
  readonly #options: ReplyGateOptions
  readonly #waiting = new Map<Holder, (maxBytes: number) => void>()
  readonly #producing = new Set<Holder>()
  /** When the first of the waiting replies began to wait, and what the client had read by then. */
  #measured = { at: 0, takenBytes: 0 }

  constructor(options: ReplyGateOptions) {
    this.#options = options
  }

  /** Waits for the holder's turn. Succeeds with the most bytes of its reply. */
  acquire(holder: Holder): Effect.Effect<number> {
    return Effect.callback((resume) => {
      if (this.#waiting.size === 0) this.#measured = { at: this.#now(), takenBytes: this.#options.queue.takenBytes }
      this.#waiting.set(holder, (maxBytes) => resume(Effect.succeed(maxBytes)))
      this.#grant()
      return Effect.sync(() => this.release(holder))
    })
  }

  /** The reply is in the queue, or the holder needs none. */
  release(holder: Holder): void {
    this.#waiting.delete(holder)
    if (this.#producing.delete(holder)) this.#grant()
  }

  get isIdle(): boolean {
    return this.#waiting.size === 0 && this.#producing.size === 0
  }

  readonly #grant = (): void => {
    const { maxQueuedBytes, queue } = this.#options
    const lowWater = maxQueuedBytes / 16
    for (const [holder, resume] of this.#waiting) {
      if (this.#producing.size >= maxProducing) return
      if (queue.queuedBytes > lowWater) return queue.onceBelow(lowWater, this.#grant)
      const maxBytes = this.#replyBytes()
      this.#waiting.delete(holder)
      this.#producing.add(holder)
      resume(maxBytes)
    }
  }

  #replyBytes(): number {
    const { maxQueuedBytes, queue } = this.#options
    const max = Math.min(maxReplyBytes, maxQueuedBytes / 8)
    const elapsed = this.#now() - this.#measured.at
    if (elapsed < measureTime) return max
    const readInShareTime = ((queue.takenBytes - this.#measured.takenBytes) / elapsed) * shareTime
    const share = Math.max(minReplyBytes, Math.min(max, readInShareTime / this.#waiting.size))
    // A power of two, so that equal reads of several sockets can be coalesced.
    return 2 ** Math.floor(Math.log2(share))
  }

  #now(): number {
    return MonotonicClock.millis(this.#options.clock)
  }
}
