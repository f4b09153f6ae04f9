/** What notify counts beside the worker loop; labels: `route` or `channel`, and where it says so `status`. */
import { type Effect, Metric } from "effect"

export const deliveries = Metric.counter("armoricore_notification_deliveries_total", {
  description: "Deliveries that became final, by channel, provider and status",
  incremental: true,
})
export const unknownOutcomes = Metric.counter("armoricore_notification_deliveries_unknown_total", {
  description: "Calls to a provider whose outcome is not known, by channel",
  incremental: true,
})
export const resends = Metric.counter("armoricore_notification_deliveries_resent_total", {
  description: "Deliveries sent again after an unknown outcome, by channel",
  incremental: true,
})
export const providerPaused = Metric.gauge("armoricore_provider_paused", {
  description: "1 while a route waits for its configuration to be mended, by route",
})
export const circuitOpen = Metric.gauge("armoricore_provider_circuit_open", {
  description: "1 while a route is not called because its provider is out of order, by route",
})
export const webhooksRejected = Metric.counter("armoricore_webhooks_rejected_total", {
  description: "Webhook calls that did not prove their sender, by provider",
  incremental: true,
})

/** Labelled counters by their labels: making one costs more than counting with it. */
const labelledCounters = new Map<string, Metric.Counter<number>>()

export const increment = (
  metric: Metric.Counter<number>,
  attributes: Readonly<Record<string, string>>,
  times = 1,
): Effect.Effect<void> => {
  const key = `${metric.id}|${Object.values(attributes).join("|")}`
  const known = labelledCounters.get(key) ?? Metric.withAttributes(metric, { ...attributes })
  labelledCounters.set(key, known)
  return Metric.update(known, times)
}

export const setGauge = (metric: Metric.Gauge<number>, route: string, on: boolean): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(metric, { route }), on ? 1 : 0)
