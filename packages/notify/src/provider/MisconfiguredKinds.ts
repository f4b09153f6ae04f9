/**
 * Kinds of targets that a route does not reach for a fault of what was set at its provider: said with an alarm, at most
 * once a pause. The route goes on, as who is of a kind is known by the provider's answer alone.
 */
import { type Clock, Duration, Effect } from "effect"
import * as Metrics from "../NotifyMetrics.ts"
import type { TargetKindMisconfigured } from "./Provider.ts"

export interface MisconfiguredKinds {
  /** What is to be said, where it was not said just now. */
  readonly add: (error: TargetKindMisconfigured) => Effect.Effect<void> | undefined
  /** A target was reached: kinds that were met by nobody for long are told to be reached again. */
  readonly expire: () => Effect.Effect<void> | undefined
  readonly reset: Effect.Effect<void>
}

export const make = (route: string, delay: Duration.Duration, clock: Clock.Clock): MisconfiguredKinds => {
  const delayMillis = Duration.toMillis(delay)
  /** By kind, until when messages to such targets wait at least. */
  const kinds = new Map<string, number>()
  const setGauge = (kind: string, on: boolean) => Metrics.setGauge(Metrics.providerPaused, `${route} to ${kind}`, on)

  /** Messages that wait come again within a pause and a quarter of it. */
  const removeBefore = (before: number) => {
    const expired = [...kinds].flatMap(([kind, until]) => (until < before && kinds.delete(kind) ? [kind] : []))
    return Effect.forEach(expired, (kind) => setGauge(kind, false), { discard: true })
  }

  return {
    add: ({ kind, message }) => {
      const now = clock.currentTimeMillisUnsafe()
      if ((kinds.get(kind) ?? 0) > now) return undefined
      kinds.set(kind, now + delayMillis)
      return Effect.andThen(
        setGauge(kind, true),
        Effect.logError(`ALARM: the route ${route} does not reach ${kind}, messages to such wait: ${message}`, {
          route,
        }),
      )
    },
    expire: () => (kinds.size === 0 ? undefined : removeBefore(clock.currentTimeMillisUnsafe() - delayMillis)),
    reset: Effect.suspend(() => removeBefore(Infinity)),
  }
}
