/** Payloads of `notification.*` and `device.*`. */
import { Schema } from "effect"
import { deriveId } from "../DeterministicId.ts"
import { NotificationId, UserId } from "../Ids.ts"
import { optionalNullable, Metadata, ObjectPath, PhpObject, Timestamp } from "../JsonCodecs.ts"
import { AudienceName } from "../Audience.ts"
import { Locale } from "../Localization.ts"
import { missingField } from "../SchemaErrors.ts"
import { Failure } from "./failure.ts"

/** The channel of a notification; `push` stands for FCM, APNs and Web Push. */
export const NotificationType = Schema.Literals([
  "push",
  "email",
  "in_app",
  "sms",
  "slack",
  "teams",
  "discord",
  "webhook",
])
export type NotificationType = typeof NotificationType.Type

export const WebPushSubscription = Schema.Struct({
  endpoint: Schema.String,
  keys: Schema.Struct({ p256dh: Schema.String, auth: Schema.String }),
})

export const Recipient = Schema.Union([
  Schema.Struct({ fcm_token: Schema.NonEmptyString, app: optionalNullable(Schema.NonEmptyString) }),
  /** Every device that subscribed to the topic, with or without `/topics/`. */
  Schema.Struct({ fcm_topic: Schema.NonEmptyString, app: optionalNullable(Schema.NonEmptyString) }),
  /** Every device for which it holds: `'news' in topics && !('quiet' in topics)`. */
  Schema.Struct({ fcm_condition: Schema.NonEmptyString, app: optionalNullable(Schema.NonEmptyString) }),
  Schema.Struct({ apns_token: Schema.NonEmptyString, app: optionalNullable(Schema.NonEmptyString) }),
  Schema.Struct({ web_push: WebPushSubscription }),
  Schema.Struct({ email: Schema.NonEmptyString }),
  /** A phone number with `+` and its country code. */
  Schema.Struct({ sms: Schema.NonEmptyString }),
  /** The URL of an incoming webhook. */
  Schema.Struct({ slack: Schema.NonEmptyString }),
  Schema.Struct({ teams: Schema.NonEmptyString }),
  Schema.Struct({ discord: Schema.NonEmptyString }),
  /** The URL that gets signed POSTs. */
  Schema.Struct({ webhook: Schema.NonEmptyString }),
])
export type Recipient = typeof Recipient.Type

/** An e-mail's attachment: an object of the object storage. */
export const AttachmentRequest = Schema.Struct({
  file_path: ObjectPath,
  filename: optionalNullable(Schema.String),
  content_type: optionalNullable(Schema.String),
})

/** A button of a push. */
export const PushAction = Schema.Struct({
  /** The name that the app receives. */
  action: Schema.NonEmptyString,
  title: Schema.NonEmptyString,
  icon: optionalNullable(Schema.String),
})

export const pushPriorities = ["high", "normal", "low"] as const

/** How devices present a push. `notify` maps each field to FCM, APNs and Web Push. */
export const PushOptions = Schema.Struct({
  /** The name of a sound file in the app; `true`: the default sound, `false`: none. */
  sound: optionalNullable(Schema.Union([Schema.NonEmptyString, Schema.Boolean])),
  /** The number on the app's icon; 0 removes it. `unread`: the number of unread items in the user's inbox. */
  badge: optionalNullable(
    Schema.Union([
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000_000 })),
      Schema.Literal("unread"),
    ]),
  ),
  /** The URL of a picture. */
  image: optionalNullable(
    Schema.String.check(
      Schema.isPattern(/^https?:\/\/[^\s\p{Cc}]{1,2000}$/u, { expected: "an https URL of at most 2,000 characters" }),
    ),
  ),
  /** The category of APNs, and the channel of Android. */
  category: optionalNullable(Schema.NonEmptyString.check(Schema.isMaxLength(200))),
  /** Devices group pushes with the same id. */
  thread_id: optionalNullable(Schema.NonEmptyString.check(Schema.isMaxLength(200))),
  priority: optionalNullable(Schema.Literals(pushPriorities)),
  /** Wakes the app in the background and shows nothing. */
  silent: optionalNullable(Schema.Boolean),
  actions: optionalNullable(Schema.Array(PushAction).check(Schema.isMaxLength(10))),
  /** As `collapse_key` of the request; this one wins. */
  collapse_key: optionalNullable(Schema.String),
})

