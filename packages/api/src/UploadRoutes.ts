/**
 * `POST /v1/uploads`: a media id, and a URL to which the client itself sends the file. No byte of it passes through
 * here. The file becomes media once `media.uploaded` is published with the `file_path` of the answer.
 *
 * A file that is too large for one PUT is sent in parts: the answer has an `upload_id` and a URL for each part; every
 * PUT is answered with an ETag, and `POST /v1/uploads/{media_id}/complete` with these makes the file of its parts
 * (`POST /v1/uploads/{media_id}/abort` removes them). Parts can be sent in any order, several at once, and again.
 */
import { fromUrl, toUrl } from "@armoricore/domain/ObjectRef"
import { type ObjectRef, ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Duration, Effect, Schema } from "effect"
import { HttpRouter, type HttpServerRequest, HttpServerResponse } from "effect/http"
import * as RequestBody from "./RequestBody.ts"
import { authenticate, rejectGuest } from "./Authentication.ts"
import { catchProblems, problem } from "./Problem.ts"

export interface UploadsOptions {
  readonly bucket: string
  /** Bytes. */
  readonly maxSize: number
  /** Larger files are sent in parts. One PUT ends at 5 GB. */
  readonly maxSinglePutSize: number
  /** Bytes of a part, more where a file would have more than a thousand of them; at least 5 MiB. */
  readonly partSize: number
  /** Accepted content types; one that ends in `/` stands for its whole family. */
  readonly contentTypes: ReadonlyArray<string>
  /** How long the URL may be used. */
  readonly expiresIn: Duration.Duration
}

export const maxPutSize = 5_000_000_000

export const defaults: Omit<UploadsOptions, "bucket"> = {
  maxSize: 50_000_000_000,
  maxSinglePutSize: maxPutSize,
  partSize: 64 * 1024 * 1024,
  contentTypes: [
    "video/",
    "audio/",
    "application/mp4",
    "application/ogg",
    "application/mxf",
    "application/octet-stream",
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "image/bmp",
  ],
  expiresIn: Duration.hours(1),
}

const UploadRequest = Schema.Struct({
  filename: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(1024)),
  content_type: Schema.String.check(
    Schema.isPattern(/^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/i, {
      expected: "a content type such as video/mp4",
    }),
  ),
  /** Bytes. */
  size: Schema.Int.check(Schema.isGreaterThan(0)),
})

const MultipartRequest = Schema.Struct({
  upload_id: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(1024)),
  file_path: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(2048)),
  parts: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        number: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 })),
        etag: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(256)),
      }),
    ),
  ),
})

export const layer = (options: UploadsOptions) =>
  HttpRouter.use(
    Effect.fnUntraced(function* (router) {
      yield* router.add("POST", "/v1/uploads", (request) => catchProblems(createUpload(options, request)))
      yield* router.add("POST", "/v1/uploads/:id/complete", (request) => catchProblems(complete(options, request)))
      yield* router.add("POST", "/v1/uploads/:id/abort", (request) => catchProblems(abort(options, request)))
    }),
  )

const createUpload = Effect.fnUntraced(function* (
  options: UploadsOptions,
  request: HttpServerRequest.HttpServerRequest,
) {
  const storage = yield* ObjectStorage
  const identity = yield* authenticate(request)
  yield* rejectGuest(identity)
  const { content_type: contentType, filename, size } = yield* RequestBody.json(request, UploadRequest, 16_384)
  if (size > options.maxSize) {
    return yield* problem(
      413,
      "too_large",
      `the file has ${size} bytes; one upload has at most ${options.maxSize}`,
      "size",
    )
  }
  const type = contentType.toLowerCase()
  if (
    !options.contentTypes.some((accepted) => (accepted.endsWith("/") ? type.startsWith(accepted) : type === accepted))
  ) {
    return yield* problem(
      422,
      "content_type",
      `${type} is not accepted; send video, audio or a picture`,
      "content_type",
    )
  }
  const mediaId = crypto.randomUUID()
  const ref = { bucket: options.bucket, key: `uploads/${identity.userId}/${mediaId}/${sanitizeFilename(filename)}` }
  const known = { media_id: mediaId, file_path: toUrl(ref) }
  yield* Effect.logDebug("upload granted", { media_id: mediaId, size })
  if (size > options.maxSinglePutSize) {
    return created({ ...known, ...(yield* createMultipartUpload(options, ref, type, size)) })
  }
  const presigned = yield* storage.presignPut(ref, { expiresIn: options.expiresIn, contentType: type, size })
  return created({
    ...known,
    upload_url: presigned.url,
    method: presigned.method,
    headers: presigned.headers,
    expires_at: new Date(presigned.expiresAt).toISOString(),
  })
})

