/** What operators see of this service. Counted in plain numbers on the way, and brought to the metrics by the sweep. */
import { Effect, Metric } from "effect"
import type { QueueCounts } from "./socket/FrameQueue.ts"

export const sockets = Metric.gauge("armoricore_realtime_sockets", { description: "Open sockets" })
export const joins = Metric.counter("armoricore_realtime_joins_total", {
  description: "Joins that were let in to a channel, rejoins included",
  incremental: true,
})
export const broadcasts = Metric.counter("armoricore_realtime_broadcasts_total", {
  description: "Broadcasts to topics that somebody on this node reads",
  incremental: true,
})
export const deliveries = Metric.counter("armoricore_realtime_frames_enqueued_total", {
  description: "Frames that broadcasts queued for sockets",
  incremental: true,
})
export const dropped = Metric.counter("armoricore_realtime_frames_dropped_total", {
  description: "Droppable frames that slow readers lost",
  incremental: true,
})
export const slowConsumers = Metric.counter("armoricore_realtime_slow_consumers_total", {
  description: "Sockets closed because they read too slowly",
  incremental: true,
})

export interface RealtimeCounts {
  readonly open: number
  readonly joins: number
  readonly topics: { readonly broadcasts: number; readonly deliveries: number }
  readonly outbound: QueueCounts
}

/** Of one endpoint: tells the metrics what came since it told them last. */
export const recorder = (): ((seen: RealtimeCounts) => Effect.Effect<void>) => {
  const reported = new Map<Metric.Counter<number>, number>()
  const incrementTo = (metric: Metric.Counter<number>, total: number) =>
    Effect.suspend(() => {
      const more = total - (reported.get(metric) ?? 0)
      reported.set(metric, total)
      return Metric.update(metric, more)
    })
  return (seen) =>
    Effect.all(
      [
        Metric.update(sockets, seen.open),
        incrementTo(joins, seen.joins),
        incrementTo(broadcasts, seen.topics.broadcasts),
        incrementTo(deliveries, seen.topics.deliveries),
        incrementTo(dropped, seen.outbound.dropped),
        incrementTo(slowConsumers, seen.outbound.overflowed),
      ],
      { discard: true },
    )
}