const AddressList = Schema.Union([Schema.String, Schema.Array(Schema.String)])

export const EmailOptions = Schema.Struct({
  reply_to: optionalNullable(AddressList),
  /** Copies go out with the mail to the first recipient. */
  cc: optionalNullable(AddressList),
  bcc: optionalNullable(AddressList),
  /** The display name of the sender; its address is always `MAIL_FROM`. */
  from_name: optionalNullable(Schema.String),
  /** The preview text that mailboxes show next to the title. */
  preheader: optionalNullable(Schema.String),
})

export const Category = Schema.String.check(
  Schema.isPattern(/^[a-z0-9_-]{1,64}$/u, { expected: "a name of 1 to 64 characters of a-z 0-9 _ -" }),
)

/** The name of a file of `NOTIFY_WORKFLOWS`. */
export const WorkflowName = Schema.String.check(
  Schema.isPattern(/^[A-Za-z0-9_-]{1,64}$/u, { expected: "a name of 1 to 64 characters of A-Z a-z 0-9 _ -" }),
)

interface RequestedFields {
  readonly workflow?: string
  readonly notification_type?: string
  readonly title?: string
  readonly body?: string
  readonly template?: string
}

export const NotificationRequested = Schema.Struct({
  user_id: UserId,
  /** Optional with a workflow, whose steps have types. The texts are optional with a workflow or a template. */
  notification_type: optionalNullable(NotificationType),
  title: optionalNullable(Schema.String),
  body: optionalNullable(Schema.String),
  /** Every member of this audience gets the notification; `user_id` is the user who sends it. */
  audience: optionalNullable(AudienceName),
  /** A workflow of `NOTIFY_WORKFLOWS`, which sends its steps. */
  workflow: optionalNullable(WorkflowName),
  data: optionalNullable(Metadata),
  /**
   * Without recipients: `data.email`, `data.phone`; `data.device_token` with `data.platform` `ios` for APNs, else FCM. Without
   * these: the user's registered devices or address.
   */
  recipients: optionalNullable(Schema.Array(Recipient)),
  idempotency_key: optionalNullable(Schema.String),
  expires_at: optionalNullable(Timestamp),
  collapse_key: optionalNullable(Schema.String),
  /** Push only. */
  push: optionalNullable(PhpObject(PushOptions)),
  /** E-mail only. */
  email: optionalNullable(PhpObject(EmailOptions)),
  template: optionalNullable(Schema.String),
  context: optionalNullable(PhpObject(Schema.Record(Schema.String, Schema.Json))),
  /** The language of the reader, for the template. */
  locale: optionalNullable(Locale),
  /** E-mail only. */
  attachments: optionalNullable(Schema.Array(AttachmentRequest)),
  /** The kind of notification, for example `newsletter`. Mail with a category has an unsubscribe link. */
  category: optionalNullable(Category),
  /** Not sent before this time. */
  send_at: optionalNullable(Timestamp),
  /** Only the user's registered devices of this app. */
  app: optionalNullable(Schema.NonEmptyString),
  /** The user whose action led to the notification; in-app items show it. */
  actor: optionalNullable(UserId),
}).check(
  Schema.makeFilter((payload: RequestedFields) => {
    if (payload.workflow !== undefined) return undefined
    const texts = payload.template === undefined ? (["title", "body"] as const) : []
    const missing = (["notification_type", ...texts] as const).find((field) => payload[field] === undefined)
    return missing === undefined ? undefined : { path: [missing], issue: missingField }
  }),
)

/** Forms and databases send an empty key for a missing one; it must not make all requests duplicates. */
export const isNonEmptyKey = (key: string | undefined): key is string => key !== undefined && key !== ""

interface NotificationRequest {
  readonly event_id: string
  readonly source: string
  readonly payload: { readonly idempotency_key?: string | undefined }
}

