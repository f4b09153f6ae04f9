/**
 * One durable name in memory: what waits, what is out with a handler, what comes back later. Shared by every consumer of
 * that name.
 */
import { Clock, Effect, Latch, MutableList } from "effect"
import type { Source, Taken } from "../Consumption.ts"
import type { ConsumerDepth, Stored } from "../EventBus.ts"
import { matcher } from "../Subjects.ts"

/** A stored message. */
export interface Item {
  readonly sequence: number
  readonly stored: Stored
}

export class MemoryConsumer {
  readonly from: string
  readonly matches: (subject: string) => boolean
  private readonly waiting = MutableList.make<Item>()
  private readonly unsettled = new Map<number, Item>()
  private readonly attempts = new Map<number, number>()
  private readonly available = Latch.makeUnsafe(false)
  private readonly settled: (item: Item) => void

  constructor(from: string, settled: (item: Item) => void) {
    this.from = from
    this.matches = matcher(from)
    this.settled = settled
  }

  add(item: Item): void {
    MutableList.append(this.waiting, item)
    this.available.openUnsafe()
  }

  /** `later` runs a function when so many milliseconds have passed; it outlives the consumer that asked. */
  source(later: (millis: number, then: () => void) => void): Source {
    return {
      ready: () => this.available.await,
      take: (max) => Effect.sync(() => this.take(max, later)),
      stop: Effect.void,
      depth: Effect.map(Clock.currentTimeMillis, (now) => this.depth(now)),
    }
  }

  private take(max: number, later: (millis: number, then: () => void) => void): ReadonlyArray<Taken> {
    const items = MutableList.takeN(this.waiting, max)
    if (this.waiting.length === 0) this.available.closeUnsafe()
    return items.map((item) => {
      const attempt = (this.attempts.get(item.sequence) ?? 0) + 1
      this.attempts.set(item.sequence, attempt)
      this.unsettled.set(item.sequence, item)
      return {
        delivery: { ...item.stored, attempt },
        sequence: item.sequence,
        ack: Effect.sync(() => {
          this.unsettled.delete(item.sequence)
          this.attempts.delete(item.sequence)
          this.settled(item)
        }),
        retry: (millis) =>
          Effect.sync(() => (millis <= 0 ? this.giveBack(item) : later(millis, () => this.giveBack(item)))),
        working: Effect.void,
      }
    })
  }

  private giveBack(item: Item): void {
    this.unsettled.delete(item.sequence)
    MutableList.prepend(this.waiting, item)
    this.available.openUnsafe()
  }

  private depth(now: number): ConsumerDepth {
    let oldest = now
    for (const item of [...this.unsettled.values(), ...MutableList.toArray(this.waiting)]) {
      oldest = Math.min(oldest, item.stored.arrivedAt)
    }
    return { waiting: this.waiting.length, inFlight: this.unsettled.size, oldestMillis: now - oldest }
  }
}
