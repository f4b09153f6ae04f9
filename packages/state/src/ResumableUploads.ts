/** The documents of resumable uploads: `api` writes them; `media` removes those of deleted media and erased users. */
import * as ObjectRef from "@armoricore/domain/ObjectRef"
import { piecePrefix, ResumableUpload } from "@armoricore/domain/ResumableUpload"
import { Effect, Option, Stream } from "effect"
import * as Collection from "./Collection.ts"
import type { StateError } from "./KeyValue.ts"

export const resumableUploads: Collection.Descriptor<ResumableUpload, typeof ResumableUpload.Encoded> = {
  bucket: { name: "resumable_uploads", maxAge: "never" },
  schema: ResumableUpload,
}

/** The part of the object storage port that a removal uses; this package does not import the port. */
export interface UploadStorage {
  readonly abortMultipartUpload: (ref: ObjectRef.ObjectRef, uploadId: string) => Effect.Effect<void, StateError>
  readonly list: (bucket: string, prefix: string) => Stream.Stream<ObjectRef.ObjectRef, StateError>
  readonly remove: (ref: ObjectRef.ObjectRef) => Effect.Effect<void, StateError>
}

/**
 * Removes an upload with the bytes that are stored; false if no such upload exists. The final object of a complete upload stays.
 * Repeating it after an interruption completes it.
 */
export const makeRemoval = Effect.fnUntraced(function* (storage: UploadStorage) {
  const uploads = yield* Collection.make(resumableUploads)
  return Effect.fn("ResumableUploads.remove")(function* (mediaId: string) {
    // The mark goes first: a request that stores bytes at this moment fails, and removes what it has written.
    const marked = yield* uploads.modifyOrRetry(mediaId, (current) =>
      Effect.succeed(
        Option.match(current, {
          onNone: () => [undefined, Option.none()] as const,
          onSome: ({ value }) => [value, Option.some({ ...value, is_removed: true })] as const,
        }),
      ),
    )
    if (marked === undefined) return false
    const ref = ObjectRef.fromUrl(marked.file_path)
    if (marked.upload_id !== undefined && !marked.is_complete)
      yield* storage.abortMultipartUpload(ref, marked.upload_id)
    yield* Stream.runForEach(storage.list(ref.bucket, piecePrefix(mediaId)), ({ bucket, key }) =>
      storage.remove({ bucket, key }),
    )
    yield* Collection.retryConflicts(uploads.remove(mediaId))
    return true
  })
})
