/**
 * Publishes `media.playable` for a version that is still being encoded, or together with the result if the encode was
 * over first. The state record decides before: an attempt that a newer upload, a newer owner of the lease or a
 * cancellation has superseded publishes no event.
 */
import type { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import type { EventOf, PayloadOf } from "@armoricore/domain/EventRegistry"
import type { MediaAttempt } from "@armoricore/domain/MediaState"
import { Effect, Schedule } from "effect"
import { type MediaRecord, versionFromPrefix } from "../record/MediaRecord.ts"

export interface PlayableEvent {
  readonly payload: PayloadOf<"media.playable">
  /** The version. The event id derives from it, so each version is announced once. */
  readonly discriminator: string
}

/**
 * Publishes the event while the job runs. Fails with `countsAsAttempt: false` if this worker has lost its lease or the job
 * was cancelled.
 */
export type PublishPlayable = (
  playableEvent: PlayableEvent,
) => Effect.Effect<void, TransientError | PermanentError | ConfigurationError>

/** The event of a finished version. */
export const fromReady = (ready: PayloadOf<"media.ready">, prefix: string): PlayableEvent => ({
  payload: {
    media_id: ready.media_id,
    user_id: ready.user_id,
    playback_urls: { hls: ready.playback_urls.hls, mp4: {} },
  },
  discriminator: versionFromPrefix(prefix),
})

/**
 * Publishes the event of a version whose provisional master playlist is in storage, if this attempt is still the current
 * one. Returns whether the event was published.
 */
export const publishIfCurrent = <E extends TransientError | PermanentError | ConfigurationError>(
  record: MediaRecord,
  urlFor: (key: string) => Effect.Effect<string, E>,
) =>
  Effect.fn("PlayableEvent.publishIfCurrent")(
    function* (
      event: EventOf<"media.uploaded">,
      attempt: MediaAttempt,
      master: string,
      publishPlayable: PublishPlayable,
    ) {
      const hls = yield* urlFor(master)
      const { media_id, user_id } = event.payload
      const payload = { media_id, user_id, playback_urls: { hls, mp4: {} } }
      if (!(yield* record.markPlayable(event, attempt, payload))) return false
      yield* publishPlayable({ payload, discriminator: versionFromPrefix(attempt.prefix) })
      // A worker that dies before this leaves the event to the result, which has the same id.
      yield* record.markPlayablePublished(event, attempt)
      return true
    },
    // Bus and state may be unavailable for a moment. If the job ends first, its result includes the event.
    Effect.retry({
      while: (error) => error._tag === "TransientError" && error.countsAsAttempt !== false,
      schedule: Schedule.spaced("2 seconds"),
    }),
    Effect.catch((error) => Effect.as(Effect.logDebug("media.playable could not be published", { error }), false)),
  )
