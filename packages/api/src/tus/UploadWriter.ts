/**
 * Stores the body of one request after the bytes that are stored already. Each full part goes to the multipart upload and is
 * committed at once, so a connection that breaks loses at most what has not arrived; the rest of the body becomes a piece. With a
 * checksum nothing is committed before the whole body has arrived and matches.
 */
import { NotFound } from "@armoricore/domain/Errors"
import * as ObjectRef from "@armoricore/domain/ObjectRef"
import { piecePrefix, type ResumableUpload } from "@armoricore/domain/ResumableUpload"
import type { StateError } from "@armoricore/state/KeyValue"
import type { ObjectStorage, StorageError } from "@armoricore/storage/ObjectStorage"
import { Clock, Duration, Effect, Stream } from "effect"
import { createHash, timingSafeEqual } from "node:crypto"
import { problem, type ProblemError } from "../Problem.ts"
import type { Checksum } from "./TusHeaders.ts"
import { type Held, notFound } from "./UploadLock.ts"

export interface Body {
  readonly stream: Stream.Stream<Uint8Array, unknown>
  readonly checksum: Checksum | undefined
}

type Failure = ProblemError | StateError | StorageError

export interface WriterOptions {
  /** An upload ends this long after the last request that stored bytes. */
  readonly expiresIn: Duration.Duration
}

/** Many short connections leave many pieces: so many become one. */
const maxPieces = 32

export const tooLong = (size: number) =>
  problem(413, "too_large", `the body goes beyond the Upload-Length of ${size} bytes; send only the rest of the file`)
const mismatch = problem(
  460,
  "checksum_mismatch",
  "the body does not match its checksum and was dropped; send it again from the same offset",
  "Upload-Checksum",
)
const interrupted = problem(400, "unreadable", "the body could not be read to its end; continue at the stored offset")

