/**
 * `POST /v1/uploads`: a media id, and a URL to which the client itself sends the file. No byte of it passes through
 * here. The file becomes media once `media.uploaded` is published with the `file_path` of the answer.
 */
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Clock, Duration, Effect, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Body from "./Body.ts"
import { caller, refuseGuest } from "./Caller.ts"
import { answered, refuse } from "./Problem.ts"

export interface UploadsOptions {
  readonly bucket: string
  /** Bytes; one PUT ends at 5 GB. */
  readonly maxSize: number
  /** Accepted content types; one that ends in `/` stands for its whole family. */
  readonly contentTypes: ReadonlyArray<string>
  /** How long the URL may be used. */
  readonly expiresIn: Duration.Duration
}

export const onePutMax = 5_000_000_000

export const defaults: Omit<UploadsOptions, "bucket"> = {
  maxSize: onePutMax,
  contentTypes: ["video/", "audio/", "application/mp4", "application/ogg", "application/octet-stream"],
  expiresIn: Duration.hours(1),
}

const Wanted = Schema.Struct({
  filename: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(1024)),
  content_type: Schema.String.check(
    Schema.isPattern(/^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/i, {
      expected: "a content type such as video/mp4",
    }),
  ),
  /** Bytes. */
  size: Schema.Int.check(Schema.isGreaterThan(0)),
})

export const layer = (options: UploadsOptions) =>
  HttpRouter.add(
    "POST",
    "/v1/uploads",
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => answered(grant(options, request))),
  )

const grant = Effect.fnUntraced(function* (options: UploadsOptions, request: HttpServerRequest.HttpServerRequest) {
  const storage = yield* ObjectStorage
  const identity = yield* caller(request)
  yield* refuseGuest(identity)
  const { content_type: contentType, filename, size } = yield* Body.json(request, Wanted, 16_384)
  if (size > options.maxSize) {
    return yield* refuse(
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
    return yield* refuse(422, "content_type", `${type} is not accepted; send video or audio`, "content_type")
  }
  const mediaId = crypto.randomUUID()
  const ref = { bucket: options.bucket, key: `uploads/${identity.userId}/${mediaId}/${safeName(filename)}` }
  const presigned = yield* storage.presignPut(ref, { expiresIn: options.expiresIn, contentType: type, size })
  const now = yield* Clock.currentTimeMillis
  yield* Effect.logDebug("upload granted", { media_id: mediaId, size, until: presigned.expiresAt - now })
  return HttpServerResponse.jsonUnsafe(
    {
      media_id: mediaId,
      upload_url: presigned.url,
      method: presigned.method,
      headers: presigned.headers,
      file_path: `s3://${ref.bucket}/${ref.key}`,
      expires_at: new Date(presigned.expiresAt).toISOString(),
    },
    { status: 201, headers: { "cache-control": "no-store" } },
  )
})

/** What is left of a file's name in a key: no path, no character that needs escaping anywhere, the ending kept. */
const safeName = (filename: string): string => {
  const name = filename.split(/[/\\]/).at(-1) ?? ""
  const safe = name
    .normalize("NFKD")
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[.-]+/, "")
    .slice(-96)
  return safe === "" ? "file" : safe
}
