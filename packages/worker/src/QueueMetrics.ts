/**
 * How much waits before each durable consumer, and for how long, as metrics: what autoscaling goes by. Every process
 * that runs a consumer measures the whole queue, so take the largest, not the sum.
 */
import { Duration, Effect, Layer, Metric } from "effect"
import { ConsumerRegistry } from "./control/ConsumerRegistry.ts"

export const oldestAge = Metric.gauge("armoricore_queue_oldest_age_seconds", {
  description: "Age of the oldest message that is not handled, by consumer; 0 where there is none",
})
export const pending = Metric.gauge("armoricore_queue_messages_pending", {
  description: "Messages that nobody works on yet, by consumer",
})
export const inFlight = Metric.gauge("armoricore_queue_messages_in_flight", {
  description: "Messages that somebody works on, by consumer, in all processes",
})

const sampleInterval = Duration.seconds(10)

/** Measures as long as the Layer lives. A bus that is away leaves the last figures. */
export const layer: Layer.Layer<never> = Layer.effectDiscard(
  Effect.gen(function* () {
    const registry = yield* ConsumerRegistry
    const measure = Effect.suspend(() =>
      Effect.forEach(
        registry.list(),
        ({ depth, name, service }) =>
          Effect.gen(function* () {
            const found = yield* depth
            const of = (metric: Metric.Gauge<number>) => Metric.withAttributes(metric, { service, consumer: name })
            yield* Metric.update(of(oldestAge), found.oldestAgeMillis / 1000)
            yield* Metric.update(of(pending), found.pending)
            yield* Metric.update(of(inFlight), found.inFlight)
          }).pipe(Effect.catch((error) => Effect.logDebug(`the depth of ${name} is not known: ${error.message}`))),
        { discard: true },
      ),
    )
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(measure, Effect.sleep(sampleInterval))))
  }),
)
