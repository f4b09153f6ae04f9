/** Payloads of `notification.*` and `device.*`. */
import { Schema } from "effect"
import { derivedId } from "../Causation.ts"
import { NotificationId, UserId } from "../Ids.ts"
import { Maybe, Metadata, ObjectPath, PhpObject, Timestamp } from "../Wire.ts"
import { Failure } from "./failure.ts"

export const NotificationType = Schema.Literals(["push", "email"])

export const WebPushSubscription = Schema.Struct({
  endpoint: Schema.String,
  keys: Schema.Struct({ p256dh: Schema.String, auth: Schema.String }),
})

export const Recipient = Schema.Union([
  Schema.Struct({ fcm_token: Schema.NonEmptyString }),
  Schema.Struct({ apns_token: Schema.NonEmptyString }),
  Schema.Struct({ web_push: WebPushSubscription }),
  Schema.Struct({ email: Schema.NonEmptyString }),
])
export type Recipient = typeof Recipient.Type

/** An e-mail's attachment: an object of the object storage. */
export const AttachmentRequest = Schema.Struct({
  file_path: ObjectPath,
  filename: Maybe(Schema.String),
  content_type: Maybe(Schema.String),
})

export const NotificationRequested = Schema.Struct({
  user_id: UserId,
  notification_type: NotificationType,
  title: Schema.String,
  body: Schema.String,
  data: Maybe(Metadata),
  /** Without recipients: `data.email`; `data.device_token` with `data.platform` `ios` for APNs, else FCM. */
  recipients: Maybe(Schema.Array(Recipient)),
  idempotency_key: Maybe(Schema.String),
  expires_at: Maybe(Timestamp),
  collapse_key: Maybe(Schema.String),
  template: Maybe(Schema.String),
  context: Maybe(PhpObject(Schema.Record(Schema.String, Schema.Json))),
  /** E-mail only. */
  attachments: Maybe(Schema.Array(AttachmentRequest)),
  /** E-mail only: what a reader can unsubscribe from, for example `newsletter`; without it no unsubscribe link. */
  category: Maybe(Schema.String.check(Schema.isPattern(/^[a-z0-9_-]{1,64}$/u))),
})

/** An empty key is what a form or a database has where none was given: it must not make all requests one. */
export const isGiven = (key: string | undefined): key is string => key !== undefined && key !== ""

interface Request {
  readonly event_id: string
  readonly source: string
  readonly payload: { readonly idempotency_key?: string | undefined }
}

/** The publisher's key names the notification where there is one, so that a second request finds the first. */
export const notificationIdOf = ({ event_id, payload, source }: Request): string =>
  isGiven(payload.idempotency_key) ? derivedId("notification", source, payload.idempotency_key) : event_id

export const DeliveryStatus = Schema.Literals([
  "sent",
  "failed",
  "unknown",
  "suppressed",
  "expired",
  "delivered",
  "bounced",
  "complained",
])

export const DeliverySummary = Schema.Struct({
  /** `fcm`, `apns`, `web_push`, `email`, `inbox`. */
  channel: Schema.String,
  provider: Schema.String,
  status: DeliveryStatus,
  provider_id: Maybe(Schema.String),
  reason: Maybe(Schema.String),
})
export type DeliverySummary = typeof DeliverySummary.Type

const about = { user_id: UserId, notification_id: NotificationId, notification_type: NotificationType }

export const NotificationSent = Schema.Struct({
  ...about,
  sent_at: Timestamp,
  deliveries: Schema.Array(DeliverySummary),
})

export const NotificationFailed = Schema.Struct({
  ...about,
  error: Failure,
  failed_at: Timestamp,
  deliveries: Schema.Array(DeliverySummary),
})

export const NotificationDelivered = Schema.Struct({
  ...about,
  delivered_at: Timestamp,
  deliveries: Schema.Array(DeliverySummary),
})

export const NotificationBounced = Schema.Struct({
  ...about,
  bounced_at: Timestamp,
  deliveries: Schema.Array(DeliverySummary),
})

export const DeviceTokenInvalid = Schema.Struct({
  user_id: UserId,
  platform: Schema.String,
  /** SHA-256 of the token, lower-case hex: the token itself stays out of the bus. */
  token_hash: Schema.String,
  reason: Schema.String,
  /** Where the provider says it: a token that was registered later is a new one. */
  invalid_since: Maybe(Timestamp),
})
