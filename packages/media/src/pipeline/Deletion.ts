/**
 * Deletes a media with everything that was made from it: streams, images, captions, the upload, transcripts, cached
 * recognitions, and the state that describes them. A tombstone with ids and times remains.
 *
 * Every step may be repeated, so a deletion that was interrupted continues with the next delivery of its request. The
 * transcript belongs to `ai`, which may not run; it is deleted here, so that one event reports the whole deletion.
 */
import { captionsPrefix } from "@armoricore/domain/CaptionTrack"
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import type { PayloadOf } from "@armoricore/domain/EventRegistry"
import type { MediaDeletion, MediaState } from "@armoricore/domain/MediaState"
import * as ObjectRef from "@armoricore/domain/ObjectRef"
import * as Collection from "@armoricore/state/Collection"
import { mediaDeletions } from "@armoricore/state/MediaStates"
import { makeRemoval, resumableUploads } from "@armoricore/state/ResumableUploads"
import { transcriptStates } from "@armoricore/state/TranscriptStates"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Clock, Effect, Option } from "effect"
import type { ChunkContext } from "../chunked/ChunkContext.ts"
import { mediaKeys } from "../protection/ContentKeys.ts"
import * as MediaRecord from "../record/MediaRecord.ts"
import * as ObjectRemoval from "./ObjectRemoval.ts"

export interface DeletionRequest {
  readonly mediaId: string
  /** The id of the event or command; the same request continues its own deletion. */
  readonly requestId: string
  /** RFC 3339. */
  readonly requestedAt: string
  /** The owner, where the request names one: nothing else may know it before the upload is processed. */
  readonly userId?: string
}

type DeletionError = TransientError | ConfigurationError

export interface Deletion {
  /** Undefined: nothing of the media was known, so it has no owner to report to. */
  readonly remove: (request: DeletionRequest) => Effect.Effect<PayloadOf<"media.deleted"> | undefined, DeletionError>
  readonly find: (mediaId: string) => Effect.Effect<MediaDeletion | undefined, DeletionError>
  /** An upload that was in its queue when its media was deleted: removes its file and completes the deletion. */
  readonly removeLateUpload: (
    upload: PayloadOf<"media.uploaded">,
  ) => Effect.Effect<PayloadOf<"media.deleted"> | undefined, DeletionError>
}

/** The bucket of the streams, and the records of the media. */
type Context = Pick<ChunkContext, "encodes" | "record"> & { readonly options: Pick<ChunkContext["options"], "bucket"> }

