/**
 * The state of one notification and of its deliveries. Only `notify` writes it; `api` (`GET /v1/notifications/{id}`) reads
 * it.
 *
 * The states of a delivery:
 *
 *     requested → suppressed | expired | sending → sent → delivered | bounced | complained
 *                                         ⇅  ↘ failed   ↘ unknown (the provider may have accepted it)
 *                                      deferred (a mail server asks to try again later)
 *
 * A provider's report may arrive before `sent` is stored, and reports arrive in any order. States are merged by rank: the
 * higher rank wins.
 *
 * These documents are written several times per delivery and only from validated events. Their schemas use plain strings,
 * so that ids and times are not validated again.
 */
import { Schema } from "effect"
import { DeliveryStatus, NotificationType, pushPriorities, WebPushSubscription } from "./events/notification.ts"

export const chatChannels = ["slack", "teams", "discord", "webhook"] as const
export const NotificationChannel = Schema.Literals([
  "fcm",
  "apns",
  "web_push",
  "email",
  "in_app",
  "sms",
  ...chatChannels,
])
export type NotificationChannel = typeof NotificationChannel.Type

/** The target of a delivery, with what the channel's providers need. */
export const Target = Schema.Union([
  Schema.Struct({
    channel: Schema.Literals(["fcm", "apns"]),
    token: Schema.String,
    /** One of several apps. */
    app: Schema.optionalKey(Schema.String),
  }),
  /** Devices that FCM chooses. */
  Schema.Struct({ channel: Schema.Literal("fcm"), topic: Schema.String, app: Schema.optionalKey(Schema.String) }),
  Schema.Struct({ channel: Schema.Literal("fcm"), condition: Schema.String, app: Schema.optionalKey(Schema.String) }),
  Schema.Struct({ channel: Schema.Literal("web_push"), subscription: WebPushSubscription }),
  Schema.Struct({ channel: Schema.Literal("email"), address: Schema.String }),
  Schema.Struct({ channel: Schema.Literal("in_app"), user_id: Schema.String }),
  Schema.Struct({ channel: Schema.Literal("sms"), number: Schema.String }),
  Schema.Struct({ channel: Schema.Literals(chatChannels), url: Schema.String }),
])
export type Target = typeof Target.Type

export const deliveryStatuses = [
  "requested",
  "sending",
  "deferred",
  "unknown",
  "expired",
  "suppressed",
  "failed",
  "sent",
  "delivered",
  "bounced",
  "complained",
] as const
export const Status = Schema.Literals(deliveryStatuses)
export type Status = typeof Status.Type

/** Orders states; see the module comment. */
export const statusRank = (status: Status): number => deliveryStatuses.indexOf(status)

/** The delivery is in progress. */
export const isOpenStatus = (status: Status): status is "requested" | "sending" | "deferred" =>
  status === "requested" || status === "sending" || status === "deferred"

const sentStatuses: ReadonlySet<string> = new Set(["sent", "delivered", "bounced", "complained"])
/** The provider accepted the message; later reports do not change that. */
export const isSentStatus = (status: string): boolean => sentStatuses.has(status)

/** One delivery, under the key `{notification id}.{channel}.{32 hex digits of a MAC of the target}`. */
export const DeliveryState = Schema.Struct({
  delivery_id: Schema.String,
  notification_id: Schema.String,
  channel: NotificationChannel,
  status: Status,
  /** Provider calls so far. */
  attempt: Schema.Int,
  /** While `sending`: when the call counts as lost, epoch milliseconds. */
  lease_until: Schema.optionalKey(Schema.Finite),
  /** While `unknown` and not final: when it is resent unless a report arrives, epoch milliseconds. */
  resend_at: Schema.optionalKey(Schema.Finite),
  /** Earliest time of the next call, from Retry-After, backoff or deferral, epoch milliseconds. */
  not_before: Schema.optionalKey(Schema.Finite),
  /** How often a mail server deferred it. */
  deferrals: Schema.optionalKey(Schema.Int),
  /** The id of the run of refusals that was reversed for this delivery, so that it was opened again. */
  reopened_by: Schema.optionalKey(Schema.String),
  provider: Schema.optionalKey(Schema.String),
  provider_id: Schema.optionalKey(Schema.String),
  reason: Schema.optionalKey(Schema.String),
  message: Schema.optionalKey(Schema.String),
  /** A retry may succeed, so a replay of the dead letter sends again. */
  retryable: Schema.optionalKey(Schema.Boolean),
  /** The target is permanently invalid; `device.token_invalid` is published. */
  target_invalid: Schema.optionalKey(Schema.Boolean),
  invalid_since: Schema.optionalKey(Schema.Finite),
  updated_at: Schema.String,
})
export type DeliveryState = typeof DeliveryState.Type

