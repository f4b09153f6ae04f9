/**
 * The stored state of a media's transcripts, updated by compare-and-set. `status` and `percent` belong to the newest
 * request. Each language has the transcript of its newest request, even if an older request finishes later.
 */
import { deriveId, resultEventId } from "@armoricore/domain/DeterministicId"
import type { ConfigurationError, InvalidEvent } from "@armoricore/domain/Errors"
import { TransientError } from "@armoricore/domain/Errors"
import type { EventOf, PayloadOf } from "@armoricore/domain/EventRegistry"
import { precedesDeletion } from "@armoricore/domain/MediaState"
import type { TranscriptState } from "@armoricore/domain/Transcript"
import * as Timestamp from "@armoricore/domain/Timestamp"
import * as Collection from "@armoricore/state/Collection"
import * as MediaOwner from "@armoricore/state/MediaOwner"
import { mediaDeletions } from "@armoricore/state/MediaStates"
import { transcriptStates } from "@armoricore/state/TranscriptStates"
import { Clock, Effect, Option } from "effect"

type RecordError = TransientError | ConfigurationError
type TranscriptionRequested = EventOf<"transcription.requested">

export interface TranscriptRecord {
  readonly find: (mediaId: string) => Effect.Effect<TranscriptState | undefined, RecordError>
  /**
   * False if the media was deleted after the request: there is nothing to transcribe. Fails with `InvalidEvent` if the media
   * belongs to another user.
   */
  readonly begin: (event: TranscriptionRequested) => Effect.Effect<boolean, RecordError | InvalidEvent>
  /** Whether the media was deleted after the request. */
  readonly isDeleted: (
    event: Pick<TranscriptionRequested, "timestamp" | "payload">,
  ) => Effect.Effect<boolean, RecordError>
  /** Whether any request to delete the media is known. */
  readonly wasDeleted: (mediaId: string) => Effect.Effect<boolean, RecordError>
  /** Ignored unless the event is the newest request. */
  readonly progress: (event: TranscriptionRequested, percent: number) => Effect.Effect<void, RecordError>
  readonly complete: (
    event: TranscriptionRequested,
    complete: PayloadOf<"transcription.complete">,
    /** The engine of the translations. */
    translator: string,
  ) => Effect.Effect<void, RecordError>
  readonly fail: (failed: EventOf<"transcription.failed">) => Effect.Effect<void, RecordError>
}

export const make = Effect.gen(function* () {
  const states = yield* Collection.make(transcriptStates)
  const deletions = yield* Collection.make(mediaDeletions)
  const owner = yield* MediaOwner.make

  const isDeleted: TranscriptRecord["isDeleted"] = ({ payload, timestamp }) =>
    Effect.map(deletions.get(payload.media_id), (document) =>
      precedesDeletion(timestamp, Option.getOrUndefined(document)?.value),
    )

  const update = (
    mediaId: string,
    decide: (current: TranscriptState | undefined, now: string) => TranscriptState | undefined,
  ): Effect.Effect<void, RecordError> =>
    states.modifyOrRetry(mediaId, (current) =>
      Effect.map(Clock.currentTimeMillis, (millis) => {
        const next = decide(Option.getOrUndefined(current)?.value, new Date(millis).toISOString())
        return [undefined, Option.fromNullishOr(next)] as const
      }),
    )

  return {
    find: (mediaId) => Effect.map(states.get(mediaId), (entry) => Option.getOrUndefined(entry)?.value),
    isDeleted,
    wasDeleted: (mediaId) => Effect.map(deletions.get(mediaId), Option.isSome),
    begin: Effect.fnUntraced(function* (event) {
      yield* owner.requireOwner(event.payload)
      if (yield* isDeleted(event)) return false
      const trace = Option.getOrUndefined(yield* Effect.option(Effect.currentParentSpan))?.traceId
      yield* update(event.payload.media_id, (current, now) => {
        if (current !== undefined && isBefore(event.timestamp, current.requested_at)) return undefined
        return {
          media_id: event.payload.media_id,
          user_id: event.payload.user_id,
          status: "processing",
          percent: 0,
          source_event_id: event.event_id,
          requested_at: event.timestamp,
          request: event.payload,
          ...(trace === undefined ? {} : { trace_id: trace }),
          ...(event.request_id === undefined ? {} : { request_id: event.request_id }),
          languages: current?.languages ?? {},
          updated_at: now,
        }
      })
      return true
    }),
    progress: (event, percent) =>
      update(event.payload.media_id, (current, now) =>
        current === undefined || current.source_event_id !== event.event_id || current.status !== "processing"
          ? undefined
          : { ...current, percent, updated_at: now },
      ),
    complete: (event, complete, translator) =>
      update(complete.media_id, (current, now) => {
        if (current === undefined) return undefined
        const { completed_at, engine, language, quality, transcript_file_path, transcription_id, word_count } = complete
        const existing = current.languages[language]
        const isNewest =
          existing === undefined ||
          existing.translated_from !== undefined ||
          !isBefore(event.timestamp, existing.requested_at)
        const entry = {
          transcription_id,
          transcript_file_path,
          caption_urls: complete.caption_urls,
          quality,
          engine,
          word_count,
          requested_at: event.timestamp,
          completed_at,
        }
        const translated = (complete.translations ?? []).flatMap((translation) => {
          const other = current.languages[translation.language]
          const isReplaced =
            other === undefined ||
            (other.translated_from !== undefined && !isBefore(event.timestamp, other.requested_at))
          return isReplaced
            ? [
                [
                  translation.language,
                  {
                    ...entry,
                    transcription_id: deriveId("translation", transcription_id, translation.language),
                    transcript_file_path: translation.transcript_file_path,
                    caption_urls: translation.caption_urls,
                    engine: translator,
                    translated_from: language,
                  },
                ] as const,
              ]
            : []
        })
        const { failed: _, ...rest } = current
        return {
          ...(current.source_event_id === event.event_id
            ? { ...rest, status: "complete" as const, percent: 100 }
            : current),
          languages: {
            ...current.languages,
            ...(isNewest ? { [language]: entry } : {}),
            ...Object.fromEntries(translated),
          },
          updated_at: now,
        }
      }),
    fail: (failed) =>
      update(failed.payload.media_id, (current, now) =>
        // The id of a result derives from its cause, so it identifies the failed request.
        current === undefined || resultEventId(current.source_event_id, "transcription.failed") !== failed.event_id
          ? undefined
          : { ...current, status: "failed", failed: failed.payload.error, updated_at: now },
      ),
  } satisfies TranscriptRecord
})

const isBefore = (a: string, b: string): boolean => Timestamp.toMillis(a) < Timestamp.toMillis(b)
