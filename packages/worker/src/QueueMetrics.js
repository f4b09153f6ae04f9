/**
 * Depth and age of the queue of each durable consumer, as metrics for autoscaling. Every process that runs a consumer
 * measures the whole queue: aggregate with the maximum, not the sum.
 */
import { Duration, Effect, Layer, Metric } from "effect";
import { ConsumerRegistry } from "./control/ConsumerRegistry.ts";
export const oldestAge = Metric.gauge("armoricore_queue_oldest_age_seconds", {
    description: "Age of the oldest message that is not handled, by consumer; 0 for an empty queue",
});
export const pending = Metric.gauge("armoricore_queue_messages_pending", {
    description: "Messages that no worker has received yet, by consumer",
});
export const inFlight = Metric.gauge("armoricore_queue_messages_in_flight", {
    description: "Messages that workers of all processes are handling, by consumer",
});
/**
 * For autoscaling, with `pending`: neither counts messages that are held back, for example while their provider is paused,
 * which more workers would not send sooner. Unlike the queue's own counts it is a number of this process: use the sum.
 */
export const running = Metric.gauge("armoricore_handlers_running", {
    description: "Handlers that run in this process, by consumer; messages that are held back are not among them",
});
const sampleInterval = Duration.seconds(10);
/** Samples until the scope closes. While the bus is unavailable the gauges keep their last values. */
export const layer = Layer.effectDiscard(Effect.gen(function* () {
    const registry = yield* ConsumerRegistry;
    const measure = Effect.suspend(() => Effect.forEach(registry.list(), ({ depth, name, running: runningNow, service }) => Effect.gen(function* () {
        const labelled = (metric) => Metric.withAttributes(metric, { service, consumer: name });
        yield* Metric.update(labelled(running), runningNow());
        const sample = yield* depth;
        yield* Metric.update(labelled(oldestAge), sample.oldestAgeMillis / 1000);
        yield* Metric.update(labelled(pending), sample.pending);
        yield* Metric.update(labelled(inFlight), sample.inFlight);
    }).pipe(Effect.catch((error) => Effect.logDebug(`The queue depth of ${name} could not be read: ${error.message}`))), { discard: true }));
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(measure, Effect.sleep(sampleInterval))));
}));
