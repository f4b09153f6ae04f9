/**
 * What realtime tells the others, on its way to the bus. Sockets do not wait for it: events are kept here, in order, until
 * the bus has them, so that rooms go on while the bus is away. Only so many are kept; then the oldest are given up, and
 * the log says how many.
 */
import * as Address from "@armoricore/bus/Address"
import { EventBus, type Outgoing } from "@armoricore/bus/EventBus"
import { resultEventId } from "@armoricore/domain/Causation"
import * as EventCodec from "@armoricore/domain/EventCodec"
import type { EventType, PayloadOf } from "@armoricore/domain/Events"
import { count, published } from "@armoricore/worker/WorkerMetrics"
import { Clock, Context, Effect, Latch, Layer, Option } from "effect"
import { HttpTraceContext } from "effect/http"

/** The events that realtime publishes. */
export type Published = Extract<EventType, "chat.message" | "comment.created" | "presence.update">

export class Outbox extends Context.Service<
  Outbox,
  {
    /** Returns at once. `cause` names what happened: the same cause gives the same `event_id`. */
    readonly offer: <T extends Published>(type: T, cause: string, payload: PayloadOf<T>) => Effect.Effect<void>
    /** Events that the bus does not have yet. */
    readonly waiting: () => number
  }
>()("@armoricore/realtime/Outbox") {}

export interface OutboxOptions {
  /** Default 10,000. */
  readonly capacity?: number
}

/** Published side by side; the bus keeps their order as far as it can. */
const batchSize = 256
const pause = "1 second"
const flushTime = "5 seconds"

export const layer = (options: OutboxOptions = {}): Layer.Layer<Outbox, never, EventBus> =>
  Layer.effect(
    Outbox,
    Effect.gen(function* () {
      const bus = yield* EventBus
      const capacity = options.capacity ?? 10_000
      const filled = yield* Latch.make(false)
      let kept: Array<Outgoing> = []
      let given = 0

      const publish = (message: Outgoing) =>
        bus.publish(message).pipe(
          Effect.tap(() =>
            message.address.channel === "event"
              ? count(published, "realtime", { type: message.address.type })
              : Effect.void,
          ),
          Effect.as(true),
          Effect.catchTag("PermanentError", (error) =>
            Effect.as(Effect.logError(`an event of realtime cannot be published: ${error.message}`), true),
          ),
          Effect.catch((error) => Effect.as(Effect.logDebug("an event of realtime waits", error), false)),
        )

      /** Publishes what is kept, oldest first; false when the bus did not take all of it. */
      const round = Effect.gen(function* () {
        const batch = kept.slice(0, batchSize)
        const told = yield* Effect.forEach(batch, publish, { concurrency: "unbounded" })
        const done = new Set(batch.filter((_, index) => told[index] === true))
        kept = kept.filter((message) => !done.has(message))
        return done.size === batch.length
      })

      const run = Effect.gen(function* () {
        yield* filled.await
        if (given > 0) {
          yield* Effect.logError(`${given} events of realtime were given up: the bus was away for too long`)
          given = 0
        }
        const whole = yield* round
        if (kept.length === 0) filled.closeUnsafe()
        if (!whole) yield* Effect.sleep(pause)
      })

      // Registered first, so that it runs once the fiber below is gone: what is left gets one more chance.
      yield* Effect.addFinalizer(() =>
        Effect.gen(function* () {
          yield* Effect.timeoutOption(
            Effect.repeat(round, { until: (whole) => !whole || kept.length === 0 }),
            flushTime,
          )
          if (kept.length > 0) yield* Effect.logError(`${kept.length} events of realtime could not be published`)
        }),
      )
      yield* Effect.forkScoped(Effect.forever(run))

      return {
        waiting: () => kept.length,
        offer: Effect.fnUntraced(function* (type, cause, payload) {
          const id = resultEventId(cause, type)
          const traceparent = yield* currentTraceparent
          const body = EventCodec.encode({
            event_type: type,
            event_id: id,
            timestamp: new Date(yield* Clock.currentTimeMillis).toISOString(),
            source: "realtime",
            ...(traceparent === undefined ? {} : { traceparent }),
            payload,
          })
          kept.push({
            address: Address.event(type),
            id,
            body,
            ...(traceparent === undefined ? {} : { headers: { traceparent } }),
          })
          if (kept.length > capacity) {
            kept.shift()
            given++
          }
          filled.openUnsafe()
        }),
      }
    }),
  )

const currentTraceparent: Effect.Effect<string | undefined> = Effect.map(Effect.option(Effect.currentSpan), (span) =>
  Option.isNone(span) ? undefined : HttpTraceContext.toHeaders(span.value)["traceparent"],
)
