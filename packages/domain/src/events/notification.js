/** Payloads of `notification.*` and `device.*`. */
import { Schema } from "effect";
import { deriveId } from "../DeterministicId.ts";
import { NotificationId, UserId } from "../Ids.ts";
import { optionalNullable, Metadata, ObjectPath, PhpObject, Timestamp } from "../JsonCodecs.ts";
import { AudienceName } from "../Audience.ts";
import { Locale } from "../Localization.ts";
import { missingField } from "../SchemaErrors.ts";
import { Failure } from "./failure.ts";
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
]);
export const WebPushSubscription = Schema.Struct({
    endpoint: Schema.String,
    keys: Schema.Struct({ p256dh: Schema.String, auth: Schema.String }),
});
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
]);
/** An e-mail's attachment: an object of the object storage. */
export const AttachmentRequest = Schema.Struct({
    file_path: ObjectPath,
    filename: optionalNullable(Schema.String),
    content_type: optionalNullable(Schema.String),
});
/** A button of a push. */
export const PushAction = Schema.Struct({
    /** The name that the app receives. */
    action: Schema.NonEmptyString,
    title: Schema.NonEmptyString,
    icon: optionalNullable(Schema.String),
});
export const pushPriorities = ["high", "normal", "low"];
/** How devices present a push. `notify` maps each field to FCM, APNs and Web Push. */
export const PushOptions = Schema.Struct({
    /** The name of a sound file in the app; `true`: the default sound, `false`: none. */
    sound: optionalNullable(Schema.Union([Schema.NonEmptyString, Schema.Boolean])),
    /** The number on the app's icon; 0 removes it. `unread`: the number of unread items in the user's inbox. */
    badge: optionalNullable(Schema.Union([
        Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000_000 })),
        Schema.Literal("unread"),
    ])),
    /** The URL of a picture. */
    image: optionalNullable(Schema.String.check(Schema.isPattern(/^https?:\/\/[^\s\p{Cc}]{1,2000}$/u, { expected: "an https URL of at most 2,000 characters" }))),
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
});
const AddressList = Schema.Union([Schema.String, Schema.Array(Schema.String)]);
export const EmailOptions = Schema.Struct({
    reply_to: optionalNullable(AddressList),
    /** Copies go out with the mail to the first recipient. */
    cc: optionalNullable(AddressList),
    bcc: optionalNullable(AddressList),
    /** The display name of the sender; its address is always `MAIL_FROM`. */
    from_name: optionalNullable(Schema.String),
    /** The preview text that mailboxes show next to the title. */
    preheader: optionalNullable(Schema.String),
});
export const Category = Schema.String.check(Schema.isPattern(/^[a-z0-9_-]{1,64}$/u));
export const NotificationRequested = Schema.Struct({
    user_id: UserId,
    /** With a workflow, whose steps have types, optional like the texts. */
    notification_type: optionalNullable(NotificationType),
    title: optionalNullable(Schema.String),
    body: optionalNullable(Schema.String),
    /** Every member of this audience gets the notification; `user_id` is the user who sends it. */
    audience: optionalNullable(AudienceName),
    /** A workflow of `NOTIFY_WORKFLOWS`, which sends its steps. */
    workflow: optionalNullable(Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{1,64}$/u))),
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
}).check(Schema.makeFilter((payload) => {
    if (payload.workflow !== undefined)
        return undefined;
    const missing = ["notification_type", "title", "body"].find((field) => payload[field] === undefined);
    return missing === undefined ? undefined : { path: [missing], issue: missingField };
}));
/** Forms and databases send an empty key for a missing one; it must not make all requests duplicates. */
export const isNonEmptyKey = (key) => key !== undefined && key !== "";
/** The id derives from the publisher's idempotency key if given, so a second request finds the first. */
export const notificationIdOf = ({ event_id, payload, source }) => isNonEmptyKey(payload.idempotency_key) ? deriveId("notification", source, payload.idempotency_key) : event_id;
export const DeliveryStatus = Schema.Literals([
    "sent",
    "failed",
    "unknown",
    "suppressed",
    "expired",
    "delivered",
    "bounced",
    "complained",
]);
export const DeliverySummary = Schema.Struct({
    /** `fcm`, `apns`, `web_push`, `email`, `in_app`, `sms`, `slack`, `teams`, `discord`, `webhook`. */
    channel: Schema.String,
    provider: Schema.String,
    status: DeliveryStatus,
    provider_id: optionalNullable(Schema.String),
    reason: optionalNullable(Schema.String),
});
const commonFields = { user_id: UserId, notification_id: NotificationId, notification_type: NotificationType };
export const NotificationSent = Schema.Struct({
    ...commonFields,
    sent_at: Timestamp,
    deliveries: Schema.Array(DeliverySummary),
});
export const NotificationFailed = Schema.Struct({
    ...commonFields,
    error: Failure,
    failed_at: Timestamp,
    deliveries: Schema.Array(DeliverySummary),
});
export const NotificationDelivered = Schema.Struct({
    ...commonFields,
    delivered_at: Timestamp,
    deliveries: Schema.Array(DeliverySummary),
});
export const NotificationBounced = Schema.Struct({
    ...commonFields,
    bounced_at: Timestamp,
    deliveries: Schema.Array(DeliverySummary),
});
export const DeviceTokenInvalid = Schema.Struct({
    user_id: UserId,
    platform: Schema.String,
    /** SHA-256 of the token, lower-case hex; the token itself is not published. */
    token_hash: Schema.String,
    reason: Schema.String,
    /** If the provider reports it; a token that was registered later is valid. */
    invalid_since: optionalNullable(Timestamp),
});
/** How far the request to an audience is. */
export const NotificationProgress = Schema.Struct({
    /** The request. */
    notification_id: NotificationId,
    audience: AudienceName,
    status: Schema.Literals(["running", "done", "cancelled"]),
    /** Members that were notified so far. */
    members: Schema.Int,
    percent: Schema.Int,
});
/** Cancels what was not sent yet: by the id of the notification, or by the idempotency key of its request. */
export const NotificationCancelled = Schema.Struct({
    notification_id: optionalNullable(NotificationId),
    idempotency_key: optionalNullable(Schema.NonEmptyString),
}).check(Schema.makeFilter((payload) => (payload.notification_id === undefined) === (payload.idempotency_key === undefined)
    ? { path: ["notification_id"], issue: "set either notification_id or idempotency_key" }
    : undefined));
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
});
/** An earlier `device.token_invalid` was wrong: the provider refused every token because of our settings. */
export const DeviceTokenRestored = Schema.Struct({
    user_id: UserId,
    platform: Schema.String,
    /** As in `device.token_invalid`. */
    token_hash: Schema.String,
});
