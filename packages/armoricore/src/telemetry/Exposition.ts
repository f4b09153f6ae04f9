/** What `/metrics` answers: all that is counted, and the names of what could be. */
import { Effect } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { all } from "./Catalogue.ts"
import type { Scrub } from "./Scrub.ts"

/** A page whose metrics without samples are named too, so that dashboards and alerts find them from the start. */
export const complete = (text: string): string => {
  const there = new Set(Array.from(text.matchAll(/^# TYPE (\S+) /gm), ([, name]) => name))
  const missing = all
    .filter(({ name }) => !there.has(name))
    .map(({ meaning, name, type }) => `# HELP ${name} ${meaning}\n# TYPE ${name} ${type}\n`)
  return text + missing.join("")
}

/** Of this process alone. */
export const own = PrometheusMetrics.format()

export const page = (metrics: Effect.Effect<string>, scrub: Scrub): Effect.Effect<string> =>
  Effect.map(metrics, (text) => scrub(complete(text)))