const created = (body: object) =>
  HttpServerResponse.jsonUnsafe(body, { status: 201, headers: { "cache-control": "no-store" } })

const maxParts = 1000

/** A large file takes long to send, so its URLs live a day at least. */
const createMultipartUpload = Effect.fnUntraced(function* (
  options: UploadsOptions,
  ref: ObjectRef,
  contentType: string,
  size: number,
) {
  const storage = yield* ObjectStorage
  const partSize = Math.max(options.partSize, Math.ceil(size / maxParts))
  const uploadId = yield* storage.createMultipartUpload(ref, { contentType })
  const expiresIn = Duration.max(options.expiresIn, Duration.hours(24))
  const parts = yield* Effect.forEach(
    Array.from({ length: Math.ceil(size / partSize) }, (_, index) => index),
    (index) => {
      const part = { number: index + 1, size: Math.min(partSize, size - index * partSize), expiresIn }
      return Effect.map(storage.presignPart(ref, uploadId, part), ({ expiresAt, headers, method, url }) => ({
        part: { number: part.number, size: part.size, upload_url: url, method, headers },
        expiresAt,
      }))
    },
    { concurrency: 16 },
  )
  const first = parts[0]?.expiresAt ?? 0
  return {
    upload_id: uploadId,
    part_size: partSize,
    parts: parts.map(({ part }) => part),
    expires_at: new Date(first).toISOString(),
  }
})

/** The upload that a request is about: it must be the caller's own. */
const readMultipartRequest = Effect.fnUntraced(function* (
  options: UploadsOptions,
  request: HttpServerRequest.HttpServerRequest,
) {
  const identity = yield* authenticate(request)
  yield* rejectGuest(identity)
  const { id = "" } = yield* HttpRouter.params
  const wanted = yield* RequestBody.json(request, MultipartRequest, 1_000_000)
  const prefix = toUrl({ bucket: options.bucket, key: `uploads/${identity.userId}/${id}/` })
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(id) || !wanted.file_path.startsWith(prefix)) {
    return yield* problem(404, "not_found", "there is no such upload of yours; begin one with POST /v1/uploads")
  }
  return { ref: fromUrl(wanted.file_path), wanted, mediaId: id }
})

const complete = Effect.fnUntraced(function* (options: UploadsOptions, request: HttpServerRequest.HttpServerRequest) {
  const storage = yield* ObjectStorage
  const { mediaId, ref, wanted } = yield* readMultipartRequest(options, request)
  const parts = [...(wanted.parts ?? [])].sort((a, b) => a.number - b.number)
  if (parts.length === 0 || parts.some(({ number }, index) => number !== index + 1)) {
    return yield* problem(422, "invalid", "name every part once, from 1 on, with the ETag of its PUT", "parts")
  }
  const info = yield* storage
    .completeMultipartUpload(ref, wanted.upload_id, parts)
    .pipe(
      Effect.catchTag("NotFound", () =>
        Effect.fail(
          problem(
            422,
            "parts_missing",
            "the upload has ended, or a part is not there as named; send it again",
            "parts",
          ),
        ),
      ),
    )
  return HttpServerResponse.jsonUnsafe(
    { media_id: mediaId, file_path: wanted.file_path, size: info.size },
    { headers: { "cache-control": "no-store" } },
  )
})

const abort = Effect.fnUntraced(function* (options: UploadsOptions, request: HttpServerRequest.HttpServerRequest) {
  const storage = yield* ObjectStorage
  const { ref, wanted } = yield* readMultipartRequest(options, request)
  yield* storage.abortMultipartUpload(ref, wanted.upload_id)
  return HttpServerResponse.empty({ status: 204 })
})

/** What is left of a file's name in a key: no path, no character that needs escaping anywhere, the ending kept. */
const sanitizeFilename = (filename: string): string => {
  const name = filename.split(/[/\\]/).at(-1) ?? ""
  const safe = name
    .normalize("NFKD")
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[.-]+/, "")
    .slice(-96)
  return safe === "" ? "file" : safe
}