/**
 * The first calls for many targets of one notification, under `{notification id}.batch.{index of its first target}`. It is
 * stored before the first call, so a target without an outcome may have received the push.
 */
export const PushBatchState = Schema.Struct({
  batch_id: Schema.String,
  outcomes: Schema.Array(
    Schema.Struct({
      /** Index of the target in the notification. */
      index: Schema.Int,
      /** `requested`: a separate work message retries the target. */
      status: Status,
      provider: Schema.String,
      provider_id: Schema.optionalKey(Schema.String),
      reason: Schema.optionalKey(Schema.String),
      target_invalid: Schema.optionalKey(Schema.Boolean),
      invalid_since: Schema.optionalKey(Schema.Finite),
      not_before: Schema.optionalKey(Schema.Finite),
      /** The call failed, and counts as an attempt. */
      counts_as_attempt: Schema.optionalKey(Schema.Literal(true)),
    }),
  ),
})
export type PushBatchState = typeof PushBatchState.Type

export const Attachment = Schema.Struct({
  file_path: Schema.String,
  filename: Schema.optionalKey(Schema.String),
  content_type: Schema.optionalKey(Schema.String),
  /** An image that the HTML shows as `cid:…`. */
  content_id: Schema.optionalKey(Schema.String),
})
export type Attachment = typeof Attachment.Type

/** As in the request; see `events/notification.ts`. */
export const PushContent = Schema.Struct({
  sound: Schema.optionalKey(Schema.Union([Schema.String, Schema.Boolean])),
  badge: Schema.optionalKey(Schema.Union([Schema.Finite, Schema.Literal("unread")])),
  image: Schema.optionalKey(Schema.String),
  category: Schema.optionalKey(Schema.String),
  thread_id: Schema.optionalKey(Schema.String),
  priority: Schema.optionalKey(Schema.Literals(pushPriorities)),
  silent: Schema.optionalKey(Schema.Boolean),
  actions: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({ action: Schema.String, title: Schema.String, icon: Schema.optionalKey(Schema.String) }),
    ),
  ),
})
export type PushContent = typeof PushContent.Type

export const EmailContent = Schema.Struct({
  reply_to: Schema.optionalKey(Schema.Array(Schema.String)),
  cc: Schema.optionalKey(Schema.Array(Schema.String)),
  bcc: Schema.optionalKey(Schema.Array(Schema.String)),
  from_name: Schema.optionalKey(Schema.String),
  preheader: Schema.optionalKey(Schema.String),
  /** The index of the delivery with which the copies go out. */
  copies_at: Schema.optionalKey(Schema.Int),
})
export type EmailContent = typeof EmailContent.Type

/** The rendered texts of one language. */
const renderedFields = {
  title: Schema.String,
  text: Schema.String,
  /** Only for e-mail with a template; without it the HTML part is generated from the text. */
  html: Schema.optionalKey(Schema.String),
  email: Schema.optionalKey(EmailContent),
  attachments: Schema.optionalKey(Schema.Array(Attachment)),
}
export const LocalizedContent = Schema.Struct(renderedFields)
export type LocalizedContent = typeof LocalizedContent.Type

