/**
 * The catalogue of events: one entry a type. Everything that must know all events (the decoder, authorisation, the
 * JSON Schemas in `docs/events`) reads this table.
 */
import { Schema } from "effect"
import * as Media from "./events/media.ts"
import * as Notification from "./events/notification.ts"
import * as Realtime from "./events/realtime.ts"
import * as Transcription from "./events/transcription.ts"
import { EventId } from "./Ids.ts"
import { Count, Maybe, Timestamp } from "./Wire.ts"

/** Who publishes an event: a backend outside, or one of Armoricore's own services. */
export type Publisher = "outside" | "media" | "notify" | "ai" | "realtime"

export const ownSources = ["media", "notify", "ai", "realtime"] as const satisfies ReadonlyArray<Publisher>
export type OwnSource = (typeof ownSources)[number]

const entry = <const P extends Publisher, S extends Schema.Constraint>(
  publisher: P,
  payload: S,
  options?: { readonly liveOnly: true },
) => ({ publisher, payload, stored: options?.liveOnly !== true })

export const catalogue = {
  "media.uploaded": entry("outside", Media.MediaUploaded),
  "media.progress": entry("media", Media.MediaProgress, { liveOnly: true }),
  "media.playable": entry("media", Media.MediaPlayable),
  "media.ready": entry("media", Media.MediaReady),
  "media.failed": entry("media", Media.MediaFailed),
  "notification.requested": entry("outside", Notification.NotificationRequested),
  "notification.sent": entry("notify", Notification.NotificationSent),
  "notification.failed": entry("notify", Notification.NotificationFailed),
  "notification.delivered": entry("notify", Notification.NotificationDelivered),
  "notification.bounced": entry("notify", Notification.NotificationBounced),
  "device.token_invalid": entry("notify", Notification.DeviceTokenInvalid),
  "transcription.requested": entry("outside", Transcription.TranscriptionRequested),
  "transcription.complete": entry("ai", Transcription.TranscriptionComplete),
  "transcription.failed": entry("ai", Transcription.TranscriptionFailed),
  "chat.message": entry("realtime", Realtime.ChatMessage),
  "comment.created": entry("realtime", Realtime.CommentCreated),
  "moderation.flagged": entry("ai", Realtime.ModerationFlagged),
  "presence.update": entry("realtime", Realtime.PresenceUpdate),
} as const

export type EventType = keyof typeof catalogue
export type PayloadOf<T extends EventType> = (typeof catalogue)[T]["payload"]["Type"]

// Object.keys cannot know that the table has no other keys; the table is a constant of this file.
export const eventTypes = Object.keys(catalogue).filter((type): type is EventType => type in catalogue)
export const isEventType = (type: string): type is EventType => Object.hasOwn(catalogue, type)

/** What every event has around its payload. */
export const envelopeFields = {
  event_id: EventId,
  timestamp: Timestamp,
  /** `php-backend`, or another name of `EVENT_SOURCES`, or one of Armoricore's own services. */
  source: Schema.String.check(Schema.isPattern(/^[A-Za-z0-9._-]{1,64}$/u)),
  schema_version: Maybe(Count),
  request_id: Maybe(Schema.String.check(Schema.isMaxLength(256))),
  /** W3C trace context. */
  traceparent: Maybe(Schema.String),
}

/** An envelope whose payload is not looked at yet. */
export const Envelope = Schema.Struct({
  event_type: Schema.String.check(
    Schema.isPattern(/^[a-z0-9_]+(\.[a-z0-9_]+)+$/u, { expected: "a type such as media.uploaded" }),
  ),
  ...envelopeFields,
  payload: Schema.Unknown,
})
export type Envelope = typeof Envelope.Type

/** The decoded event of one type. */
export interface EventOf<T extends EventType> extends Omit<Envelope, "event_type" | "payload"> {
  readonly event_type: T
  readonly payload: PayloadOf<T>
}

/** Any decoded event; narrows on `event_type`. */
export type AnyEvent = { readonly [T in EventType]: EventOf<T> }[EventType]

/** The whole wire schema of one type, envelope included. */
export const schemaOf = <T extends EventType>(type: T) =>
  Schema.Struct({ event_type: Schema.Literal(type), ...envelopeFields, payload: catalogue[type].payload })
