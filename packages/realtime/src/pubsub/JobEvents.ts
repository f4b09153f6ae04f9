/** The events that the bus brings and sockets hear, under their names on the socket: one table for channels and feeds. */
import type { AnyEvent, EventType } from "@armoricore/domain/EventRegistry"
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
export const mediaEvents = {
  // The next one says it anew, so a slow reader may lose it.
  media_progress: { payload: MediaProgress, droppable: true },
  media_playable: { payload: MediaPlayable },
  media_ready: { payload: MediaReady },
  media_failed: { payload: MediaFailed },
  transcription_complete: { payload: TranscriptionComplete },
  transcription_failed: { payload: TranscriptionFailed },
} as const

const withSeq = <F extends Schema.Struct.Fields>(payload: Schema.Struct<F>) =>
  Schema.Struct({ ...payload.fields, seq: Schema.Int })

/** On `user:{user_id}`, kept for those who are away, and therefore numbered. */
export const userEvents = {
  media_progress: { payload: MediaProgress, droppable: true },
  media_playable: { payload: withSeq(MediaPlayable) },
  media_ready: { payload: withSeq(MediaReady) },
  media_failed: { payload: withSeq(MediaFailed) },
  transcription_complete: { payload: withSeq(TranscriptionComplete) },
  transcription_failed: { payload: withSeq(TranscriptionFailed) },
  notification_sent: { payload: withSeq(NotificationSent) },
  notification_failed: { payload: withSeq(NotificationFailed) },
  notification_delivered: { payload: withSeq(NotificationDelivered) },
  notification_bounced: { payload: withSeq(NotificationBounced) },
} as const

/** The bus's names of what is kept for users. */
export const storedUserEvents = {
  "media.playable": "media_playable",
  "media.ready": "media_ready",
  "media.failed": "media_failed",
  "transcription.complete": "transcription_complete",
  "transcription.failed": "transcription_failed",
  "notification.sent": "notification_sent",
  "notification.failed": "notification_failed",
  "notification.delivered": "notification_delivered",
  "notification.bounced": "notification_bounced",
} as const satisfies Partial<Record<EventType, keyof typeof userEvents>>

export const isStoredUserEvent = (type: string): type is keyof typeof storedUserEvents =>
  Object.hasOwn(storedUserEvents, type)

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

/** What a frame says of a stored result: its payload as it came, and what it follows from, where its publisher said so. */
export const framePayload = (payload: unknown, { request_id, traceparent }: AnyEvent): object => ({
  ...(isObject(payload) ? payload : {}),
  ...(request_id === undefined ? {} : { request_id }),
  ...(traceparent === undefined ? {} : { traceparent }),
})
