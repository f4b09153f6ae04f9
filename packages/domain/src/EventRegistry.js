/**
 * The registry of events: one entry per type. The decoder, the publish policy, realtime topics, the webhook, the job index
 * and the default of `EVENT_SOURCES` read the attributes of this table, so a new event type is one entry here.
 */
import { Schema } from "effect";
import * as Media from "./events/media.ts";
import * as Notification from "./events/notification.ts";
import * as Realtime from "./events/realtime.ts";
import * as Transcription from "./events/transcription.ts";
import * as User from "./events/user.ts";
import { EventId } from "./Ids.ts";
import { NonNegativeIntFromJson, OptionalTraceparent, optionalNullable, Timestamp } from "./JsonCodecs.ts";
export const internalSources = ["media", "notify", "ai", "realtime"];
const resolveAttributes = ({ alsoFrom, job, stored = true, topics = [], userHistory = false, webhook = false, }) => ({ alsoFrom, job, stored, topics, userHistory, webhook });
const defineEvent = (publisher, payload, attributes) => ({
    publisher,
    payload,
    // The conditional types above restate `resolveAttributes`, which TypeScript cannot infer for a generic A.
    ...resolveAttributes(attributes ?? {}),
});
export const eventRegistry = {
    "media.uploaded": defineEvent("outside", Media.MediaUploaded, { job: { kind: "media", status: "processing" } }),
    "media.progress": defineEvent("media", Media.MediaProgress, {
        stored: false,
        topics: ["media", "user"],
        job: { kind: "media", status: "processing" },
    }),
    "media.playable": defineEvent("media", Media.MediaPlayable, {
        topics: ["media", "user"],
        userHistory: true,
        webhook: true,
    }),
    "media.ready": defineEvent("media", Media.MediaReady, {
        topics: ["media", "user"],
        userHistory: true,
        webhook: true,
        job: { kind: "media", status: "ready" },
    }),
    "media.failed": defineEvent("media", Media.MediaFailed, {
        topics: ["media", "user"],
        userHistory: true,
        webhook: true,
        job: { kind: "media", status: "failed" },
    }),
    "media.delete_requested": defineEvent("outside", Media.MediaDeleteRequested),
    "media.deleted": defineEvent("media", Media.MediaDeleted, {
        topics: ["media", "user"],
        userHistory: true,
        webhook: true,
        job: { kind: "media", status: "deleted" },
    }),
    "user.erase_requested": defineEvent("outside", User.UserEraseRequested, { alsoFrom: "realtime" }),
    // In no history: the user's own is erased.
    "user.erased": defineEvent("realtime", User.UserErased, { webhook: true }),
    "notification.requested": defineEvent("outside", Notification.NotificationRequested),
    "notification.sent": defineEvent("notify", Notification.NotificationSent, {
        topics: ["user"],
        userHistory: true,
        webhook: true,
    }),
    "notification.failed": defineEvent("notify", Notification.NotificationFailed, {
        topics: ["user"],
        userHistory: true,
        webhook: true,
    }),
    "notification.delivered": defineEvent("notify", Notification.NotificationDelivered, {
        topics: ["user"],
        userHistory: true,
        webhook: true,
    }),
    "notification.bounced": defineEvent("notify", Notification.NotificationBounced, {
        topics: ["user"],
        userHistory: true,
        webhook: true,
    }),
    "notification.cancelled": defineEvent("outside", Notification.NotificationCancelled),
    "notification.progress": defineEvent("notify", Notification.NotificationProgress, { stored: false }),
    "inbox.item": defineEvent("notify", Notification.InboxItemCreated),
    "device.token_invalid": defineEvent("notify", Notification.DeviceTokenInvalid, { webhook: true }),
    "device.token_restored": defineEvent("notify", Notification.DeviceTokenRestored, { webhook: true }),
    "transcription.requested": defineEvent("outside", Transcription.TranscriptionRequested, {
        job: { kind: "transcription", status: "processing" },
    }),
    "transcription.complete": defineEvent("ai", Transcription.TranscriptionComplete, {
        topics: ["media", "user"],
        userHistory: true,
        webhook: true,
        job: { kind: "transcription", status: "ready" },
    }),
    "transcription.failed": defineEvent("ai", Transcription.TranscriptionFailed, {
        topics: ["media", "user"],
        userHistory: true,
        webhook: true,
        job: { kind: "transcription", status: "failed" },
    }),
    "chat.message": defineEvent("realtime", Realtime.ChatMessage),
    "chat.edited": defineEvent("realtime", Realtime.ChatEdited),
    "chat.removed": defineEvent("realtime", Realtime.ChatRemoved),
    "comment.created": defineEvent("realtime", Realtime.CommentCreated),
    "comment.edited": defineEvent("realtime", Realtime.CommentEdited),
    "comment.removed": defineEvent("realtime", Realtime.CommentRemoved),
    "moderation.flagged": defineEvent("ai", Realtime.ModerationFlagged, { webhook: true }),
    "presence.update": defineEvent("realtime", Realtime.PresenceUpdate),
};
// Object.keys cannot know that the table has no other keys; the table is a constant of this file.
export const eventTypes = Object.keys(eventRegistry).filter((type) => type in eventRegistry);
export const isEventType = (type) => Object.hasOwn(eventRegistry, type);
export const hasAttributes = (filter) => (type) => {
    if (!isEventType(type))
        return false;
    const attributes = eventRegistry[type];
    return Object.entries(filter).every(([name, value]) => attributes[name] === value);
};
/** The event types with these attributes, in the order of the registry. */
export const eventTypesWhere = (filter) => eventTypes.filter(hasAttributes(filter));
export const isDeliveredOn = (topic) => (type) => {
    const topics = eventRegistry[type].topics;
    return topics.includes(topic);
};
export const eventTypesOn = (topic) => eventTypes.filter(isDeliveredOn(topic));
export const jobEventTypes = eventTypes.filter((type) => eventRegistry[type].job !== undefined);
export const socketEventName = (type) => type.replace(".", "_");
/** The default of `EVENT_SOURCES`: `php-backend` may publish every event that comes from outside. */
export const defaultEventSources = {
    "php-backend": eventTypesWhere({ publisher: "outside" }),
};
/** The fields of every event beside its payload. */
export const envelopeFields = {
    event_id: EventId,
    timestamp: Timestamp,
    /** `php-backend`, or another name of `EVENT_SOURCES`, or one of Armoricore's own services. */
    source: Schema.String.check(Schema.isPattern(/^[A-Za-z0-9._-]{1,64}$/u)),
    schema_version: optionalNullable(NonNegativeIntFromJson),
    request_id: optionalNullable(Schema.String.check(Schema.isMaxLength(256))),
    traceparent: OptionalTraceparent,
};
/** An envelope whose payload is not decoded yet. */
export const Envelope = Schema.Struct({
    event_type: Schema.String.check(Schema.isPattern(/^[a-z0-9_]+(\.[a-z0-9_]+)+$/u, { expected: "a type such as media.uploaded" })),
    ...envelopeFields,
    payload: Schema.Unknown,
});
/** The whole wire schema of one type, envelope included. */
export const schemaOf = (type) => Schema.Struct({ event_type: Schema.Literal(type), ...envelopeFields, payload: eventRegistry[type].payload });
