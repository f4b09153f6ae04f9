/** What `/metrics` answers: all that is counted, and the names of what could be. */
import { Effect } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { allMetrics } from "./MetricCatalog.ts"
import type { Redact } from "./Redaction.ts"

/** A page whose metrics without samples are named too, so that dashboards and alerts find them from the start. */
export const withMissingFamilies = (text: string): string => {
  const there = new Set(Array.from(text.matchAll(/^# TYPE (\S+) /gm), ([, name]) => name))
  const missing = allMetrics
    .filter(({ name }) => !there.has(name))
    .map(({ description, name, type }) => `# HELP ${name} ${description}\n# TYPE ${name} ${type}\n`)
  return text + missing.join("")
}

/** Of this process alone. */
export const localMetrics = PrometheusMetrics.format()

export const render = (metrics: Effect.Effect<string>, scrub: Redact): Effect.Effect<string> =>
  Effect.map(metrics, (text) => scrub(withMissingFamilies(text)))
