/** The kinds of notify's internal work. Each has its own queue. */
import { notificationCommandKind } from "@armoricore/domain/NotificationCommand"
import { NotificationChannel } from "@armoricore/domain/NotificationState"
import { enqueue, type ResultMessage } from "@armoricore/worker/ResultMessage"
import type { PlannedDelivery } from "./delivery/PlannedDelivery.ts"

export const fanOut = "fan-out"
/** Stored queues have this name; nodes of two versions share them during an upgrade. */
export const recordFailure = "settle"
export const report = "report"
/** One instruction of a workflow's run. */
export const workflowStep = "workflow-step"
/** The next members of an audience, each an ordinary notification. Nodes of two versions share the queue during an upgrade. */
export const audienceChunk = "audience-chunk"
/** A chunk of the members of an audience. */
export const audienceMembers = "audience-members"
/** Notifications that are due: after `send_at` or quiet hours. */
export const release = "release"
/** Refusals that counted and turned out to be our own fault. */
export const reversal = "refusal-reversal"

/** Consumer names may not contain underscores. */
const kebabCase = (channel: NotificationChannel): string => channel.replaceAll("_", "-")

/** Single deliveries of a channel. */
export const deliveries = (channel: NotificationChannel): string => `deliver-${kebabCase(channel)}`

/** First attempts for many targets; e-mail has no batches. */
export const pushBatches = (channel: NotificationChannel): string => `push-batch-${kebabCase(channel)}`
export const batchedChannels: ReadonlyArray<NotificationChannel> = ["fcm", "apns", "web_push"]

/** For `armoricore setup`, which creates the queues. */
export const all: ReadonlyArray<string> = [
  ...NotificationChannel.literals.map(deliveries),
  ...batchedChannels.map(pushBatches),
  fanOut,
  recordFailure,
  report,
  release,
  workflowStep,
  audienceChunk,
  audienceMembers,
  reversal,
  notificationCommandKind,
]

/** The work message of one delivery; `prior_attempts` are the failed attempts before it. */
export const delivery = (
  { channel, index, notification, planned }: PlannedDelivery,
  prior_attempts = 0,
): ResultMessage =>
  enqueue(deliveries(channel), planned.delivery_id, {
    notification_id: notification.notification_id,
    index,
    ...(prior_attempts === 0 ? {} : { prior_attempts }),
  })

/** The work message of first attempts for targets of one channel. */
export const pushBatch = (channel: NotificationChannel, batch: ReadonlyArray<PlannedDelivery>): ResultMessage => {
  const [first] = batch
  return enqueue(pushBatches(channel), `${first?.index}`, {
    notification_id: first?.notification.notification_id,
    indexes: batch.map(({ index }) => index),
  })
}
