/** What the worker loop counts; labels: `service`, `type`, and where it says so `result` or `reason`. */
import { type Effect, Metric } from "effect"

export const consumed = Metric.counter("armoricore_events_consumed_total", {
  description: "Messages received by a worker, redeliveries included",
  incremental: true,
})
export const published = Metric.counter("armoricore_events_published_total", {
  description: "Result messages acknowledged by the bus",
  incremental: true,
})
export const finished = Metric.counter("armoricore_jobs_total", {
  description: "Messages that came to an end, by result: succeeded, failed, exhausted, repeated",
  incremental: true,
})
export const retried = Metric.counter("armoricore_retries_total", {
  description: "Messages handed back to be tried again, by reason",
  incremental: true,
})
export const deadLettered = Metric.counter("armoricore_dead_letters_total", {
  description: "Messages that became dead letters, by reason",
  incremental: true,
})
export const duration = Metric.histogram("armoricore_job_seconds", {
  description: "Seconds from claim to decision",
  boundaries: [0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, 300, 1800],
})

/** One more of a counter for a service. */
export const count = (
  metric: Metric.Counter<number>,
  service: string,
  attributes: Readonly<Record<string, string>>,
): Effect.Effect<void> => Metric.update(Metric.withAttributes(metric, { service, ...attributes }), 1)
