/** The jobs of a media in every queue: cancelling them, and deleting the media with everything that was made from it. */
import * as Address from "@armoricore/bus/Address"
import * as ConsumerName from "@armoricore/bus/ConsumerName"
import { EventBus } from "@armoricore/bus/EventBus"
import { captionsKey, type UploadedCaptions } from "@armoricore/domain/CaptionTrack"
import { deriveId } from "@armoricore/domain/DeterministicId"
import * as EventCodec from "@armoricore/domain/EventCodec"
import { longTranscodeKind, type MediaCommand, mediaRetryKind } from "@armoricore/domain/MediaCommand"
import { transcriptRetryKind } from "@armoricore/domain/TranscriptCommand"
import * as Collection from "@armoricore/state/Collection"
import type { StateError } from "@armoricore/state/KeyValue"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Cancellation } from "@armoricore/worker/control/Cancellation"
import type { HandlerContext } from "@armoricore/worker/Handler"
import { Ledger } from "@armoricore/worker/ledger/Ledger"
import { emit } from "@armoricore/worker/ResultMessage"
import { Clock, Effect, Result } from "effect"
import { attach } from "../captions/Captions.ts"
import type { DeletionRequest } from "./Deletion.ts"
import type { UploadPipeline } from "./UploadPipeline.ts"

type Pipeline = UploadPipeline["Service"]

export interface Jobs {
  /** False if the job is decided already. */
  readonly cancel: (consumer: string, id: string, reason: string) => Effect.Effect<boolean, StateError>
  /** Removes the recorded results of a job. */
  readonly forget: (consumer: string, id: string) => Effect.Effect<void, StateError>
  /** Removes the handled events of a media from the bus, except those of its deletion. */
  readonly removeEvents: (mediaId: string) => Effect.Effect<void, StateError>
}

export const makeJobs = Effect.gen(function* () {
  const cancellation = yield* Cancellation
  const ledger = yield* Ledger
  const bus = yield* EventBus
  return {
    cancel: (consumer, id, reason) => Collection.retryConflicts(cancellation.cancel(consumer, id, reason)),
    forget: (consumer, id) => ledger.remove(`${consumer}.${id}`),
    removeEvents: (mediaId) => Effect.asVoid(bus.removeHandled(mediaId, isEventOf(mediaId))),
  } satisfies Jobs
})

const isEventOf =
  (mediaId: string) =>
  (body: Uint8Array): boolean => {
    const decoded = EventCodec.decodeResult(body)
    if (Result.isFailure(decoded)) return false
    const { event_type: type, payload } = decoded.success.event
    return "media_id" in payload && payload.media_id === mediaId && !type.startsWith("media.delete")
  }

/** An upload may be running under the id of its event, of a retry request, or of the long job that either enqueued. */
const uploadJobs = (eventId: string): ReadonlyArray<readonly [consumer: string, id: string]> => [
  [ConsumerName.of("media", Address.event("media.uploaded")), eventId],
  [ConsumerName.of("media", Address.work("media", mediaRetryKind)), eventId],
  ...[longTranscodeDiscriminator, oneRunDiscriminator].map(
    (discriminator) =>
      [
        ConsumerName.of("media", Address.work("media", longTranscodeKind)),
        deriveId("work", eventId, "media", longTranscodeKind, discriminator),
      ] as const,
  ),
]

const transcriptionJobs = (eventId: string): ReadonlyArray<readonly [consumer: string, id: string]> => [
  [ConsumerName.of("ai", Address.event("transcription.requested")), eventId],
  [ConsumerName.of("ai", Address.work("ai", transcriptRetryKind)), eventId],
]

/** Cancels all work for the newest upload. */
const cancelUpload = Effect.fnUntraced(function* (pipeline: Pipeline, jobs: Jobs, mediaId: string) {
  const newest = yield* pipeline.newestUpload(mediaId)
  if (newest === undefined) return
  const reason = `The work on ${mediaId} was cancelled by request.`
  for (const [consumer, id] of uploadJobs(newest.eventId)) yield* jobs.cancel(consumer, id, reason)
  yield* pipeline.cancelChunks(mediaId, ({ consumer, id }) => jobs.cancel(consumer, id, reason))
})

export const handleCommand = (bucket: string, pipeline: Pipeline, jobs: Jobs) =>
  Effect.fnUntraced(function* (command: MediaCommand, { cause }: HandlerContext) {
    const { action, captions, captions_key: removedKey, media_id: mediaId, requested_at, user_id: userId } = command
    switch (action) {
      case "delete": {
        const requestedAt = requested_at ?? new Date(yield* Clock.currentTimeMillis).toISOString()
        return yield* deleteMedia(pipeline, jobs, {
          mediaId,
          requestedAt,
          requestId: cause.eventId,
          ...(userId === undefined ? {} : { userId }),
        })
      }
      case "cancel":
        yield* cancelUpload(pipeline, jobs, mediaId)
        return []
      case "set_captions":
      case "remove_captions": {
        const key = captions === undefined ? removedKey : captionsKey(captions)
        if (key !== undefined) yield* changeCaptions(bucket, pipeline, mediaId, key, captions)
        return []
      }
    }
  })

/** The stream stops to name a file before it is removed. */
const changeCaptions = Effect.fnUntraced(function* (
  bucket: string,
  pipeline: Pipeline,
  mediaId: string,
  key: string,
  captions: UploadedCaptions | undefined,
) {
  const stale = yield* pipeline.setCaptions(mediaId, key, captions)
  yield* attach(bucket, mediaId)
  const storage = yield* ObjectStorage
  yield* Effect.forEach(stale, (file) => storage.remove({ bucket, key: file }), { discard: true })
})

/**
 * Stops all work on a media, its transcription included, and deletes it. `discriminator` is for a cause that deletes several
 * media.
 */
export const deleteMedia = Effect.fnUntraced(function* (
  pipeline: Pipeline,
  jobs: Jobs,
  request: DeletionRequest,
  discriminator = "",
) {
  const { mediaId } = request
  yield* cancelUpload(pipeline, jobs, mediaId)
  const causes = yield* pipeline.causes(mediaId)
  const reason = `The media ${mediaId} was deleted.`
  for (const [consumer, id] of causes.transcriptions.flatMap(transcriptionJobs)) {
    yield* jobs.cancel(consumer, id, reason)
  }
  const deleted = yield* pipeline.remove(request)
  // Decided results contain the metadata of the upload. A redelivered message finds that its media is deleted.
  for (const [consumer, id] of causes.uploads.flatMap(uploadJobs)) {
    if (!(yield* jobs.cancel(consumer, id, reason))) yield* jobs.forget(consumer, id)
  }
  yield* jobs.removeEvents(mediaId)
  return deleted === undefined ? [] : [emit("media.deleted", deleted, discriminator)]
})

/** A short message leads to at most one long job, so the discriminator is constant. */
export const longTranscodeDiscriminator = "long"

/** The long job of an upload whose chunks were rejected. */
export const oneRunDiscriminator = "one-run"
