/**
 * Uploads that continue after an interruption, on any node: the state store has the offset of each, the object storage its bytes.
 * The final object appears at once when the last byte is stored, at the place that `POST /v1/uploads` would have given it.
 */
import type { ObjectRef } from "@armoricore/domain/ObjectRef"
import { piecesFolder, type ResumableUpload } from "@armoricore/domain/ResumableUpload"
import * as Collection from "@armoricore/state/Collection"
import { makeRemoval, resumableUploads } from "@armoricore/state/ResumableUploads"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Clock, Duration, Effect, Option, Stream } from "effect"
import { problem } from "../Problem.ts"
import * as UploadLock from "./UploadLock.ts"
import * as UploadWriter from "./UploadWriter.ts"

export interface ResumableOptions {
  readonly bucket: string
  /** Bytes of a part, at least 5 MiB; a file with more than 1000 parts of this size gets larger ones. */
  readonly partSize: number
  /** An upload is deleted this long after the last request that stored bytes. */
  readonly expiresIn: Duration.Duration
  readonly lock?: UploadLock.LockTimes
}

export interface NewUpload {
  readonly media_id: string
  readonly user_id: string
  readonly file_path: string
  readonly content_type: string
  readonly size: number
  readonly metadata: string
}

const maxParts = 1000
/** Between two looks for uploads that have expired. */
const sweepInterval = Duration.minutes(10)
/** A piece without a document is left from a process that ended while the upload was removed. */
const orphanAge = Duration.hours(1)

const gone = problem(
  410,
  "expired",
  "the upload has expired and was deleted; begin a new one with POST /v1/uploads/tus",
)

const wrongOffset = (upload: ResumableUpload, offset: number) =>
  problem(
    409,
    "offset",
    `${upload.offset} bytes are stored, but Upload-Offset is ${offset}; ask for the offset with HEAD`,
    "Upload-Offset",
  )

export const make = Effect.fnUntraced(function* (options: ResumableOptions) {
  const storage = yield* ObjectStorage
  const uploads = yield* Collection.make(resumableUploads)
  const locks = yield* UploadLock.make(uploads, options.lock)
  const writer = UploadWriter.make(storage, options)
  const remove = yield* makeRemoval(storage)

  const create = Effect.fn("ResumableUploads.create")(function* (upload: NewUpload, ref: ObjectRef) {
    const part_size = Math.max(options.partSize, Math.ceil(upload.size / maxParts))
    const uploadId =
      upload.size > part_size
        ? yield* storage.createMultipartUpload(ref, { contentType: upload.content_type })
        : undefined
    const document: ResumableUpload = {
      ...upload,
      part_size,
      ...(uploadId === undefined ? {} : { upload_id: uploadId }),
      offset: 0,
      etags: [],
      pieces: [],
      expires_at: yield* writer.expiry,
      is_complete: false,
    }
    yield* uploads.put(upload.media_id, document)
    return document
  })

  /** An upload of the user that has not expired. */
  const requireOwn = Effect.fnUntraced(function* (mediaId: string, userId: string) {
    const upload = /^[0-9a-f-]{36}$/.test(mediaId)
      ? Option.getOrUndefined(yield* uploads.get(mediaId))?.value
      : undefined
    if (upload === undefined || upload.user_id !== userId || upload.is_removed === true)
      return yield* UploadLock.notFound
    if (Date.parse(upload.expires_at) <= (yield* Clock.currentTimeMillis)) return yield* gone
    return upload
  })

  /** The stored bytes. A request that still stores some ends first; a file whose bytes are all there is assembled first. */
  const find = Effect.fn("ResumableUploads.find")(function* (mediaId: string, userId: string) {
    yield* requireOwn(mediaId, userId)
    const upload = yield* locks.settled(mediaId)
    return upload.offset === upload.size && !upload.is_complete
      ? yield* locks.withLock(mediaId, writer.complete)
      : upload
  })

  const append = Effect.fn("ResumableUploads.append")(function* (
    mediaId: string,
    userId: string,
    offset: number,
    length: number | undefined,
    body: UploadWriter.Body,
  ) {
    const stored = yield* requireOwn(mediaId, userId)
    // The offset only grows, so the request that stores bytes at this moment need not end for this one.
    if (offset < stored.offset) return yield* wrongOffset(stored, offset)
    return yield* locks.withLock(
      mediaId,
      Effect.fnUntraced(function* (held: UploadLock.Held) {
        const { upload } = held
        if (offset !== upload.offset) return yield* wrongOffset(upload, offset)
        if (offset + (length ?? 0) > upload.size) return yield* UploadWriter.tooLong(upload.size)
        return upload.is_complete ? upload : yield* writer.append(held, body)
      }),
    )
  })

  const terminate = Effect.fn("ResumableUploads.terminate")(function* (mediaId: string, userId: string) {
    const upload = yield* requireOwn(mediaId, userId)
    if (upload.is_complete) {
      return yield* problem(409, "complete", "the upload is complete; DELETE /v1/media/{id} deletes it")
    }
    yield* remove(mediaId)
  })

  const removeExpired = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    yield* Collection.forEach(uploads, ({ key, value }) =>
      value.is_removed === true || Date.parse(value.expires_at) <= now ? Effect.asVoid(remove(key)) : Effect.void,
    )
    yield* Stream.runForEach(storage.list(options.bucket, piecesFolder), ({ bucket, key, modifiedAt }) =>
      Effect.gen(function* () {
        const mediaId = key.slice(piecesFolder.length).split("/")[0] ?? ""
        if (modifiedAt > now - Duration.toMillis(orphanAge) || Option.isSome(yield* uploads.get(mediaId))) return
        yield* storage.remove({ bucket, key })
      }),
    )
  })

  /** Every node does this; a repetition finds nothing. */
  const sweep = removeExpired.pipe(
    Effect.catch((error) => Effect.logWarning("expired uploads were not deleted; trying again later", { error })),
    // The bucket may not exist before the first interval has passed.
    Effect.delay(sweepInterval),
    Effect.forever,
  )

  return { create, find, append, terminate, removeExpired, sweep }
})

export type ResumableUploads = Effect.Success<ReturnType<typeof make>>