export const make = (storage: ObjectStorage["Service"], { expiresIn }: WriterOptions) => {
  const expiry = Effect.map(Clock.currentTimeMillis, (now) =>
    new Date(now + Duration.toMillis(expiresIn)).toISOString(),
  )

  const read = (ref: ObjectRef.ObjectRef) =>
    Effect.flatMap(storage.get(ref), ({ body }) =>
      Effect.map(Stream.runCollect(body), (chunks) => Buffer.concat(chunks)),
    )

  /** The bytes after the last complete part. A missing piece means that the upload was removed. */
  const readPieces = ({ file_path, pieces }: ResumableUpload) =>
    Effect.map(
      Effect.forEach(pieces, ({ key }) => read({ bucket: ObjectRef.fromUrl(file_path).bucket, key }), {
        concurrency: 4,
      }),
      (found) => Buffer.concat(found),
    ).pipe(Effect.catchTag("NotFound", () => Effect.fail(notFound)))

  const removePieces = ({ file_path, pieces }: ResumableUpload) =>
    Effect.forEach(pieces, ({ key }) => storage.remove({ bucket: ObjectRef.fromUrl(file_path).bucket, key }), {
      discard: true,
      concurrency: 4,
    })

  /** Assembles the file. The storage may have done it for an earlier request whose process ended before the commit. */
  const finish = Effect.fnUntraced(function* (held: Held, upload: ResumableUpload, rest: Uint8Array) {
    const ref = ObjectRef.fromUrl(upload.file_path)
    const { upload_id: uploadId } = upload
    const assemble =
      uploadId === undefined
        ? storage.put<never, never>(ref, rest, { contentType: upload.content_type })
        : Effect.gen(function* () {
            const number = upload.etags.length + 1
            const last = rest.byteLength === 0 ? [] : [yield* storage.putPart(ref, uploadId, { number, body: rest })]
            const parts = upload.etags.map((etag, index) => ({ number: index + 1, etag }))
            return yield* storage.completeMultipartUpload(ref, uploadId, [...parts, ...last])
          })
    const isThere = Effect.flatMap(storage.head(ref), ({ size }) =>
      size === upload.size ? Effect.void : Effect.fail(new NotFound({ resource: "upload", id: upload.media_id })),
    )
    yield* assemble.pipe(
      Effect.catchTag("NotFound", () => isThere),
      Effect.catchTag("NotFound", () => Effect.fail(notFound)),
    )
    const done = yield* Effect.tapError(
      held.commit({
        offset: upload.size,
        etags: [],
        pieces: [],
        is_complete: true,
        expires_at: yield* expiry,
      }),
      // Removed meanwhile: the removal has not seen this object.
      (error) => (error === notFound ? storage.remove(ref) : Effect.void),
    )
    yield* removePieces(upload)
    return done
  })

  /** An upload whose bytes are all stored, and whose file is not assembled yet. */
  const complete = Effect.fn("UploadWriter.complete")(function* (held: Held) {
    return held.upload.is_complete ? held.upload : yield* finish(held, held.upload, yield* readPieces(held.upload))
  })

  const append = Effect.fn("UploadWriter.append")(function* (held: Held, { checksum, stream }: Body) {
    const ref = ObjectRef.fromUrl(held.upload.file_path)
    const hash = checksum === undefined ? undefined : createHash(checksum.algorithm)
    /** As in the document or, with a checksum, as it will be once the checksum was compared. */
    let upload = held.upload
    let obsolete: ResumableUpload["pieces"] = []
    /** Filled again for each part: new memory for each would cost more time than the copies. */
    let buffer = Buffer.alloc(0)
    const capacity = upload.upload_id === undefined ? upload.size : upload.part_size
    let waiting = 0
    let isDropped = false

    const advance = Effect.fnUntraced(function* (fields: Partial<ResumableUpload>) {
      if (hash !== undefined) {
        upload = { ...upload, ...fields }
        return
      }
      upload = yield* held.commit({ ...fields, expires_at: yield* expiry })
      yield* removePieces({ ...upload, pieces: obsolete })
      obsolete = []
    })

    const stored = () => upload.pieces.reduce((sum, { size }) => sum + size, 0)

    /** Copies what fits, and returns the rest. */
    const fill = (chunk: Uint8Array): Uint8Array => {
      if (buffer.byteLength === 0) buffer = Buffer.allocUnsafeSlow(Math.min(capacity, upload.size - upload.offset))
      const count = Math.min(chunk.byteLength, Math.max(0, capacity - stored() - waiting))
      buffer.set(chunk.subarray(0, count), waiting)
      waiting += count
      return chunk.subarray(count)
    }

    /** The buffer and the pieces before it are a part; after failures of the storage the pieces alone may be longer. */
    const storePart = Effect.fnUntraced(function* (uploadId: string) {
      const own = buffer.subarray(0, waiting)
      const body = upload.pieces.length === 0 ? own : Buffer.concat([yield* readPieces(upload), own])
      const number = upload.etags.length + 1
      const { etag } = yield* Effect.catchTag(storage.putPart(ref, uploadId, { number, body }), "NotFound", () =>
        Effect.fail(notFound),
      )
      const offset = upload.offset + waiting
      waiting = 0
      obsolete = [...obsolete, ...upload.pieces]
      yield* advance({ etags: [...upload.etags, etag], pieces: [], offset })
    })

    const store = Effect.fnUntraced(function* (uploadId: string, chunk: Uint8Array) {
      for (let rest = chunk; ; rest = fill(rest)) {
        if (stored() + waiting >= capacity) yield* storePart(uploadId)
        if (rest.byteLength === 0) return
      }
    })

    const storeRest = Effect.gen(function* () {
      if (waiting === 0 || isDropped) return
      const isMerged = upload.pieces.length >= maxPieces
      const rest = buffer.subarray(0, waiting)
      waiting = 0
      const body = isMerged ? Buffer.concat([yield* readPieces(upload), rest]) : rest
      const key = `${piecePrefix(upload.media_id)}${crypto.randomUUID()}`
      yield* storage.put<never, never>({ bucket: ref.bucket, key }, body, { contentType: "application/octet-stream" })
      const piece = { key, size: body.byteLength }
      if (isMerged) obsolete = [...obsolete, ...upload.pieces]
      yield* Effect.tapError(
        advance({ pieces: isMerged ? [piece] : [...upload.pieces, piece], offset: upload.offset + rest.byteLength }),
        () => storage.remove({ bucket: ref.bucket, key }),
      )
    })

    const receive = Stream.runForEach(
      Stream.mapError(stream, () => interrupted),
      (chunk): Effect.Effect<void, Failure> =>
        Effect.suspend(() => {
          if (upload.offset + waiting + chunk.byteLength > upload.size) {
            isDropped = true
            return Effect.fail(tooLong(upload.size))
          }
          hash?.update(chunk)
          const rest = fill(chunk)
          const { upload_id } = upload
          return upload_id === undefined || (rest.byteLength === 0 && stored() + waiting < capacity)
            ? Effect.void
            : store(upload_id, rest)
        }),
    )

    /** Also when the connection breaks, or another request wants the lock. An unverified body is dropped. */
    const storingRest = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.onError(effect, () =>
        hash === undefined
          ? Effect.catch(storeRest, (error) =>
              error._tag === "ProblemError"
                ? Effect.void
                : Effect.logWarning("the rest of a request was not stored", { error }),
            )
          : Effect.void,
      )
    yield* storingRest(receive)
    if (checksum !== undefined && hash !== undefined && !timingSafeEqual(hash.digest(), checksum.digest))
      return yield* mismatch
    if (upload.offset + waiting === upload.size) {
      const rest = Buffer.concat([yield* readPieces(upload), buffer.subarray(0, waiting)])
      const done = yield* storingRest(finish(held, upload, rest))
      yield* removePieces({ ...upload, pieces: obsolete })
      return done
    }
    yield* storeRest
    if (hash === undefined || upload === held.upload) return upload
    const committed = yield* held.commit({
      offset: upload.offset,
      etags: upload.etags,
      pieces: upload.pieces,
      expires_at: yield* expiry,
    })
    yield* removePieces({ ...upload, pieces: obsolete })
    return committed
  })

  return { append, complete, expiry }
}
