/**
 * That a version of a stream can be played, told while it is still being made or, where it was over before, with its
 * result. It is decided in the state record first: a try that a newer upload, a newer owner or a cancellation took the
 * place of announces nothing.
 */
import type { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import type { EventOf, PayloadOf } from "@armoricore/domain/EventRegistry"
import type { MediaAttempt } from "@armoricore/domain/MediaState"
import { Effect, Schedule } from "effect"
import type { MediaRecord } from "../record/MediaRecord.ts"

export interface PlayableEvent {
  readonly payload: PayloadOf<"media.playable">
  /** Names the version among all that an event leads to: it is announced once. */
  readonly discriminator: string
}

/** Publishes the event while the job is still running. Fails with `countsAsAttempt: false` where another worker owns the job now. */
export type PublishPlayable = (
  playableEvent: PlayableEvent,
) => Effect.Effect<void, TransientError | PermanentError | ConfigurationError>

/** Of a version that is finished. */
export const fromReady = (ready: PayloadOf<"media.ready">, prefix: string): PlayableEvent => ({
  payload: {
    media_id: ready.media_id,
    user_id: ready.user_id,
    playback_urls: { hls: ready.playback_urls.hls, mp4: {} },
  },
  discriminator: versionFromPrefix(prefix),
})

/** Of one at work, whose master playlist is there; whether it was told. */
export const publishIfCurrent = <E extends TransientError | PermanentError | ConfigurationError>(
  record: MediaRecord,
  urlFor: (key: string) => Effect.Effect<string, E>,
) =>
  Effect.fnUntraced(
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
      return true
    },
    // The bus or the state may be away for a moment; what the end of the job finds untold is told with its result.
    Effect.retry({
      while: (error) => error._tag === "TransientError" && error.countsAsAttempt !== false,
      schedule: Schedule.spaced("2 seconds"),
    }),
    Effect.catch((error) => Effect.as(Effect.logDebug("it could be played and that was not told", { error }), false)),
  )

/** The version: the last folder of its prefix. */
const versionFromPrefix = (prefix: string): string => prefix.split("/").at(-2) ?? ""
