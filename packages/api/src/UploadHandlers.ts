/**
 * `/v1/uploads`: the client sends the file to the object storage with signed requests, so no byte of it passes through
 * this process. The file becomes a media once `media.uploaded` is published with the returned `file_path`.
 *
 * The content type is only a hint: the file is judged by its content after the upload. Types that the media service takes
 * are stored with the object; every other one becomes `application/octet-stream`, so that the storage never serves an
 * upload as a web page. Documents that are certainly no recording are refused before the client sends them.
 *
 * A file that is too large for one PUT is sent in parts (S3 multipart upload): the response has an `upload_id` and a
 * signed request for each part. `complete` takes the ETags of these PUTs, `abort` deletes the parts.
 */
import { fromUrl, toUrl, uploadPrefix } from "@armoricore/domain/ObjectRef"
import * as UploadToken from "@armoricore/domain/UploadToken"
import { type ObjectRef, ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Duration, Effect, type Redacted } from "effect"
import type { HttpServerRequest } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { rejectGuest } from "./Authentication.ts"
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts"
import { CurrentIdentity } from "./contract/Security.ts"
import { MultipartRequest, UploadRequest } from "./contract/UploadApi.ts"
import { type ApiError, asProblem, problem, type ProblemError } from "./Problem.ts"
import * as RequestBody from "./RequestBody.ts"

export interface UploadsOptions {
  readonly bucket: string
  /** Signs the `upload_token` of each response. */
  readonly tokenKey: Redacted.Redacted<string>
  /** Bytes. */
  readonly maxSize: number
  /** A larger file is sent in parts. S3 limits one PUT to 5 GB. */
  readonly maxSinglePutSize: number
  /** Bytes, at least 5 MiB. A file with more than 1000 parts of this size gets larger parts. */
  readonly partSize: number
  /** Content types that are stored as they are; `video/` stands for all of video. The others become octet streams. */
  readonly contentTypes: ReadonlyArray<string>
  /** Content types that are refused. */
  readonly refusedContentTypes: ReadonlyArray<string>
  /** Lifetime of the signed URLs. */
  readonly expiresIn: Duration.Duration
}

export const maxPutSize = 5_000_000_000

export const defaults: Omit<UploadsOptions, "bucket" | "tokenKey"> = {
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
    "image/avif",
    "image/apng",
  ],
  refusedContentTypes: [
    "text/html",
    "text/css",
    "text/csv",
    "text/plain",
    "text/javascript",
    "text/xml",
    "application/javascript",
    "application/json",
    "application/xml",
    "application/xhtml+xml",
    "application/pdf",
    "application/zip",
    "application/msword",
    "application/vnd.openxmlformats-officedocument.",
    "application/vnd.oasis.opendocument.",
    "image/svg+xml",
    "image/heic",
    "image/heif",
    "image/tiff",
    "font/",
  ],
  expiresIn: Duration.hours(1),
}

const maxRequestBytes = 16_384
const maxMultipartRequestBytes = 1_000_000

export const layer = (options: UploadsOptions) =>
  HttpApiBuilder.group(
    ArmoricoreApi,
    "uploads",
    Effect.fnUntraced(function* (handlers) {
      const context = yield* Effect.context<ObjectStorage>()
      const respond = <A>(handler: Effect.Effect<A, ApiError, ObjectStorage | CurrentIdentity>) =>
        asProblem(Effect.provide(handler, context))
      // Raw: RequestBody limits the size and names the wrong field.
      return handlers
        .handleRaw("create", ({ request }) => respond(createUpload(options, request)))
        .handleRaw("complete", ({ params, request }) => respond(complete(options, params.id, request)))
        .handleRaw("abort", ({ params, request }) => respond(abort(options, params.id, request)))
    }),
  )

const createUpload = Effect.fn("UploadApi.create")(function* (
  options: UploadsOptions,
  request: HttpServerRequest.HttpServerRequest,
) {
  const storage = yield* ObjectStorage
  const identity = yield* CurrentIdentity
  yield* rejectGuest(identity)
  const { content_type: contentType, filename, size } = yield* RequestBody.json(request, UploadRequest, maxRequestBytes)
  yield* checkSize(options, size, "size")
  const type = yield* storedTypeOf(options, contentType, "content_type")
  const { ref, ...upload } = assignFile(options, identity.userId, filename)
  yield* Effect.logDebug("upload created", { media_id: upload.media_id, size })
  if (size > options.maxSinglePutSize) {
    return { ...upload, ...(yield* createMultipartUpload(options, ref, type, size)) }
  }
  const presigned = yield* storage.presignPut(ref, { expiresIn: options.expiresIn, contentType: type, size })
  return {
    ...upload,
    upload_url: presigned.url,
    method: presigned.method,
    headers: presigned.headers,
    expires_at: new Date(presigned.expiresAt).toISOString(),
  }
})

