/** What the worker loop counts; labels: `service`, `type`, and where it says so `result` or `reason`. */
import { type Context, Effect, Metric } from "effect"

export const consumed = Metric.counter("armoricore_events_consumed_total", {
  description: "Messages received by a worker, redeliveries included",
  incremental: true,
})
export const published = Metric.counter("armoricore_events_published_total", {
  description: "Messages that the bus acknowledged: results of workers, and what came over HTTP or from sockets",
  incremental: true,
})
export const finished = Metric.counter("armoricore_jobs_total", {
  description: "Messages that came to an end, by result: succeeded, failed, exhausted, cancelled, repeated",
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
export const duration = Metric.histogram("armoricore_job_duration_seconds", {
  description: "Seconds from claim to decision",
  boundaries: [0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, 300, 1800],
})

/** One more of a counter for a service. */
export const increment = (
  metric: Metric.Counter<number>,
  service: string,
  attributes: Readonly<Record<string, string>>,
): Effect.Effect<void> => observe(metric, service, attributes, 1)

/** A measurement for a service. */
export const observe = (
  metric: Measured,
  service: string,
  attributes: Readonly<Record<string, string>>,
  amount: number,
): Effect.Effect<void> =>
  Effect.withFiber(({ context }) => {
    record(context, metric, service, attributes, amount)
    return Effect.void
  })

/** {@link observe} at once. */
export const record = (
  context: Context.Context<never>,
  metric: Measured,
  service: string,
  attributes: Readonly<Record<string, string>>,
  amount = 1,
): void => withLabels(metric, service, attributes).updateUnsafe(amount, context)

type Measured = Metric.Metric<number, unknown>

interface LabelledMetric {
  readonly service: string
  readonly attributes: Readonly<Record<string, string>>
  readonly metric: Measured
}

const lastUsed = new Map<Measured, LabelledMetric>()
const cache = new Map<Measured, Map<string, Measured>>()

/** Making a metric with attributes costs more than counting; there are few combinations, and mostly it is the last again. */
const withLabels = (metric: Measured, service: string, attributes: Readonly<Record<string, string>>): Measured => {
  const before = lastUsed.get(metric)
  if (before !== undefined && before.service === service && isSame(before.attributes, attributes)) return before.metric
  const found = lookUp(metric, service, attributes)
  lastUsed.set(metric, { service, attributes, metric: found })
  return found
}

/** Of one metric, which always has the same names. */
const isSame = (before: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): boolean => {
  for (const name in now) if (before[name] !== now[name]) return false
  return true
}

const lookUp = (metric: Measured, service: string, attributes: Readonly<Record<string, string>>): Measured => {
  let name = service
  for (const key in attributes) name += `\n${attributes[key]}`
  let all = cache.get(metric)
  if (all === undefined) cache.set(metric, (all = new Map()))
  const found = all.get(name)
  if (found !== undefined) return found
  const made = Metric.withAttributes(metric, { service, ...attributes })
  // Types and reasons of dead letters come from outside: they must not fill the memory.
  if (all.size < 1_000) all.set(name, made)
  return made
}