export const make = Effect.fnUntraced(function* ({ encodes, options: { bucket }, record }: Context) {
  const objects = yield* ObjectRemoval.make(bucket)
  const resumable = yield* Collection.make(resumableUploads)
  const removeResumable = yield* makeRemoval(yield* ObjectStorage)
  const deletions = yield* Collection.make(mediaDeletions)
  const transcripts = yield* Collection.make(transcriptStates)
  const keys = yield* Collection.make(mediaKeys)

  const update = (mediaId: string, change: (current: MediaDeletion | undefined) => MediaDeletion) =>
    deletions.modifyOrRetry(mediaId, (current) => {
      const next = change(Option.getOrUndefined(current)?.value)
      return Effect.succeed([next, Option.some(next)] as const)
    })

  const find: Deletion["find"] = (mediaId) =>
    Effect.map(deletions.get(mediaId), (document) => Option.getOrUndefined(document)?.value)

  /** A source file in another place belongs to its publisher. */
  const uploadPrefixes = (mediaId: string, userId: string | undefined, filePath: string | undefined) => {
    const source = filePath === undefined ? undefined : ObjectRef.fromUrl(filePath)
    const folder = source?.bucket === bucket ? /^uploads\/[^/]+\/([^/]+)\//.exec(source.key) : null
    return [
      ...(userId === undefined ? [] : [ObjectRef.uploadPrefix(userId, mediaId)]),
      ...(folder?.[1] === mediaId ? [folder[0]] : []),
    ]
  }

  const finish = Effect.fnUntraced(function* (mediaId: string, userId: string | undefined) {
    const deletedAt = new Date(yield* Clock.currentTimeMillis).toISOString()
    const done = yield* update(mediaId, (current) => ({
      media_id: mediaId,
      request_id: "",
      requested_at: deletedAt,
      ...current,
      ...(userId === undefined ? {} : { user_id: userId }),
      deleted_at: current?.deleted_at ?? deletedAt,
    }))
    return done.user_id === undefined
      ? undefined
      : { media_id: mediaId, user_id: done.user_id, deleted_at: done.deleted_at ?? deletedAt }
  })

  /** The objects of a later upload of the same media, which stay. */
  const laterLife = (state: MediaState | undefined, generation: number) => {
    if (state === undefined || state.deleted_at !== undefined || MediaRecord.newestGeneration(state) <= generation)
      return undefined
    const prefixes = state.attempts.filter((attempt) => attempt.generation > generation).map(({ prefix }) => prefix)
    const source = state.upload === undefined ? undefined : ObjectRef.fromUrl(state.upload.file_path).key
    return (key: string) => key === source || prefixes.some((prefix) => key.startsWith(prefix))
  }

  const remove: Deletion["remove"] = Effect.fn("Deletion.remove")(function* (request) {
    const { mediaId, requestedAt, requestId } = request
    const started = yield* update(mediaId, (current) => {
      if (current?.request_id === requestId) return current
      const { deleted_at: _, generation: __, ...known } = current ?? {}
      return { ...known, media_id: mediaId, request_id: requestId, requested_at: requestedAt }
    })
    if (started.deleted_at !== undefined) return yield* finish(mediaId, undefined)

    const transcript = Option.getOrUndefined(yield* transcripts.get(mediaId))?.value
    const known = yield* record.find(mediaId)
    const unpublished = Option.getOrUndefined(yield* resumable.get(mediaId))?.value
    const userId = known?.user_id ?? transcript?.user_id ?? unpublished?.user_id ?? started.user_id ?? request.userId
    const generation = started.generation ?? (known === undefined ? 0 : MediaRecord.newestGeneration(known))
    // Before anything is removed: the next attempt finds the owner and the generation here.
    yield* update(mediaId, (current) => ({
      ...(current ?? started),
      generation,
      ...(userId === undefined ? {} : { user_id: userId }),
    }))
    const uploads = uploadPrefixes(mediaId, userId, known?.upload?.file_path)
    const isKept = laterLife(known, generation)
    yield* removeResumable(mediaId)
    // The objects go first: the document names the upload, which a repetition needs to find.
    yield* record.markDeleted(mediaId, generation)
    yield* objects.remove(
      mediaId,
      [`media/${mediaId}/`, ...uploads, ...(isKept === undefined ? [captionsPrefix(mediaId)] : [])],
      isKept,
    )
    if (isKept === undefined) {
      yield* objects.remove(mediaId, [`transcripts/${mediaId}/`, `work/transcription/${mediaId}/`])
      yield* Collection.retryConflicts(transcripts.remove(mediaId))
      yield* Collection.retryConflicts(keys.remove(mediaId))
    }
    for (const attempt of known?.attempts ?? []) {
      if (attempt.generation > generation) continue
      const version = MediaRecord.versionFromPrefix(attempt.prefix)
      const encode = yield* encodes.find(version)
      if (encode !== undefined) yield* encodes.remove(version, encode)
    }
    yield* record.clearDeleted(mediaId)
    return yield* finish(mediaId, userId)
  })

  const removeLateUpload: Deletion["removeLateUpload"] = Effect.fn("Deletion.removeLateUpload")(function* (upload) {
    yield* objects.remove(upload.media_id, uploadPrefixes(upload.media_id, upload.user_id, upload.file_path))
    const deletion = yield* find(upload.media_id)
    // The owner is known only now, so nothing was reported yet.
    return deletion?.user_id === undefined ? yield* finish(upload.media_id, upload.user_id) : undefined
  })

  return { find, remove, removeLateUpload } satisfies Deletion
})
