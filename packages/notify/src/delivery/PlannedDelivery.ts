/** A delivery with all the data that it needs, and its form for a provider and for events. */
import type { DeliverySummary } from "@armoricore/domain/events/notification"
import {
  isOpenStatus,
  type NotificationChannel,
  type DeliveryState,
  type EmailContent,
  type LocalizedContent,
  type PushContent,
  type NotificationState,
  type DeliveryEntry,
} from "@armoricore/domain/NotificationState"
import { withPreheader } from "../request/EmailOptions.ts"
import { escape, fromText } from "../request/Html.ts"
import { preferencesUrlMarker } from "../request/Templates.ts"
import type { Message } from "../provider/Provider.ts"
import { uuidOf } from "../request/Target.ts"

export interface PlannedDelivery {
  readonly notification: NotificationState
  readonly planned: DeliveryEntry
  readonly channel: NotificationChannel
  /** The index of its target in the notification. */
  readonly index: number
}

/** Undefined if the notification has no target at this index. */
export const of = (notification: NotificationState, index: number): PlannedDelivery | undefined => {
  const planned = notification.deliveries[index]
  return planned === undefined ? undefined : { notification, planned, index, channel: planned.target.channel }
}

/** The fields of the state document that are the same in every status. */
export const identifiersOf = ({ channel, notification, planned }: PlannedDelivery) => ({
  delivery_id: planned.delivery_id,
  notification_id: notification.notification_id,
  channel,
})

/** Epoch milliseconds; infinite if the notification never expires. */
export const expiresAt = ({ content }: NotificationState): number => content.expires_at ?? Infinity

/** It was cancelled before it was sent. */
export const isCancelled = ({ planned }: PlannedDelivery): boolean => planned.summary?.reason === "cancelled"

/** When its sending began at the earliest, epoch milliseconds. */
export const startedAt = ({ requested_at, send_at = 0 }: NotificationState): number => Math.max(requested_at, send_at)

export const isExpired = (notification: NotificationState, now: number): boolean => expiresAt(notification) <= now

export const messageOf = (
  { index, notification, planned }: PlannedDelivery,
  links: { readonly unsubscribe?: string | undefined; readonly preferences?: string | undefined } = {},
): Message => {
  const { actor, category, collapse_key, data, expires_at, localized, push } = notification.content
  const rendered = (planned.locale === undefined ? undefined : localized?.[planned.locale]) ?? notification.content
  const { attachments = none, email, title } = rendered
  const isMail = planned.target.channel === "email"
  const { preferences = "" } = links
  const html = isMail ? htmlOf(rendered).replaceAll(preferencesUrlMarker, () => escape(preferences)) : undefined
  const text = isMail ? rendered.text.replaceAll(preferencesUrlMarker, () => preferences) : rendered.text
  return {
    deliveryId: planned.delivery_id,
    notificationId: notification.notification_id,
    userId: notification.user_id,
    ...(notification.request_id === undefined ? {} : { requestId: notification.request_id }),
    target: planned.target,
    title,
    text,
    data,
    attachments,
    uuid: uuidOf(planned.delivery_id),
    ...(category === undefined ? {} : { category }),
    ...(actor === undefined ? {} : { actor }),
    ...(html === undefined ? {} : { html }),
    ...(collapse_key === undefined ? {} : { collapseKey: collapse_key }),
    ...(expires_at === undefined ? {} : { expiresAt: expires_at }),
    ...(push === undefined ? {} : { push: pushOf(push) }),
    ...(email === undefined ? {} : { email: emailOf(email, index) }),
    ...(links.unsubscribe === undefined ? {} : { unsubscribeUrl: links.unsubscribe }),
    ...(links.preferences === undefined ? {} : { preferencesUrl: links.preferences }),
  }
}

/** `UnreadBadge` has replaced `unread` by a number. */
const pushOf = ({ badge, ...push }: PushContent): NonNullable<Message["push"]> => ({
  ...push,
  ...(typeof badge === "number" ? { badge } : {}),
})

const emailOf = (email: EmailContent, index: number): NonNullable<Message["email"]> => {
  const { bcc = [], cc = [], copies_at, from_name, reply_to = [] } = email
  const copies = copies_at === index ? { cc, bcc } : { cc: [], bcc: [] }
  return { replyTo: reply_to, ...copies, ...(from_name === undefined ? {} : { fromName: from_name }) }
}

const none: Message["attachments"] = []

/** The HTML of a content, made once for all targets. */
const renderedHtml = new WeakMap<LocalizedContent, string>()

const htmlOf = (content: LocalizedContent): string => {
  const known = renderedHtml.get(content)
  if (known !== undefined) return known
  const preheader = content.email?.preheader
  const body = content.html ?? fromText(content.title, content.text)
  const page = preheader === undefined ? body : withPreheader(body, preheader)
  renderedHtml.set(content, page)
  return page
}

/** The fields of a final state that `DeliveryResults` records. */
export type FinalState = Pick<
  DeliveryState,
  "status" | "provider" | "provider_id" | "reason" | "target_invalid" | "invalid_since" | "reopened_by"
>

export const summaryOf = (channel: NotificationChannel, final: FinalState): DeliverySummary => ({
  channel,
  provider: final.provider ?? "none",
  // A state that is not final does not occur here; the type cannot express that.
  status: isOpenStatus(final.status) ? "failed" : final.status,
  ...(final.provider_id === undefined ? {} : { provider_id: final.provider_id }),
  ...(final.reason === undefined ? {} : { reason: final.reason }),
})