/** The id derives from the publisher's idempotency key if given, so a second request finds the first. */
export const notificationIdOf = ({ event_id, payload, source }: NotificationRequest): string =>
  isNonEmptyKey(payload.idempotency_key) ? deriveId("notification", source, payload.idempotency_key) : event_id

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
  /** `fcm`, `apns`, `web_push`, `email`, `in_app`, `sms`, `slack`, `teams`, `discord`, `webhook`. */
  channel: Schema.String,
  provider: Schema.String,
  status: DeliveryStatus,
  provider_id: optionalNullable(Schema.String),
  reason: optionalNullable(Schema.String),
})
export type DeliverySummary = typeof DeliverySummary.Type

const commonFields = { user_id: UserId, notification_id: NotificationId, notification_type: NotificationType }

export const NotificationSent = Schema.Struct({
  ...commonFields,
  sent_at: Timestamp,
  deliveries: Schema.Array(DeliverySummary),
})

export const NotificationFailed = Schema.Struct({
  ...commonFields,
  error: Failure,
  failed_at: Timestamp,
  deliveries: Schema.Array(DeliverySummary),
})

export const NotificationDelivered = Schema.Struct({
  ...commonFields,
  delivered_at: Timestamp,
  deliveries: Schema.Array(DeliverySummary),
})

export const NotificationBounced = Schema.Struct({
  ...commonFields,
  bounced_at: Timestamp,
  deliveries: Schema.Array(DeliverySummary),
})

export const DeviceTokenInvalid = Schema.Struct({
  user_id: UserId,
  platform: Schema.String,
  /** SHA-256 of the token, lower-case hex; the token itself is not published. */
  token_hash: Schema.String,
  reason: Schema.String,
  /** If the provider reports it; a token that was registered later is valid. */
  invalid_since: optionalNullable(Timestamp),
})

/** How far the request to an audience is. */
export const NotificationProgress = Schema.Struct({
  /** The request. */
  notification_id: NotificationId,
  audience: AudienceName,
  status: Schema.Literals(["running", "done", "cancelled"]),
  /** Members that were notified so far. */
  members: Schema.Int,
  percent: Schema.Int,
})

interface CancelledFields {
  readonly notification_id?: string
  readonly idempotency_key?: string
  readonly workflow?: string
  readonly user_id?: string
  readonly context?: object
}

/**
 * Cancels what was not sent yet: by the id of the notification, by the idempotency key of its request, or every run of a workflow
 * for a user that began before.
 */
export const NotificationCancelled = Schema.Struct({
  notification_id: optionalNullable(NotificationId),
  idempotency_key: optionalNullable(Schema.NonEmptyString),
  workflow: optionalNullable(WorkflowName),
  /** Of the runs of `workflow`. */
  user_id: optionalNullable(UserId),
  /** Only runs of `workflow` whose `context` or `data` has these values; a name may be a path such as `order.id`. */
  context: optionalNullable(PhpObject(Schema.Record(Schema.String, Schema.Json))),
}).check(
  Schema.makeFilter(({ context, idempotency_key, notification_id, user_id, workflow }: CancelledFields) => {
    if ([notification_id, idempotency_key, workflow].filter((one) => one !== undefined).length !== 1)
      return {
        path: ["notification_id"],
        issue: "set one of notification_id, idempotency_key, and workflow with user_id",
      }
    if (workflow !== undefined) return user_id === undefined ? { path: ["user_id"], issue: missingField } : undefined
    if (user_id !== undefined) return { path: ["user_id"], issue: "belongs to workflow: set workflow too" }
    return context === undefined ? undefined : { path: ["context"], issue: "belongs to workflow: set workflow too" }
  }),
)

/** A notification for the in-app inbox of its user. */
export const InboxItemCreated = Schema.Struct({
  user_id: UserId,
  notification_id: NotificationId,
  /** A repetition has the same id. */
  item_id: Schema.String,
  title: Schema.String,
  body: Schema.String,
  data: optionalNullable(Metadata),
  category: optionalNullable(Category),
  actor: optionalNullable(UserId),
  created_at: Timestamp,
})

/** An earlier `device.token_invalid` was wrong: the provider refused every token because of our settings. */
export const DeviceTokenRestored = Schema.Struct({
  user_id: UserId,
  platform: Schema.String,
  /** As in `device.token_invalid`. */
  token_hash: Schema.String,
})
