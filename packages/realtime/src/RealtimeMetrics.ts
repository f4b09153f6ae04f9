/** What operators see of this service. Counted in plain numbers on the way, and brought to the metrics by the sweep. */
import { Effect, Metric } from "effect"
import type { QueueCounts } from "./FrameQueue.ts"

const sockets = Metric.gauge("realtime_sockets", { description: "open sockets" })
const broadcasts = Metric.gauge("realtime_broadcasts", { description: "broadcasts since the start" })
const deliveries = Metric.gauge("realtime_deliveries", { description: "frames queued by broadcasts since the start" })
const dropped = Metric.gauge("realtime_dropped", { description: "droppable frames that slow readers lost" })
const overflowed = Metric.gauge("realtime_slow_consumers", {
  description: "sockets closed because they read too slowly",
})

export const record = (
  open: number,
  topics: { readonly broadcasts: number; readonly deliveries: number },
  outbound: QueueCounts,
): Effect.Effect<void> =>
  Effect.all(
    [
      Metric.update(sockets, open),
      Metric.update(broadcasts, topics.broadcasts),
      Metric.update(deliveries, topics.deliveries),
      Metric.update(dropped, outbound.dropped),
      Metric.update(overflowed, outbound.overflowed),
    ],
    { discard: true },
  )
