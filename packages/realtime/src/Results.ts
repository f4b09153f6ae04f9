/** The events that the bus brings and sockets hear, under their names on the socket: one table for channels and feed. */
import { MediaFailed, MediaPlayable, MediaProgress, MediaReady } from "@armoricore/domain/events/media"
import {
  NotificationBounced,
  NotificationDelivered,
  NotificationFailed,
  NotificationSent,
} from "@armoricore/domain/events/notification"
import { TranscriptionComplete, TranscriptionFailed } from "@armoricore/domain/events/transcription"

/** On `media:{media_id}`, and on the owner's `user:{user_id}`. */
export const ofMedia = {
  // The next one says it anew, so a slow reader may lose it.
  media_progress: { payload: MediaProgress, droppable: true },
  media_playable: { payload: MediaPlayable },
  media_ready: { payload: MediaReady },
  media_failed: { payload: MediaFailed },
  transcription_complete: { payload: TranscriptionComplete },
  transcription_failed: { payload: TranscriptionFailed },
} as const

/** On `user:{user_id}` alone. */
export const ofUser = {
  notification_sent: { payload: NotificationSent },
  notification_failed: { payload: NotificationFailed },
  notification_delivered: { payload: NotificationDelivered },
  notification_bounced: { payload: NotificationBounced },
} as const
