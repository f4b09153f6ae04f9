/**
 * Work for later: stored in the state until its time, then published. Unlike a redelivery by the bus, it holds neither a
 * slot nor an unacknowledged message, so thousands can wait for hours.
 *
 * Every process of the service looks for due work: when the next stored work is due, when this process stores work that is
 * due earlier, and after `ScheduledWorkInterval` for what other processes stored. Two may publish the same entry: both use its message id, so that the
 * bus or the ledger drops the second. A process that dies after it published and before it removed the entry leads to
 * the same.
 */
import { work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { deriveId } from "@armoricore/domain/DeterministicId"
import type { PortError } from "@armoricore/domain/Errors"
import * as Collection from "@armoricore/state/Collection"
import { KeyValue } from "@armoricore/state/KeyValue"
import { Clock, Context, Duration, Effect, Latch, Schema } from "effect"
import type { WorkEnvelope } from "./ResultMessage.ts"

const ScheduledMessage = Schema.Struct({ kind: Schema.String, id: Schema.String, body: Schema.String })

/** Under `{service}.{time, epoch milliseconds in 15 digits}.{message id}`: keys are in the order of their time. */
export const scheduledMessages = {
  bucket: { name: "scheduled", maxAge: "never" },
  schema: ScheduledMessage,
} as const

/** How often each process looks for due work of other processes. */
export const ScheduledWorkInterval = Context.Reference<Duration.Duration>("@armoricore/worker/ScheduledWorkInterval", {
  defaultValue: () => Duration.seconds(15),
})

export interface ScheduledWork {
  /**
   * Stores the work until `at`, epoch milliseconds. `discriminator` is unique among the work of this kind; repeating the
   * call with the same arguments changes nothing.
   */
  readonly schedule: (
    kind: string,
    discriminator: string,
    at: number,
    envelope: WorkEnvelope,
  ) => Effect.Effect<void, PortError>
  /** Publishes what is due. */
  readonly publishDue: Effect.Effect<void, PortError>
  /** Publishes due work until it is interrupted. */
  readonly run: Effect.Effect<never>
}

const pageSize = 100
/** Between two looks, so that much work for the same moment costs few of them. */
const minWait = Duration.millis(50)

/** When the loop of a service looks next, epoch milliseconds. The latch makes it look earlier. */
interface Timer {
  wakeAt: number
  readonly latch: Latch.Latch
}

/** By store and service: several parts of a service schedule work, and one loop publishes it. */
const timers = new WeakMap<KeyValue["Service"], Map<string, Timer>>()

const timerOf = (store: KeyValue["Service"], service: string): Timer => {
  const ofStore = timers.get(store) ?? new Map<string, Timer>()
  timers.set(store, ofStore)
  const timer = ofStore.get(service) ?? { wakeAt: 0, latch: Latch.makeUnsafe(false) }
  ofStore.set(service, timer)
  return timer
}

export const make = (service: string): Effect.Effect<ScheduledWork, never, EventBus | KeyValue> =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const interval = yield* ScheduledWorkInterval
    const timer = timerOf(yield* KeyValue, service)
    const messages = yield* Collection.make(scheduledMessages)
    const prefix = `${service}.`

    const publish = Effect.fnUntraced(function* ({ key, revision, value }: Collection.Document<StoredMessage>) {
      yield* bus.publish({
        address: work(service, value.kind),
        id: value.id,
        body: new TextEncoder().encode(value.body),
      })
      // A conflict means that the entry was written again meanwhile, for the same message.
      yield* Effect.catchTag(messages.remove(key, revision), "Conflict", () => Effect.void)
    })

    /** Returns when the next stored work is due; `undefined` without any. */
    const publishUntilNext: Effect.Effect<number | undefined, PortError> = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const page = yield* messages.list({ prefix, limit: pageSize })
      const due = page.filter(({ key }) => timeOf(key) <= now)
      yield* Effect.forEach(due, publish, { concurrency: 16, discard: true })
      if (due.length === pageSize) return yield* publishUntilNext
      const next = page[due.length]
      return next === undefined ? undefined : timeOf(next.key)
    })

    const publishThenWait = Effect.gen(function* () {
      // Work that is stored from here on opens the latch: this look may miss it.
      timer.latch.closeUnsafe()
      timer.wakeAt = Number.POSITIVE_INFINITY
      const next = yield* publishUntilNext.pipe(
        Effect.catch((error) =>
          Effect.as(Effect.logWarning(`Scheduled work was not published yet: ${error.message}`), undefined),
        ),
      )
      const now = yield* Clock.currentTimeMillis
      const wait = Math.min(Duration.toMillis(interval), Math.max(0, (next ?? Number.POSITIVE_INFINITY) - now))
      timer.wakeAt = now + wait
      yield* Effect.sleep(minWait)
      yield* Effect.raceFirst(timer.latch.await, Effect.sleep(Math.max(0, wait - Duration.toMillis(minWait))))
    })

    return {
      schedule: Effect.fnUntraced(function* (kind, discriminator, at, envelope) {
        const id = deriveId("scheduled", service, kind, discriminator)
        const key = `${prefix}${String(Math.max(0, Math.ceil(at))).padStart(timeDigits, "0")}.${id}`
        yield* messages.put(key, { kind, id, body: JSON.stringify(envelope) })
        if (at < timer.wakeAt) timer.latch.openUnsafe()
      }),
      publishDue: Effect.asVoid(publishUntilNext),
      run: Effect.forever(publishThenWait),
    }
  })

type StoredMessage = typeof ScheduledMessage.Type

const timeDigits = 15
const timeOf = (key: string): number => Number(key.split(".")[1])
