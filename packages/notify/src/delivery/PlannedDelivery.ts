/** A delivery with everything one needs to know to make it, and what it looks like to a route and in events. */
import type { DeliverySummary } from "@armoricore/domain/events/notification"
import type {
  NotificationChannel,
  NotificationContent,
  DeliveryState,
  NotificationState,
  DeliveryEntry,
} from "@armoricore/domain/NotificationState"
import { fromText } from "../request/Html.ts"
import type { Message } from "../provider/Provider.ts"
import { uuidOf } from "../request/Target.ts"

export interface PlannedDelivery {
  readonly notification: NotificationState
  readonly planned: DeliveryEntry
  readonly channel: NotificationChannel
  /** Of its target in the notification. */
  readonly index: number
}

/** Undefined where the notification has no such target. */
export const of = (notification: NotificationState, index: number): PlannedDelivery | undefined => {
  const planned = notification.deliveries[index]
  return planned === undefined ? undefined : { notification, planned, index, channel: planned.target.channel }
}

/** What its state document says of it in every state. */
export const identifiersOf = ({ channel, notification, planned }: PlannedDelivery) => ({
  delivery_id: planned.delivery_id,
  notification_id: notification.notification_id,
  channel,
})

/** Epoch milliseconds; never: infinite. */
export const expiresAt = ({ content }: NotificationState): number => content.expires_at ?? Infinity

export const isExpired = (notification: NotificationState, now: number): boolean => expiresAt(notification) <= now

export const messageOf = ({ notification, planned }: PlannedDelivery, unsubscribeUrl: string | undefined): Message => {
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
const renderedHtml = new WeakMap<NotificationContent, string>()

const htmlOf = (content: NotificationContent): string => {
  const known = content.html ?? renderedHtml.get(content)
  if (known !== undefined) return known
  const made = fromText(content.title, content.text)
  renderedHtml.set(content, made)
  return made
}

/** What is final, as `Verdicts` tell it. */
export type FinalState = Pick<
  DeliveryState,
  "status" | "provider" | "provider_id" | "reason" | "target_invalid" | "invalid_since"
>

export const summaryOf = (channel: NotificationChannel, final: FinalState): DeliverySummary => ({
  channel,
  provider: final.provider ?? "none",
  // Whoever tells has a final state: requested and sending never come here.
  status: final.status === "requested" || final.status === "sending" ? "failed" : final.status,
  ...(final.provider_id === undefined ? {} : { provider_id: final.provider_id }),
  ...(final.reason === undefined ? {} : { reason: final.reason }),
})
