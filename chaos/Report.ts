/** The criteria of a chaos run. */
import type { SinkState } from "./sink.ts"

export interface ChaosReport {
  readonly seed: number
  /**
   * Processes and consumers that did not work after the last fault was undone, and why; empty in a sound run. Where there
   * are some, nothing can be said of lost events.
   */
  readonly notReady: ReadonlyArray<string>
  readonly acknowledged: number
  /** Acknowledged to a publisher, and without effect or result. Must be 0. */
  readonly lost: number
  /** Of those that are lost. */
  readonly withoutEffect: number
  /** Effects of events that were never published. Must be 0. */
  readonly unexpected: number
  /** Effects of an event whose result was already published. Must be 0. */
  readonly duplicateEffects: number
  /** Events with more than one result id. Must be 0. */
  readonly ambiguousResults: number
  /** Messages out with workers beyond half as many again as they have slots, while nothing was disturbed. Must be 0. */
  readonly prefetched: number
  /** Dead letters of sound events. Must be 0. */
  readonly deadLetters: number
  /** Deliveries of an event after its first. Allowed. */
  readonly duplicateDeliveries: number
  /** The most result ids of one event; 1 in a sound run. */
  readonly resultIds: number
  /** Effects tried again under a higher token before there was a result; the sink knows them by their id. Allowed. */
  readonly repeatedEffects: number
  /** Effects of late workers that the sink refused by their token. Allowed. */
  readonly fencedEffects: number
  readonly faults: ReadonlyArray<string>
  /** From the end of the faults until everything was done, or nothing more happened. */
  readonly drainSeconds: number
  /** Everything known about each lost event, and about the consumers that should have received it. */
  readonly missingEvents: ReadonlyArray<string>
}

export interface Observations {
  readonly sent: ReadonlySet<string>
  readonly acknowledged: ReadonlySet<string>
  readonly seen: SinkState
  /** By the id of the event they follow from: when the first was stored, and their ids. */
  readonly results: ReadonlyMap<string, { readonly firstAt: number; readonly ids: ReadonlySet<string> }>
}

/** Clocks of one machine, but the sink's entry and the bus's time are taken in different processes. */
const clockToleranceMillis = 50

export const summarize = ({ acknowledged, results, seen, sent }: Observations) => {
  const effects = Map.groupBy(seen.effects, ({ id }) => id)
  const isDone = (id: string) => effects.has(id) && results.has(id)
  return {
    acknowledged: acknowledged.size,
    lost: [...acknowledged].filter((id) => !isDone(id)).length,
    withoutEffect: [...acknowledged].filter((id) => !effects.has(id)).length,
    unexpected: [...effects.keys(), ...results.keys()].filter((id) => !sent.has(id)).length,
    duplicateEffects: seen.effects.filter(
      ({ at, id }) => at > (results.get(id)?.firstAt ?? Infinity) + clockToleranceMillis,
    ).length,
    ambiguousResults: [...results.values()].filter(({ ids }) => ids.size > 1).length,
    resultIds: Math.max(0, ...[...results.values()].map(({ ids }) => ids.size)),
    repeatedEffects: seen.effects.length - effects.size,
    fencedEffects: seen.fenced,
  }
}

/** The violated criteria by name; empty for a sound run. */
export const violations = (report: ChaosReport): ReadonlyArray<string> => [
  ...report.notReady.map((what) => `not ready: ${what}`),
  ...(["lost", "unexpected", "duplicateEffects", "ambiguousResults", "prefetched", "deadLetters"] as const)
    .filter((name) => report[name] > 0 && (name !== "lost" || report.notReady.length === 0))
    .map((name) =>
      name === "lost" ? `lost: ${report.lost} (${report.withoutEffect} without an effect)` : `${name}: ${report[name]}`,
    ),
]
