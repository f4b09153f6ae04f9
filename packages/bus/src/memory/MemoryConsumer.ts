/**
 * The state of one durable consumer in memory: pending messages, leased messages and delayed redeliveries. Shared by
 * every consumer of that name.
 */
import { Clock, Effect, Latch, MutableList } from "effect"
import type { PullSource, LeasedMessage } from "../ConsumerLoop.ts"
import type { ConsumerDepth, StoredMessage } from "../EventBus.ts"
import { matcher } from "../Subjects.ts"

/** A stored message. */
export interface QueuedMessage {
  readonly sequence: number
  readonly stored: StoredMessage
}

type Schedule = (millis: number, then: () => void) => void

export class MemoryConsumer {
  readonly from: string
  readonly matches: (subject: string) => boolean
  private readonly ready = MutableList.make<QueuedMessage>()
  private readonly unsettled = new Map<number, QueuedMessage>()
  private readonly attempts = new Map<number, number>()
  private readonly available = Latch.makeUnsafe(false)
  private readonly onSettled: (item: QueuedMessage) => void

  constructor(from: string, settled: (item: QueuedMessage) => void) {
    this.from = from
    this.matches = matcher(from)
    this.onSettled = settled
  }

  add(item: QueuedMessage): void {
    MutableList.append(this.ready, item)
    this.available.openUnsafe()
  }

  /** Whether the consumer has not handled the message yet, be it waiting, leased or delayed. */
  isUnsettled(sequence: number): boolean {
    return this.unsettled.has(sequence) || MutableList.toArray(this.ready).some((item) => item.sequence === sequence)
  }

  /** `schedule` runs a function after that many milliseconds, even if the consumer that scheduled it has stopped. */
  source(schedule: Schedule): PullSource {
    return {
      ready: () => this.available.await,
      take: (max) => Effect.sync(() => this.take(max, schedule)),
      ackAll: (messages) =>
        Effect.sync(() => {
          for (const message of messages) if (message instanceof Leased) message.settle()
        }),
      stop: Effect.void,
      depth: Effect.map(Clock.currentTimeMillis, (now) => this.depth(now)),
    }
  }

  private take(max: number, schedule: Schedule): ReadonlyArray<LeasedMessage> {
    const items = MutableList.takeN(this.ready, max)
    if (this.ready.length === 0) this.available.closeUnsafe()
    return items.map((item) => {
      const deliveryCount = (this.attempts.get(item.sequence) ?? 0) + 1
      this.attempts.set(item.sequence, deliveryCount)
      this.unsettled.set(item.sequence, item)
      return new Leased(this, item, deliveryCount, schedule)
    })
  }

  settle(item: QueuedMessage): void {
    this.unsettled.delete(item.sequence)
    this.attempts.delete(item.sequence)
    this.onSettled(item)
  }

  requeue(item: QueuedMessage): void {
    this.unsettled.delete(item.sequence)
    MutableList.prepend(this.ready, item)
    this.available.openUnsafe()
  }

  private depth(now: number): ConsumerDepth {
    let oldest = now
    for (const item of [...this.unsettled.values(), ...MutableList.toArray(this.ready)]) {
      oldest = Math.min(oldest, item.stored.arrivedAt)
    }
    return { pending: this.ready.length, inFlight: this.unsettled.size, oldestAgeMillis: now - oldest }
  }
}

/** A class, so that the effects of a message are made when they are needed. */
class Leased implements LeasedMessage {
  readonly delivery: LeasedMessage["delivery"]
  readonly inProgress = Effect.void
  private readonly consumer: MemoryConsumer
  private readonly item: QueuedMessage
  private readonly schedule: Schedule

  constructor(consumer: MemoryConsumer, item: QueuedMessage, deliveryCount: number, schedule: Schedule) {
    this.delivery = { ...item.stored, deliveryCount }
    this.consumer = consumer
    this.item = item
    this.schedule = schedule
  }

  get sequence(): number {
    return this.item.sequence
  }

  get ack(): Effect.Effect<void> {
    return Effect.sync(() => this.settle())
  }

  nack(millis: number): Effect.Effect<void> {
    const { consumer, item } = this
    return Effect.sync(() =>
      millis <= 0 ? consumer.requeue(item) : this.schedule(millis, () => consumer.requeue(item)),
    )
  }

  settle(): void {
    this.consumer.settle(this.item)
  }
}