/** The content for every channel, rendered when the request was received. */
export const NotificationContent = Schema.Struct({
  ...renderedFields,
  data: Schema.Record(Schema.String, Schema.Json),
  collapse_key: Schema.optionalKey(Schema.String),
  push: Schema.optionalKey(PushContent),
  category: Schema.optionalKey(Schema.String),
  actor: Schema.optionalKey(Schema.String),
  /** The content for deliveries in other languages, by their `locale`. */
  localized: Schema.optionalKey(Schema.Record(Schema.String, LocalizedContent)),
  /** Epoch milliseconds. */
  expires_at: Schema.optionalKey(Schema.Finite),
})
export type NotificationContent = typeof NotificationContent.Type

/** The form in events. */
export const StoredDeliverySummary = Schema.Struct({
  channel: Schema.String,
  provider: Schema.String,
  status: DeliveryStatus,
  provider_id: Schema.optionalKey(Schema.String),
  reason: Schema.optionalKey(Schema.String),
})

/**
 * The first call for the only push of a notification, stored when the notification is created. Until `summary` is set,
 * the provider may have accepted the push. A delivery of its own exists only after a first call without a final result.
 */
export const FirstCall = Schema.Struct({
  provider: Schema.String,
  /** When the call counts as lost, epoch milliseconds. */
  lease_until: Schema.Finite,
})
export type FirstCall = typeof FirstCall.Type

/** A target; `summary` is set once its delivery is final. */
export const DeliveryEntry = Schema.Struct({
  delivery_id: Schema.String,
  target: Target,
  /** Its content is that of this language in `localized`. */
  locale: Schema.optionalKey(Schema.String),
  first_call: Schema.optionalKey(FirstCall),
  summary: Schema.optionalKey(StoredDeliverySummary),
  /** As in the delivery, so that `device.token_invalid` can be created again from this document alone. */
  target_invalid: Schema.optionalKey(Schema.Boolean),
  invalid_since: Schema.optionalKey(Schema.Finite),
})
export type DeliveryEntry = typeof DeliveryEntry.Type

export const NotificationState = Schema.Struct({
  notification_id: Schema.String,
  user_id: Schema.String,
  notification_type: NotificationType,
  /** `sent` if any delivery was, else `failed`; `pending` until all are final. */
  status: Schema.Literals(["pending", "sent", "failed"]),
  /** The `notification.requested` event. */
  source_event_id: Schema.String,
  request_id: Schema.optionalKey(Schema.String),
  content: NotificationContent,
  deliveries: Schema.Array(DeliveryEntry),
  /** Why the notification has no delivery. */
  error: Schema.optionalKey(Schema.Struct({ code: Schema.String, message: Schema.String })),
  requested_at: Schema.Finite,
  /** Not sent before, epoch milliseconds: `send_at` of the request, or the end of the user's quiet hours. */
  send_at: Schema.optionalKey(Schema.Finite),
  /** When it became `sent` or `failed`, so that a repeated event is identical. */
  ended_at: Schema.optionalKey(Schema.String),
  /** The provider's report that made it `sent` or `failed`, as `{delivery id}.{status}`; absent: a delivery's own end. */
  ended_by_report: Schema.optionalKey(Schema.String),
  updated_at: Schema.String,
})
export type NotificationState = typeof NotificationState.Type

/** An e-mail in the local mailbox of an installation without an e-mail provider, or a push on the demo page. */
export const InboxMessage = Schema.Struct({
  message_id: Schema.String,
  user_id: Schema.String,
  notification_id: Schema.String,
  channel: NotificationChannel,
  to: Schema.String,
  title: Schema.String,
  text: Schema.String,
  html: Schema.optionalKey(Schema.String),
  data: Schema.Record(Schema.String, Schema.Json),
  attachments: Schema.Array(Schema.String),
  unsubscribe_url: Schema.optionalKey(Schema.String),
  preferences_url: Schema.optionalKey(Schema.String),
  received_at: Schema.String,
})
export type InboxMessage = typeof InboxMessage.Type
