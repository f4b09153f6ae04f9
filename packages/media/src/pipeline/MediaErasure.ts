/** What `media` removes of a user who is erased: every media and transcript, uploads that were never published, and usage. */
import { deriveId } from "@armoricore/domain/DeterministicId"
import { encodeId } from "@armoricore/domain/EncodedId"
import * as Collection from "@armoricore/state/Collection"
import { mediaDeletions, mediaStates } from "@armoricore/state/MediaStates"
import { makeRemoval, resumableUploads } from "@armoricore/state/ResumableUploads"
import { transcriptStates } from "@armoricore/state/TranscriptStates"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import type { ErasureRequest, ErasureStore } from "@armoricore/worker/erasure/ErasureStore"
import { Effect, Option, Stream } from "effect"
import { deleteMedia, type Jobs } from "./MediaJobs.ts"
import { quotaUsages } from "./Quota.ts"
import type { UploadPipeline } from "./UploadPipeline.ts"

export const makeStores = Effect.fnUntraced(function* (
  bucket: string,
  pipeline: UploadPipeline["Service"],
  jobs: Jobs,
) {
  const storage = yield* ObjectStorage
  const states = yield* Collection.make(mediaStates)
  const deletions = yield* Collection.make(mediaDeletions)
  const transcripts = yield* Collection.make(transcriptStates)
  const usages = yield* Collection.make(quotaUsages)
  const resumable = yield* Collection.make(resumableUploads)
  const removeResumable = yield* makeRemoval(storage)

  const isDeleted = (mediaId: string) =>
    Effect.map(deletions.get(mediaId), (found) => Option.getOrUndefined(found)?.value.deleted_at !== undefined)

  /** A tombstone whose deletion is complete has nothing to remove. */
  const mediaOf = Effect.fnUntraced(function* (userId: string) {
    const ids = new Set<string>()
    yield* Collection.forEach(states, ({ key, value }) =>
      Effect.gen(function* () {
        if (value.user_id !== userId) return
        if (value.deleted_at === undefined || !(yield* isDeleted(key))) ids.add(key)
      }),
    )
    yield* Collection.forEach(transcripts, ({ key, value }) =>
      Effect.sync(() => void (value.user_id === userId && ids.add(key))),
    )
    return ids
  })

  const media: ErasureStore = {
    name: "media",
    erase: Effect.fn("MediaErasure.media")(function* ({ publish, requestId, requestedAt, userId }: ErasureRequest) {
      const ids = yield* mediaOf(userId)
      for (const mediaId of ids) {
        const request = { mediaId, requestId: deriveId("erasure", requestId, mediaId), requestedAt }
        const results = yield* deleteMedia(pipeline, jobs, request, mediaId)
        yield* Effect.forEach(results, publish, { discard: true })
      }
      return ids.size
    }),
  }

  const uploads: ErasureStore = {
    name: "uploads",
    erase: Effect.fn("MediaErasure.uploads")(function* ({ userId }) {
      const keys = yield* Stream.runCollect(storage.list(bucket, `uploads/${encodeId(userId)}/`))
      yield* Effect.forEach(keys, ({ key }) => storage.remove({ bucket, key }), { discard: true })
      let unfinished = 0
      yield* Collection.forEach(resumable, ({ key, value }) =>
        value.user_id === userId
          ? Effect.map(removeResumable(key), () => void (value.is_complete || unfinished++))
          : Effect.void,
      )
      return keys.length + unfinished
    }),
  }

  const usage: ErasureStore = {
    name: "quota",
    erase: Effect.fn("MediaErasure.quota")(function* ({ userId }) {
      const key = encodeId(userId)
      const found = yield* usages.get(key)
      if (Option.isSome(found)) yield* Collection.retryConflicts(usages.remove(key))
      return Option.isSome(found) ? 1 : 0
    }),
  }

  return [media, uploads, usage] satisfies ReadonlyArray<ErasureStore>
})
