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
import { NonNegativeIntFromJson, optionalNullable, Timestamp } from "./JsonCodecs.ts"

/** Who publishes an event: a backend outside, or one of Armoricore's own services. */
export type Publisher = "outside" | "media" | "notify" | "ai" | "realtime"

export const internalSources = ["media", "notify", "ai", "realtime"] as const satisfies ReadonlyArray<Publisher>
export type InternalSource = (typeof internalSources)[number]

const defineEvent = <const P extends Publisher, S extends Schema.Constraint>(
  publisher: P,
  payload: S,
  options?: { readonly ephemeral: true },
) => ({ publisher, payload, stored: options?.ephemeral !== true })

export const eventRegistry = {
  "media.uploaded": defineEvent("outside", Media.MediaUploaded),
  "media.progress": defineEvent("media", Media.MediaProgress, { ephemeral: true }),
  "media.playable": defineEvent("media", Media.MediaPlayable),
  "media.ready": defineEvent("media", Media.MediaReady),
  "media.failed": defineEvent("media", Media.MediaFailed),
  "notification.requested": defineEvent("outside", Notification.NotificationRequested),
  "notification.sent": defineEvent("notify", Notification.NotificationSent),
  "notification.failed": defineEvent("notify", Notification.NotificationFailed),
  "notification.delivered": defineEvent("notify", Notification.NotificationDelivered),
  "notification.bounced": defineEvent("notify", Notification.NotificationBounced),
  "device.token_invalid": defineEvent("notify", Notification.DeviceTokenInvalid),
  "transcription.requested": defineEvent("outside", Transcription.TranscriptionRequested),
  "transcription.complete": defineEvent("ai", Transcription.TranscriptionComplete),
  "transcription.failed": defineEvent("ai", Transcription.TranscriptionFailed),
  "chat.message": defineEvent("realtime", Realtime.ChatMessage),
  "comment.created": defineEvent("realtime", Realtime.CommentCreated),
  "moderation.flagged": defineEvent("ai", Realtime.ModerationFlagged),
  "presence.update": defineEvent("realtime", Realtime.PresenceUpdate),
} as const

export type EventType = keyof typeof eventRegistry
export type PayloadOf<T extends EventType> = (typeof eventRegistry)[T]["payload"]["Type"]

// Object.keys cannot know that the table has no other keys; the table is a constant of this file.
export const eventTypes = Object.keys(eventRegistry).filter((type): type is EventType => type in eventRegistry)
export const isEventType = (type: string): type is EventType => Object.hasOwn(eventRegistry, type)

/** What every event has around its payload. */
export const envelopeFields = {
  event_id: EventId,
  timestamp: Timestamp,
  /** `php-backend`, or another name of `EVENT_SOURCES`, or one of Armoricore's own services. */
  source: Schema.String.check(Schema.isPattern(/^[A-Za-z0-9._-]{1,64}$/u)),
  schema_version: optionalNullable(NonNegativeIntFromJson),
  request_id: optionalNullable(Schema.String.check(Schema.isMaxLength(256))),
  /** W3C trace context. */
  traceparent: optionalNullable(Schema.String),
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
  Schema.Struct({ event_type: Schema.Literal(type), ...envelopeFields, payload: eventRegistry[type].payload })
