/** What operators see of this service. Counted in plain numbers on the way, and brought to the metrics by the sweep. */
import { Effect, Metric } from "effect"
import type { QueueCounts } from "./FrameQueue.ts"

export const sockets = Metric.gauge("realtime_sockets", { description: "Open sockets" })
export const joins = Metric.counter("realtime_joins_total", {
  description: "Joins that were let in to a channel, rejoins included",
  incremental: true,
})
export const broadcasts = Metric.counter("realtime_broadcasts_total", {
  description: "Broadcasts to topics that somebody on this node reads",
  incremental: true,
})
export const deliveries = Metric.counter("realtime_deliveries_total", {
  description: "Frames that broadcasts queued for sockets",
  incremental: true,
})
export const dropped = Metric.counter("realtime_dropped_total", {
  description: "Droppable frames that slow readers lost",
  incremental: true,
})
export const slowConsumers = Metric.counter("realtime_slow_consumers_total", {
  description: "Sockets closed because they read too slowly",
  incremental: true,
})

export interface Seen {
  readonly open: number
  readonly joins: number
  readonly topics: { readonly broadcasts: number; readonly deliveries: number }
  readonly outbound: QueueCounts
}

/** Of one endpoint: tells the metrics what came since it told them last. */
export const recorder = (): ((seen: Seen) => Effect.Effect<void>) => {
  const told = new Map<Metric.Counter<number>, number>()
  const grown = (metric: Metric.Counter<number>, total: number) =>
    Effect.suspend(() => {
      const more = total - (told.get(metric) ?? 0)
      told.set(metric, total)
      return Metric.update(metric, more)
    })
  return (seen) =>
    Effect.all(
      [
        Metric.update(sockets, seen.open),
        grown(joins, seen.joins),
        grown(broadcasts, seen.topics.broadcasts),
        grown(deliveries, seen.topics.deliveries),
        grown(dropped, seen.outbound.dropped),
        grown(slowConsumers, seen.outbound.overflowed),
      ],
      { discard: true },
    )
}
