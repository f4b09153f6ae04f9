/**
 * Records the results of deliveries: counts them, updates their notification, and emits an event for each invalid
 * token.
 */
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { emit, type ResultMessage } from "@armoricore/worker/ResultMessage"
import { Effect } from "effect"
import { type FinalState, type PlannedDelivery, summaryOf } from "./PlannedDelivery.ts"
import type { Notifications } from "../request/Notifications.ts"
import * as Metrics from "../NotifyMetrics.ts"
import { hashOf, platformOf } from "../request/Target.ts"

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
  }))
  const invalidTokens = results.flatMap(({ final, delivery }) =>
    final.target_invalid === true ? invalidTokenEvents(delivery, final) : [],
  )
  return Effect.andThen(
    countResults(results),
    Effect.map(notifications.applyUpdates(notificationId, updates), (outcomes) =>
      invalidTokens.length === 0 ? outcomes : [...invalidTokens, ...outcomes],
    ),
  )
}

const invalidTokenEvents = (
  { channel, notification, planned }: PlannedDelivery,
  { invalid_since, reason }: FinalState,
): ReadonlyArray<ResultMessage> =>
  channel === "email"
    ? []
    : [
        emit(
          "device.token_invalid",
          {
            user_id: notification.user_id,
            platform: platformOf(channel),
            token_hash: hashOf(planned.target),
            reason: reason ?? "dead",
            ...(invalid_since === undefined ? {} : { invalid_since: new Date(invalid_since).toISOString() }),
          },
          planned.delivery_id,
        ),
      ]

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
