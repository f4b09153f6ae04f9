/**
 * Records the results of deliveries: counts them, updates their notification, and emits an event for each invalid
 * token.
 */
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import type { ResultMessage } from "@armoricore/worker/ResultMessage"
import { Effect } from "effect"
import { type FinalState, type PlannedDelivery, summaryOf } from "./PlannedDelivery.ts"
import type { Notifications } from "../request/Notifications.ts"
import * as Metrics from "../NotifyMetrics.ts"
import * as InvalidTokens from "../request/InvalidTokens.ts"

export interface DeliveryResult {
  readonly delivery: PlannedDelivery
  readonly final: FinalState
}

/** All results belong to one notification. Repeated results return the same events. */
export const record = (
  notifications: Notifications["Service"],
  notificationId: string,
  results: ReadonlyArray<DeliveryResult>,
): Effect.Effect<ReadonlyArray<ResultMessage>, TransientError | ConfigurationError> => {
  const updates = results.map(({ final, delivery }) => ({
    index: delivery.index,
    summary: summaryOf(delivery.channel, final),
    targetInvalid: final.target_invalid,
    invalidSince: final.invalid_since,
  }))
  const invalidTokens = results.flatMap(({ final, delivery: { notification, planned } }) =>
    final.target_invalid === true ? (InvalidTokens.eventOf(notification, planned, final) ?? []) : [],
  )
  return Effect.andThen(
    countResults(results),
    Effect.map(notifications.applyUpdates(notificationId, updates), (outcomes) =>
      invalidTokens.length === 0 ? outcomes : [...invalidTokens, ...outcomes],
    ),
  )
}

const labelsOf = ({ final, delivery }: DeliveryResult) => ({
  channel: delivery.channel,
  provider: final.provider ?? "none",
  status: final.status,
})

const countResults = (results: ReadonlyArray<DeliveryResult>): Effect.Effect<void> => {
  const [only] = results
  if (only !== undefined && results.length === 1) return Metrics.increment(Metrics.deliveries, labelsOf(only))
  const groups = Map.groupBy(results, ({ final, delivery }) => `${delivery.channel}|${final.provider}|${final.status}`)
  return Effect.forEach(
    groups.values(),
    (group) => {
      const [first] = group
      return first === undefined ? Effect.void : Metrics.increment(Metrics.deliveries, labelsOf(first), group.length)
    },
    { discard: true },
  )
}
