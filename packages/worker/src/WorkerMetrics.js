/** Metrics of the worker loop, with the labels `service`, `type`, and `result` or `reason` where the description names them. */
import { Effect, Metric } from "effect";
export const consumed = Metric.counter("armoricore_events_consumed_total", {
    description: "Messages received by a worker, redeliveries included",
    incremental: true,
});
export const published = Metric.counter("armoricore_events_published_total", {
    description: "Messages that the bus acknowledged: results of workers, and events from HTTP and sockets",
    incremental: true,
});
export const finished = Metric.counter("armoricore_jobs_total", {
    description: "Messages whose handling ended, by result: succeeded, failed, exhausted, cancelled, rejected, duplicate",
    incremental: true,
});
export const retried = Metric.counter("armoricore_retries_total", {
    description: "Messages returned to the bus for another attempt, by reason",
    incremental: true,
});
export const deadLettered = Metric.counter("armoricore_dead_letters_total", {
    description: "Dead letters that the bus stored, by reason; a fault that every consumer of an event finds is one",
    incremental: true,
});
export const duration = Metric.histogram("armoricore_job_duration_seconds", {
    description: "Seconds from the lease to the decision",
    boundaries: [0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, 300, 1800],
});
/** Adds one to a counter. */
export const increment = (metric, service, attributes) => observe(metric, service, attributes, 1);
/** Records one measurement. */
export const observe = (metric, service, attributes, amount) => Effect.withFiber(({ context }) => {
    record(context, metric, service, attributes, amount);
    return Effect.void;
});
/** {@link observe} without an effect, for the hot path. */
export const record = (context, metric, service, attributes, amount = 1) => withLabels(metric, service, attributes).updateUnsafe(amount, context);
const maxCachedVariants = 1_000;
const lastUsed = new Map();
const cache = new Map();
/** Hot path: `Metric.withAttributes` costs more than counting, and most updates repeat the labels of the one before. */
const withLabels = (metric, service, attributes) => {
    const before = lastUsed.get(metric);
    if (before !== undefined && before.service === service && isSame(before.attributes, attributes))
        return before.metric;
    const labelled = lookUp(metric, service, attributes);
    lastUsed.set(metric, { service, attributes, metric: labelled });
    return labelled;
};
/** Compares values only: one metric always has the same label names. */
const isSame = (before, now) => {
    for (const name in now)
        if (before[name] !== now[name])
            return false;
    return true;
};
const lookUp = (metric, service, attributes) => {
    let cacheKey = service;
    for (const key in attributes)
        cacheKey += `\n${attributes[key]}`;
    let variants = cache.get(metric);
    if (variants === undefined)
        cache.set(metric, (variants = new Map()));
    const cached = variants.get(cacheKey);
    if (cached !== undefined)
        return cached;
    const labelled = Metric.withAttributes(metric, { service, ...attributes });
    // The event types of dead letters come from outside, so the cache is bounded.
    if (variants.size < maxCachedVariants)
        variants.set(cacheKey, labelled);
    return labelled;
};
