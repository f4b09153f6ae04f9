/**
 * The registry of events: one entry per type. The decoder, the publish policy, realtime topics, the webhook, the job index
 * and the default of `EVENT_SOURCES` read the attributes of this table, so a new event type is one entry here.
 */
import { Schema } from "effect"
import * as Media from "./events/media.ts"
import * as Notification from "./events/notification.ts"
import * as Realtime from "./events/realtime.ts"
import * as Transcription from "./events/transcription.ts"
import * as User from "./events/user.ts"
import { EventId } from "./Ids.ts"
import { NonNegativeIntFromJson, OptionalTraceparent, optionalNullable, Timestamp } from "./JsonCodecs.ts"

/** The publisher of an event: a backend outside, or one of Armoricore's own services. */
export type Publisher = "outside" | "media" | "notify" | "ai" | "realtime"

export const internalSources = ["media", "notify", "ai", "realtime"] as const satisfies ReadonlyArray<Publisher>
export type InternalSource = (typeof internalSources)[number]

/** Realtime topics that receive events of the bus: `media:{media_id}` and `user:{user_id}`. */
export type EventTopic = "media" | "user"

export type EventJobKind = "media" | "transcription"
export type EventJobStatus = "processing" | "ready" | "failed" | "deleted"

interface EventAttributes {
  /** One of our services that may publish the event too, on behalf of an authenticated request. */
  readonly alsoFrom?: InternalSource
  /** `false`: published on the ephemeral channel only, never stored. Default `true`. */
  readonly stored?: boolean
  /** Topics whose sockets receive the event, as {@link socketEventName}. */
  readonly topics?: ReadonlyArray<EventTopic>
  /** Appended to the history of `user:{user_id}`, so that it reaches users who were offline. */
  readonly userHistory?: boolean
  /** Posted to `WEBHOOK_URL`. */
  readonly webhook?: boolean
  /** The job whose state the event changes, and the status that the job has afterwards. */
  readonly job?: { readonly kind: EventJobKind; readonly status: EventJobStatus }
}

/** The attributes of an entry with their defaults; literal types stay literal, so that unions derive from them. */
interface ResolvedAttributes<A extends EventAttributes> {
  readonly alsoFrom: InternalSource | undefined
  readonly stored: A extends { readonly stored: false } ? false : true
  readonly topics: A extends { readonly topics: infer Names extends ReadonlyArray<EventTopic> } ? Names : readonly []
  readonly userHistory: A extends { readonly userHistory: true } ? true : false
  readonly webhook: A extends { readonly webhook: true } ? true : false
  readonly job: A extends { readonly job: infer Job } ? Job : undefined
}

const resolveAttributes = ({
  alsoFrom,
  job,
  stored = true,
  topics = [],
  userHistory = false,
  webhook = false,
}: EventAttributes) => ({ alsoFrom, job, stored, topics, userHistory, webhook })

const defineEvent = <const P extends Publisher, S extends Schema.Constraint, const A extends EventAttributes = {}>(
  publisher: P,
  payload: S,
  attributes?: A,
) => ({
  publisher,
  payload,
  // The conditional types above restate `resolveAttributes`, which TypeScript cannot infer for a generic A.
  ...(resolveAttributes(attributes ?? {}) as ResolvedAttributes<A>),
})

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
} as const

type Registry = typeof eventRegistry
export type EventType = keyof Registry
export type PayloadOf<T extends EventType> = Registry[T]["payload"]["Type"]

// Object.keys cannot know that the table has no other keys; the table is a constant of this file.
export const eventTypes = Object.keys(eventRegistry).filter((type): type is EventType => type in eventRegistry)
export const isEventType = (type: string): type is EventType => Object.hasOwn(eventRegistry, type)

/** Attributes that select event types by their value. */
type EventFilter = Partial<Pick<Registry[EventType], "publisher" | "stored" | "userHistory" | "webhook">>

/** The event types whose attributes equal `F`, such as `EventTypeWhere<{ webhook: true }>`. */
export type EventTypeWhere<F> = { [T in EventType]: Registry[T] extends F ? T : never }[EventType]

export const hasAttributes =
  <const F extends EventFilter>(filter: F) =>
  (type: string): type is EventTypeWhere<F> => {
    if (!isEventType(type)) return false
    const attributes: EventFilter = eventRegistry[type]
    return Object.entries(filter).every(([name, value]) => attributes[name as keyof EventFilter] === value)
  }

/** The event types with these attributes, in the order of the registry. */
export const eventTypesWhere = <const F extends EventFilter>(filter: F): ReadonlyArray<EventTypeWhere<F>> =>
  eventTypes.filter(hasAttributes(filter))

/** The event types that sockets on a topic receive. */
export type EventTypeOn<N extends EventTopic> = {
  [T in EventType]: N extends Registry[T]["topics"][number] ? T : never
}[EventType]

export const isDeliveredOn =
  <const N extends EventTopic>(topic: N) =>
  (type: EventType): type is EventTypeOn<N> => {
    const topics: ReadonlyArray<EventTopic> = eventRegistry[type].topics
    return topics.includes(topic)
  }

export const eventTypesOn = <const N extends EventTopic>(topic: N): ReadonlyArray<EventTypeOn<N>> =>
  eventTypes.filter(isDeliveredOn(topic))

/** The event types that change the state of a job. */
export type JobEventType = { [T in EventType]: Registry[T]["job"] extends undefined ? never : T }[EventType]

export const jobEventTypes: ReadonlyArray<JobEventType> = eventTypes.filter(
  (type): type is JobEventType => eventRegistry[type].job !== undefined,
)

/** The name of an event on the socket: `media.ready` is `media_ready`. */
export type SocketEventName<T extends EventType> = T extends `${infer Subject}.${infer Verb}`
  ? `${Subject}_${Verb}`
  : never

export const socketEventName = <T extends EventType>(type: T): SocketEventName<T> =>
  type.replace(".", "_") as SocketEventName<T>

/** The default of `EVENT_SOURCES`: `php-backend` may publish every event that comes from outside. */
export const defaultEventSources: Readonly<Record<string, ReadonlyArray<EventType>>> = {
  "php-backend": eventTypesWhere({ publisher: "outside" }),
}

/** The fields of every event beside its payload. */
export const envelopeFields = {
  event_id: EventId,
  timestamp: Timestamp,
  /** `php-backend`, or another name of `EVENT_SOURCES`, or one of Armoricore's own services. */
  source: Schema.String.check(Schema.isPattern(/^[A-Za-z0-9._-]{1,64}$/u)),
  schema_version: optionalNullable(NonNegativeIntFromJson),
  request_id: optionalNullable(Schema.String.check(Schema.isMaxLength(256))),
  traceparent: OptionalTraceparent,
}

/** An envelope whose payload is not decoded yet. */
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