/** `path` names the field or header in the problem. */
export const checkSize = (options: UploadsOptions, size: number, path: string): Effect.Effect<void, ProblemError> =>
  size > options.maxSize
    ? Effect.fail(
        problem(413, "too_large", `the file has ${size} bytes; one upload has at most ${options.maxSize}`, path),
      )
    : Effect.void

/** The content type that the object gets. `path` names the field or header in the problem. */
export const storedTypeOf = (
  options: UploadsOptions,
  contentType: string | null | undefined,
  path: string,
): Effect.Effect<string, ProblemError> => {
  const named = mediaTypeOf(contentType)
  return matchesType(options.refusedContentTypes, named)
    ? Effect.fail(problem(422, "content_type", `${named} is not accepted; send video, audio or an image`, path))
    : Effect.succeed(matchesType(options.contentTypes, named) ? named : octetStream)
}

/** A new media id with the place of its file, and the token that proves both. */
export const assignFile = (options: UploadsOptions, userId: string, filename: string) => {
  const mediaId = UploadToken.newMediaId(options.tokenKey, userId)
  const ref = { bucket: options.bucket, key: `${uploadPrefix(userId, mediaId)}${sanitizeFilename(filename)}` }
  const file = { media_id: mediaId, file_path: toUrl(ref) }
  return { ...file, ref, upload_token: UploadToken.issue(options.tokenKey, { ...file, user_id: userId }) }
}

const octetStream = "application/octet-stream"

/** `video/webm;codecs=vp9` is `video/webm`; what is no media type (RFC 9110) is unknown. */
const mediaTypeOf = (contentType: string | null | undefined): string => {
  const type = (contentType ?? "").split(/[;,]/)[0]?.trim().toLowerCase() ?? ""
  return /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/.test(type) ? type : octetStream
}

/** An entry that ends with `/` or `.` stands for all types that begin with it. */
const matchesType = (list: ReadonlyArray<string>, type: string): boolean =>
  list.some((entry) => (/[/.]$/.test(entry) ? type.startsWith(entry) : type === entry))

const maxParts = 1000

/** A large file takes long to send, so its URLs are valid for at least a day. */
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
  return {
    upload_id: uploadId,
    part_size: partSize,
    parts: parts.map(({ part }) => part),
    // The first URL was signed first, so it is the first to expire.
    expires_at: new Date(parts[0]?.expiresAt ?? 0).toISOString(),
  }
})

/** Reads the request about a multipart upload, which must belong to the caller. */
const readMultipartRequest = Effect.fnUntraced(function* (
  options: UploadsOptions,
  mediaId: string,
  request: HttpServerRequest.HttpServerRequest,
) {
  const identity = yield* CurrentIdentity
  yield* rejectGuest(identity)
  const body = yield* RequestBody.json(request, MultipartRequest, maxMultipartRequestBytes)
  const prefix = toUrl({ bucket: options.bucket, key: uploadPrefix(identity.userId, mediaId) })
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(mediaId) || !body.file_path.startsWith(prefix)) {
    return yield* problem(404, "not_found", "you have no upload with this id; begin one with POST /v1/uploads")
  }
  return { ref: fromUrl(body.file_path), body }
})

const complete = Effect.fn("UploadApi.complete")(function* (
  options: UploadsOptions,
  mediaId: string,
  request: HttpServerRequest.HttpServerRequest,
) {
  const storage = yield* ObjectStorage
  const { body, ref } = yield* readMultipartRequest(options, mediaId, request)
  const parts = [...(body.parts ?? [])].sort((a, b) => a.number - b.number)
  if (parts.length === 0 || parts.some(({ number }, index) => number !== index + 1)) {
    return yield* problem(422, "invalid", "name every part once, from 1 on, with the ETag of its PUT", "parts")
  }
  const info = yield* storage
    .completeMultipartUpload(ref, body.upload_id, parts)
    .pipe(
      Effect.catchTag("NotFound", () =>
        Effect.fail(
          problem(
            422,
            "parts_missing",
            "the upload has ended, or the storage lacks a part with this ETag; send it again",
            "parts",
          ),
        ),
      ),
    )
  return { media_id: mediaId, file_path: body.file_path, size: info.size }
})

const abort = Effect.fn("UploadApi.abort")(function* (
  options: UploadsOptions,
  mediaId: string,
  request: HttpServerRequest.HttpServerRequest,
) {
  const storage = yield* ObjectStorage
  const { body, ref } = yield* readMultipartRequest(options, mediaId, request)
  yield* storage.abortMultipartUpload(ref, body.upload_id)
})

/** A filename that is safe in an object key and in a URL. Keeps the end of the name, which has the extension. */
const sanitizeFilename = (filename: string): string => {
  const name = filename.split(/[/\\]/).at(-1) ?? ""
  const safe = name
    .normalize("NFKD")
    // An accent, which is now a character of its own.
    .replaceAll(/\p{M}+/gu, "")
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .replaceAll(/-+\./g, ".")
    .replace(/^[.-]*(?=\.[A-Za-z0-9])/, "file")
    .replace(/^[.-]+/, "")
    .slice(-96)
  return safe === "" ? "file" : safe
}
