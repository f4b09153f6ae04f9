/** The metrics of notify, beside those of the worker loop. */
import { type Context, type Effect, Metric } from "effect"

export const deliveries = Metric.counter("armoricore_notification_deliveries_total", {
  description: "Deliveries that reached a final status, by channel, provider and status",
  incremental: true,
})
export const unknownOutcomes = Metric.counter("armoricore_notification_deliveries_unknown_total", {
  description: "Calls to a provider with an unknown outcome, by channel",
  incremental: true,
})
export const resends = Metric.counter("armoricore_notification_deliveries_resent_total", {
  description: "Deliveries sent again after an unknown outcome, by channel",
  incremental: true,
})
export const refusalsHeld = Metric.counter("armoricore_notification_refusals_held_total", {
  description:
    "Refusals of a recipient without consequence, because the provider had accepted no other, by provider and reason",
  incremental: true,
})
export const refusalsReversed = Metric.counter("armoricore_notification_refusals_reversed_total", {
  description: "Failed deliveries that are sent again, because the refusal was not the recipient's fault, by channel",
  incremental: true,
})
export const deferrals = Metric.counter("armoricore_notification_deliveries_deferred_total", {
  description: "E-mails that a server deferred, once for each deferral, by provider",
  incremental: true,
})
export const providerPaused = Metric.gauge("armoricore_provider_paused", {
  description: "1 while a provider is paused because of a configuration error or a run of refusals, by provider",
})
export const circuitOpen = Metric.gauge("armoricore_provider_circuit_open", {
  description: "1 while the circuit of a provider is open after outages, by provider",
})
export const webhooksRejected = Metric.counter("armoricore_webhooks_rejected_total", {
  description: "Webhook calls without a valid signature, by provider",
  incremental: true,
})

/** One counter per set of labels: creating a labelled counter costs more than an increment. */
const labelledCounters = new Map<string, Metric.Counter<number>>()

const labelled = (
  metric: Metric.Counter<number>,
  attributes: Readonly<Record<string, string>>,
): Metric.Counter<number> => {
  let key = metric.id
  for (const name in attributes) key += `|${attributes[name]}`
  const known = labelledCounters.get(key)
  if (known !== undefined) return known
  const fresh = Metric.withAttributes(metric, { ...attributes })
  labelledCounters.set(key, fresh)
  return fresh
}

export const increment = (
  metric: Metric.Counter<number>,
  attributes: Readonly<Record<string, string>>,
  times = 1,
): Effect.Effect<void> => Metric.update(labelled(metric, attributes), times)

/** {@link increment} without an effect, for the hot path. */
export const count = (
  context: Context.Context<never>,
  metric: Metric.Counter<number>,
  attributes: Readonly<Record<string, string>>,
): void => labelled(metric, attributes).updateUnsafe(1, context)

export const setGauge = (metric: Metric.Gauge<number>, provider: string, on: boolean): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(metric, { provider }), on ? 1 : 0)
