/** Tells what became of deliveries: to the metrics, to their notification, and of dead tokens to the backend. */
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { emit, type Outcome } from "@armoricore/worker/Outcome"
import { Effect } from "effect"
import { type Final, type Job, summaryOf } from "./Job.ts"
import type { Notifications } from "./Notifications.ts"
import * as Metrics from "./NotifyMetrics.ts"
import { hashOf, platformOf } from "./Target.ts"

export interface Verdict {
  readonly job: Job
  readonly final: Final
}

/** All of one notification. The same verdicts told again bring the same events. */
export const tell = (
  notifications: Notifications["Service"],
  notificationId: string,
  verdicts: ReadonlyArray<Verdict>,
): Effect.Effect<ReadonlyArray<Outcome>, TransientError | ConfigurationError> => {
  const told = verdicts.map(({ final, job }) => ({ index: job.index, summary: summaryOf(job.channel, final) }))
  const dead = verdicts.flatMap(({ final, job }) => (final.target_dead === true ? deadOf(job, final) : []))
  return Effect.andThen(
    count(verdicts),
    Effect.map(notifications.tell(notificationId, told), (outcomes) =>
      dead.length === 0 ? outcomes : [...dead, ...outcomes],
    ),
  )
}

const deadOf = ({ channel, notification, planned }: Job, { dead_since, reason }: Final): ReadonlyArray<Outcome> =>
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
            ...(dead_since === undefined ? {} : { invalid_since: new Date(dead_since).toISOString() }),
          },
          planned.delivery_id,
        ),
      ]

const labelsOf = ({ final, job }: Verdict) => ({
  channel: job.channel,
  provider: final.provider ?? "none",
  status: final.status,
})

const count = (verdicts: ReadonlyArray<Verdict>): Effect.Effect<void> => {
  const [only] = verdicts
  if (only !== undefined && verdicts.length === 1) return Metrics.count(Metrics.deliveries, labelsOf(only))
  const alike = Map.groupBy(verdicts, ({ final, job }) => `${job.channel}|${final.provider}|${final.status}`)
  return Effect.forEach(
    alike.values(),
    (group) => {
      const [first] = group
      return first === undefined ? Effect.void : Metrics.count(Metrics.deliveries, labelsOf(first), group.length)
    },
    { discard: true },
  )
}
