/** The kinds of notify's internal work, each a queue of its own, and the messages that others put on them. */
import { NotificationChannel } from "@armoricore/domain/NotificationState"
import { enqueue, type ResultMessage } from "@armoricore/worker/ResultMessage"
import type { PlannedDelivery } from "./delivery/PlannedDelivery.ts"

export const fanOut = "fan-out"
export const recordFailure = "settle"
export const report = "report"

/** Consumer names know no underscore. */
const kebabCase = (channel: NotificationChannel): string => channel.replaceAll("_", "-")

/** Single deliveries of a channel. */
export const deliveries = (channel: NotificationChannel): string => `deliver-${kebabCase(channel)}`

/** First tries for many targets; e-mails have none. */
export const pushBatches = (channel: NotificationChannel): string => `volley-${kebabCase(channel)}`
export const batchedChannels: ReadonlyArray<NotificationChannel> = ["fcm", "apns", "web_push"]

/** So that `armoricore setup` can make the queues. */
export const all: ReadonlyArray<string> = [
  ...NotificationChannel.literals.map(deliveries),
  ...batchedChannels.map(pushBatches),
  fanOut,
  recordFailure,
  report,
]

/** The work message of one delivery; `tried`: failed tries before it. */
export const delivery = (
  { channel, index, notification, planned }: PlannedDelivery,
  prior_attempts = 0,
): ResultMessage =>
  enqueue(deliveries(channel), planned.delivery_id, {
    notification_id: notification.notification_id,
    index,
    ...(prior_attempts === 0 ? {} : { prior_attempts }),
  })

/** The work message of first tries for targets of one channel. */
export const pushBatch = (channel: NotificationChannel, batch: ReadonlyArray<PlannedDelivery>): ResultMessage => {
  const [first] = batch
  return enqueue(pushBatches(channel), `${first?.index}`, {
    notification_id: first?.notification.notification_id,
    indexes: batch.map(({ index }) => index),
  })
}
