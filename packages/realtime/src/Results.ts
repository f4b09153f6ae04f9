/** The events that the bus brings and sockets hear, under their names on the socket: one table for channels and feeds. */
import type { AnyEvent, EventType } from "@armoricore/domain/Events"
import { MediaFailed, MediaPlayable, MediaProgress, MediaReady } from "@armoricore/domain/events/media"
import {
  NotificationBounced,
  NotificationDelivered,
  NotificationFailed,
  NotificationSent,
} from "@armoricore/domain/events/notification"
import { TranscriptionComplete, TranscriptionFailed } from "@armoricore/domain/events/transcription"
import { Schema } from "effect"

/** On `media:{media_id}`. */
export const ofMedia = {
  // The next one says it anew, so a slow reader may lose it.
  media_progress: { payload: MediaProgress, droppable: true },
  media_playable: { payload: MediaPlayable },
  media_ready: { payload: MediaReady },
  media_failed: { payload: MediaFailed },
  transcription_complete: { payload: TranscriptionComplete },
  transcription_failed: { payload: TranscriptionFailed },
} as const

const numbered = <F extends Schema.Struct.Fields>(payload: Schema.Struct<F>) =>
  Schema.Struct({ ...payload.fields, seq: Schema.Int })

/** On `user:{user_id}`, kept for those who are away, and therefore numbered. */
export const ofUser = {
  media_progress: { payload: MediaProgress, droppable: true },
  media_playable: { payload: numbered(MediaPlayable) },
  media_ready: { payload: numbered(MediaReady) },
  media_failed: { payload: numbered(MediaFailed) },
  transcription_complete: { payload: numbered(TranscriptionComplete) },
  transcription_failed: { payload: numbered(TranscriptionFailed) },
  notification_sent: { payload: numbered(NotificationSent) },
  notification_failed: { payload: numbered(NotificationFailed) },
  notification_delivered: { payload: numbered(NotificationDelivered) },
  notification_bounced: { payload: numbered(NotificationBounced) },
} as const

/** The bus's names of what is kept for users. */
export const kept = {
  "media.playable": "media_playable",
  "media.ready": "media_ready",
  "media.failed": "media_failed",
  "transcription.complete": "transcription_complete",
  "transcription.failed": "transcription_failed",
  "notification.sent": "notification_sent",
  "notification.failed": "notification_failed",
  "notification.delivered": "notification_delivered",
  "notification.bounced": "notification_bounced",
} as const satisfies Partial<Record<EventType, keyof typeof ofUser>>

export const isKept = (type: string): type is keyof typeof kept => Object.hasOwn(kept, type)

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

/** What a frame says of a stored result: its payload as it came, and what it follows from, where its publisher said so. */
export const told = (payload: unknown, { request_id, traceparent }: AnyEvent): object => ({
  ...(isObject(payload) ? payload : {}),
  ...(request_id === undefined ? {} : { request_id }),
  ...(traceparent === undefined ? {} : { traceparent }),
})
