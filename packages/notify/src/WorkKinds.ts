/** The kinds of notify's internal work, each a queue of its own, and the messages that others put on them. */
import { Channel } from "@armoricore/domain/NotificationState"
import { enqueue, type Outcome } from "@armoricore/worker/Outcome"
import type { Job } from "./Job.ts"

export const fanOut = "fan-out"
export const settle = "settle"
export const report = "report"

/** Consumer names know no underscore. */
const named = (channel: Channel): string => channel.replaceAll("_", "-")

/** Single deliveries of a channel. */
export const deliveries = (channel: Channel): string => `deliver-${named(channel)}`

/** First tries for many targets; e-mails have none. */
export const volleys = (channel: Channel): string => `volley-${named(channel)}`
export const volleyChannels: ReadonlyArray<Channel> = ["fcm", "apns", "web_push"]

/** So that `armoricore setup` can make the queues. */
export const all: ReadonlyArray<string> = [
  ...Channel.literals.map(deliveries),
  ...volleyChannels.map(volleys),
  fanOut,
  settle,
  report,
]

/** The work message of one delivery; `tried`: failed tries before it. */
export const delivery = ({ channel, index, notification, planned }: Job, tried = 0): Outcome =>
  enqueue(deliveries(channel), planned.delivery_id, {
    notification_id: notification.notification_id,
    index,
    ...(tried === 0 ? {} : { tried }),
  })

/** The work message of first tries for targets of one channel. */
export const volley = (channel: Channel, jobs: ReadonlyArray<Job>): Outcome => {
  const [first] = jobs
  return enqueue(volleys(channel), `${first?.index}`, {
    notification_id: first?.notification.notification_id,
    indexes: jobs.map(({ index }) => index),
  })
}
