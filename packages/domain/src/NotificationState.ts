/**
 * What is known of one notification and of each of its deliveries: written by `notify` alone, read by `api`
 * (`GET /v1/notifications/{id}`).
 *
 * A delivery goes one way:
 *
 *     requested → suppressed | expired | sending → sent → delivered | bounced | complained
 *                                           ↘ failed      ↘ unknown (the provider may have taken it)
 *
 * A provider's report may come before our own note of the sending, and reports come in any order, so states are merged
 * by rank: whatever says more stays.
 *
 * These documents are written several times a delivery and only by ourselves, from what was checked at the door: their
 * texts are plain, ids and times are not checked again.
 */
import { Schema } from "effect"
import { DeliveryStatus, NotificationType, WebPushSubscription } from "./events/notification.ts"

export const NotificationChannel = Schema.Literals(["fcm", "apns", "web_push", "email"])
export type NotificationChannel = typeof NotificationChannel.Type

/** Where a delivery goes; exactly what the channel's providers need. */
export const Target = Schema.Union([
  Schema.Struct({ channel: Schema.Literals(["fcm", "apns"]), token: Schema.String }),
  Schema.Struct({ channel: Schema.Literal("web_push"), subscription: WebPushSubscription }),
  Schema.Struct({ channel: Schema.Literal("email"), address: Schema.String }),
])
export type Target = typeof Target.Type

export const deliveryStatuses = [
  "requested",
  "sending",
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

/** Orders states by how much they say. */
export const statusRank = (status: Status): number => deliveryStatuses.indexOf(status)

/** One delivery, under the key `{notification id}.{channel}.{first 16 hex digits of SHA-256 of the target}`. */
export const DeliveryState = Schema.Struct({
  delivery_id: Schema.String,
  notification_id: Schema.String,
  channel: NotificationChannel,
  status: Status,
  /** Calls to a provider so far. */
  attempt: Schema.Int,
  /** While `sending`: the provider's answer is in by then, or will never be known. Epoch milliseconds. */
  lease_until: Schema.optionalKey(Schema.Finite),
  /** While `unknown` and not final: when it is sent again unless a report comes first. Epoch milliseconds. */
  resend_at: Schema.optionalKey(Schema.Finite),
  /** It is not to be sent before, as a provider or a backoff asked. Epoch milliseconds. */
  not_before: Schema.optionalKey(Schema.Finite),
  provider: Schema.optionalKey(Schema.String),
  provider_id: Schema.optionalKey(Schema.String),
  reason: Schema.optionalKey(Schema.String),
  message: Schema.optionalKey(Schema.String),
  /** A failure that another try may mend: a replay of its dead letter sends again. */
  retryable: Schema.optionalKey(Schema.Boolean),
  /** The target will never be good again; the backend is told. */
  target_invalid: Schema.optionalKey(Schema.Boolean),
  invalid_since: Schema.optionalKey(Schema.Finite),
  updated_at: Schema.String,
})
export type DeliveryState = typeof DeliveryState.Type

/**
 * The first calls for many targets of one notification, under `{notification id}.volley.{index of its first target}`. It is
 * made before the first call: a target of it without an outcome may have been sent to.
 */
export const PushBatchState = Schema.Struct({
  batch_id: Schema.String,
  outcomes: Schema.Array(
    Schema.Struct({
      /** Of the target in the notification. */
      index: Schema.Int,
      /** `requested`: another try follows with a message of its own. */
      status: Status,
      provider: Schema.String,
      provider_id: Schema.optionalKey(Schema.String),
      reason: Schema.optionalKey(Schema.String),
      target_invalid: Schema.optionalKey(Schema.Boolean),
      invalid_since: Schema.optionalKey(Schema.Finite),
      not_before: Schema.optionalKey(Schema.Finite),
      /** The call failed, and counts as a try. */
      counts_as_attempt: Schema.optionalKey(Schema.Literal(true)),
    }),
  ),
})
export type PushBatchState = typeof PushBatchState.Type

export const Attachment = Schema.Struct({
  file_path: Schema.String,
  filename: Schema.optionalKey(Schema.String),
  content_type: Schema.optionalKey(Schema.String),
})
export type Attachment = typeof Attachment.Type

/** What is to be said, made ready for every channel when the notification came in. */
export const NotificationContent = Schema.Struct({
  title: Schema.String,
  text: Schema.String,
  /** E-mail with a template only: other pages are made from the text. */
  html: Schema.optionalKey(Schema.String),
  data: Schema.Record(Schema.String, Schema.Json),
  collapse_key: Schema.optionalKey(Schema.String),
  category: Schema.optionalKey(Schema.String),
  attachments: Schema.optionalKey(Schema.Array(Attachment)),
  /** Epoch milliseconds. */
  expires_at: Schema.optionalKey(Schema.Finite),
})
export type NotificationContent = typeof NotificationContent.Type

/** As events tell it. */
export const StoredDeliverySummary = Schema.Struct({
  channel: Schema.String,
  provider: Schema.String,
  status: DeliveryStatus,
  provider_id: Schema.optionalKey(Schema.String),
  reason: Schema.optionalKey(Schema.String),
})

/** A target with what became of it so far; `summary` is set once the delivery is final. */
export const DeliveryEntry = Schema.Struct({
  delivery_id: Schema.String,
  target: Target,
  summary: Schema.optionalKey(StoredDeliverySummary),
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
  /** Why there is no delivery at all. */
  error: Schema.optionalKey(Schema.Struct({ code: Schema.String, message: Schema.String })),
  requested_at: Schema.Finite,
  /** When it became `sent` or `failed`, so that a repetition tells the same. */
  ended_at: Schema.optionalKey(Schema.String),
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
  received_at: Schema.String,
})
export type InboxMessage = typeof InboxMessage.Type
