/**
 * What realtime tells the others, on its way to the bus. Sockets do not wait for it: events are kept here, in order, until
 * the bus has them, so that rooms go on while the bus is away. Only so many are kept; then the oldest are given up, and
 * the log says how many.
 */
import * as TraceContext from "@armoricore/worker/TraceContext"
import * as Address from "@armoricore/bus/Address"
import { EventBus, type OutgoingMessage } from "@armoricore/bus/EventBus"
import { resultEventId } from "@armoricore/domain/DeterministicId"
import * as EventCodec from "@armoricore/domain/EventCodec"
import type { EventType, PayloadOf } from "@armoricore/domain/EventRegistry"
import { increment, published } from "@armoricore/worker/WorkerMetrics"
import { Clock, Context, Effect, Latch, Layer } from "effect"

/** The events that realtime publishes. */
export type PublishedType = Extract<EventType, "chat.message" | "comment.created" | "presence.update">

export class PublishBuffer extends Context.Service<
  PublishBuffer,
  {
    /** Returns at once. `cause` names what happened: the same cause gives the same `event_id`. */
    readonly offer: <T extends PublishedType>(type: T, cause: string, payload: PayloadOf<T>) => Effect.Effect<void>
    /** Events that the bus does not have yet. */
    readonly pendingCount: () => number
  }
>()("@armoricore/realtime/PublishBuffer") {}

export interface PublishBufferOptions {
  /** Default 10,000. */
  readonly capacity?: number
}

/** Published side by side; the bus keeps their order as far as it can. */
const maxBatch = 256
const retryInterval = "1 second"
const flushTimeout = "5 seconds"

export const layer = (options: PublishBufferOptions = {}): Layer.Layer<PublishBuffer, never, EventBus> =>
  Layer.effect(
    PublishBuffer,
    Effect.gen(function* () {
      const bus = yield* EventBus
      const capacity = options.capacity ?? 10_000
      const hasPending = yield* Latch.make(false)
      let pending: Array<OutgoingMessage> = []
      let droppedCount = 0

      const publish = (message: OutgoingMessage) =>
        bus.publish(message).pipe(
          Effect.tap(() =>
            message.address.channel === "event"
              ? increment(published, "realtime", { type: message.address.type })
              : Effect.void,
          ),
          Effect.as(true),
          Effect.catchTag("PermanentError", (error) =>
            Effect.as(Effect.logError(`an event of realtime cannot be published: ${error.message}`), true),
          ),
          Effect.catch((error) => Effect.as(Effect.logDebug("an event of realtime waits", error), false)),
        )

      /** Publishes what is kept, oldest first; false when the bus did not take all of it. */
      const publishBatch = Effect.gen(function* () {
        const batch = pending.slice(0, maxBatch)
        const told = yield* Effect.forEach(batch, publish, { concurrency: "unbounded" })
        const done = new Set(batch.filter((_, index) => told[index] === true))
        pending = pending.filter((message) => !done.has(message))
        return done.size === batch.length
      })

      const run = Effect.gen(function* () {
        yield* hasPending.await
        if (droppedCount > 0) {
          yield* Effect.logError(`${droppedCount} events of realtime were given up: the bus was away for too long`)
          droppedCount = 0
        }
        const isComplete = yield* publishBatch
        if (pending.length === 0) hasPending.closeUnsafe()
        if (!isComplete) yield* Effect.sleep(retryInterval)
      })

      // Registered first, so that it runs once the fiber below is gone: what is left gets one more chance.
      yield* Effect.addFinalizer(() =>
        Effect.gen(function* () {
          yield* Effect.timeoutOption(
            Effect.repeat(publishBatch, { until: (whole) => !whole || pending.length === 0 }),
            flushTimeout,
          )
          if (pending.length > 0) yield* Effect.logError(`${pending.length} events of realtime could not be published`)
        }),
      )
      yield* Effect.forkScoped(Effect.forever(run))

      return {
        pendingCount: () => pending.length,
        offer: Effect.fnUntraced(function* (type, cause, payload) {
          const id = resultEventId(cause, type)
          const traceparent = yield* TraceContext.currentTraceparent
          const body = EventCodec.encode({
            event_type: type,
            event_id: id,
            timestamp: new Date(yield* Clock.currentTimeMillis).toISOString(),
            source: "realtime",
            ...(traceparent === undefined ? {} : { traceparent }),
            payload,
          })
          pending.push({
            address: Address.event(type),
            id,
            body,
            ...(traceparent === undefined ? {} : { headers: { traceparent } }),
          })
          if (pending.length > capacity) {
            pending.shift()
            droppedCount++
          }
          hasPending.openUnsafe()
        }),
      }
    }),
  )
