/**
 * Kinds of targets that a route does not reach for a fault of what was set at its provider: said with an alarm, at most
 * once a pause. The route goes on, as who is of a kind is known by the provider's answer alone.
 */
import { type Clock, Duration, Effect } from "effect"
import * as Metrics from "./NotifyMetrics.ts"
import type { KindUnreachable } from "./Route.ts"

export interface Barred {
  /** What is to be said, where it was not said just now. */
  readonly add: (error: KindUnreachable) => Effect.Effect<void> | undefined
  /** A target was reached: kinds that were met by nobody for long are told to be reached again. */
  readonly review: () => Effect.Effect<void> | undefined
  readonly reset: Effect.Effect<void>
}

export const make = (route: string, pause: Duration.Duration, clock: Clock.Clock): Barred => {
  const pauseMillis = Duration.toMillis(pause)
  /** By kind, until when messages to such targets wait at least. */
  const kinds = new Map<string, number>()
  const show = (kind: string, on: boolean) => Metrics.set(Metrics.paused, `${route} to ${kind}`, on)

  /** Messages that wait come again within a pause and a quarter of it. */
  const takeOut = (before: number) => {
    const over = [...kinds].flatMap(([kind, until]) => (until < before && kinds.delete(kind) ? [kind] : []))
    return Effect.forEach(over, (kind) => show(kind, false), { discard: true })
  }

  return {
    add: ({ kind, message }) => {
      const now = clock.currentTimeMillisUnsafe()
      if ((kinds.get(kind) ?? 0) > now) return undefined
      kinds.set(kind, now + pauseMillis)
      return Effect.andThen(
        show(kind, true),
        Effect.logError(`ALARM: the route ${route} does not reach ${kind}, messages to such wait: ${message}`, {
          route,
        }),
      )
    },
    review: () => (kinds.size === 0 ? undefined : takeOut(clock.currentTimeMillisUnsafe() - pauseMillis)),
    reset: Effect.suspend(() => takeOut(Infinity)),
  }
}
