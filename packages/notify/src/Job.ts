/** A delivery with everything one needs to know to make it, and what it looks like to a route and in events. */
import type { DeliverySummary } from "@armoricore/domain/events/notification"
import type { Channel, Content, DeliveryState, NotificationState, Planned } from "@armoricore/domain/NotificationState"
import { fromText } from "./Html.ts"
import type { Message } from "./Route.ts"
import { uuidOf } from "./Target.ts"

export interface Job {
  readonly notification: NotificationState
  readonly planned: Planned
  readonly channel: Channel
  /** Of its target in the notification. */
  readonly index: number
}

/** Undefined where the notification has no such target. */
export const of = (notification: NotificationState, index: number): Job | undefined => {
  const planned = notification.deliveries[index]
  return planned === undefined ? undefined : { notification, planned, index, channel: planned.target.channel }
}

/** What its state document says of it in every state. */
export const about = ({ channel, notification, planned }: Job) => ({
  delivery_id: planned.delivery_id,
  notification_id: notification.notification_id,
  channel,
})

/** Epoch milliseconds; never: infinite. */
export const expiresAt = ({ content }: NotificationState): number => content.expires_at ?? Infinity

export const isExpired = (notification: NotificationState, now: number): boolean => expiresAt(notification) <= now

export const messageOf = ({ notification, planned }: Job, unsubscribeUrl: string | undefined): Message => {
  const { attachments = none, collapse_key, data, expires_at, text, title } = notification.content
  const html = planned.target.channel === "email" ? htmlOf(notification.content) : undefined
  return {
    deliveryId: planned.delivery_id,
    notificationId: notification.notification_id,
    userId: notification.user_id,
    target: planned.target,
    title,
    text,
    data,
    attachments,
    uuid: uuidOf(planned.delivery_id),
    ...(html === undefined ? {} : { html }),
    ...(collapse_key === undefined ? {} : { collapseKey: collapse_key }),
    ...(expires_at === undefined ? {} : { expiresAt: expires_at }),
    ...(unsubscribeUrl === undefined ? {} : { unsubscribeUrl }),
  }
}

const none: Message["attachments"] = []

/** Of contents without a template: made once for all targets. */
const pages = new WeakMap<Content, string>()

const htmlOf = (content: Content): string => {
  const known = content.html ?? pages.get(content)
  if (known !== undefined) return known
  const made = fromText(content.title, content.text)
  pages.set(content, made)
  return made
}

/** What is final, as `Verdicts` tell it. */
export type Final = Pick<DeliveryState, "status" | "provider" | "provider_id" | "reason" | "target_dead" | "dead_since">

export const summaryOf = (channel: Channel, final: Final): DeliverySummary => ({
  channel,
  provider: final.provider ?? "none",
  // Whoever tells has a final state: requested and sending never come here.
  status: final.status === "requested" || final.status === "sending" ? "failed" : final.status,
  ...(final.provider_id === undefined ? {} : { provider_id: final.provider_id }),
  ...(final.reason === undefined ? {} : { reason: final.reason }),
})
