/**
 * `/v1/uploads/tus`: resumable uploads by the protocol tus 1.0, with the rights and limits of `/v1/uploads`. The responses name
 * the media, its file and the upload token in headers, also when a client returns after a reload.
 *
 * `Location` is the public URL of the upload where one is set, and otherwise a path, which is right for every host name.
 */
import type { ResumableUpload } from "@armoricore/domain/ResumableUpload"
import * as UploadToken from "@armoricore/domain/UploadToken"
import type { Duration } from "effect"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { rejectGuest } from "../Authentication.ts"
import { ArmoricoreApi } from "../contract/ArmoricoreApi.ts"
import { CurrentIdentity } from "../contract/Security.ts"
import { type ApiError, asProblem, problem, toResponse } from "../Problem.ts"
import { assignFile, checkSize, storedTypeOf, type UploadsOptions } from "../UploadHandlers.ts"
import * as ResumableUploads from "./ResumableUploads.ts"
import * as TusHeaders from "./TusHeaders.ts"
import type { LockTimes } from "./UploadLock.ts"

export interface TusOptions {
  /** An upload is deleted this long after the last request that stored bytes. */
  readonly expiresIn: Duration.Duration
  /** The URL that clients use, without a trailing slash, if it is set: a proxy may add a path. */
  readonly publicUrl?: string
  /** Bytes, at least 5 MiB. */
  readonly partSize?: number
  readonly lock?: LockTimes
}

/** A request holds at most this much in memory, for files up to 8 GB. */
const defaultPartSize = 8 * 1024 * 1024

type Request = HttpServerRequest.HttpServerRequest

export const layer = (uploads: UploadsOptions, tus: TusOptions) =>
  HttpApiBuilder.group(
    ArmoricoreApi,
    "tus",
    Effect.fnUntraced(function* (handlers) {
      const store = yield* ResumableUploads.make({
        bucket: uploads.bucket,
        partSize: tus.partSize ?? defaultPartSize,
        expiresIn: tus.expiresIn,
        ...(tus.lock === undefined ? {} : { lock: tus.lock }),
      })
      yield* Effect.forkScoped(store.sweep)

      const identified = Effect.gen(function* () {
        const identity = yield* CurrentIdentity
        yield* rejectGuest(identity)
        return identity
      })

      const headersOf = (upload: ResumableUpload): Readonly<Record<string, string>> => ({
        "upload-offset": String(upload.offset),
        "armoricore-media-id": upload.media_id,
        "armoricore-file-path": upload.file_path,
        "armoricore-upload-token": UploadToken.issue(uploads.tokenKey, upload),
        // Of a complete upload only the document expires.
        ...(upload.is_complete ? {} : { "upload-expires": new Date(upload.expires_at).toUTCString() }),
      })

      const bodyOf = Effect.fnUntraced(function* (request: Request) {
        return { stream: request.stream, checksum: yield* TusHeaders.uploadChecksum(request.headers) }
      })

      const create = Effect.fn("TusApi.create")(function* (request: Request) {
        const { headers } = request
        const { userId } = yield* identified
        const size = yield* TusHeaders.uploadLength(headers)
        if (size === 0)
          return yield* problem(422, "invalid", "the file is empty; send one with content", "Upload-Length")
        yield* checkSize(uploads, size, "Upload-Length")
        const metadata = yield* TusHeaders.uploadMetadata(headers)
        const named = metadata.get("filetype") ?? metadata.get("type") ?? metadata.get("content_type")
        const type = yield* storedTypeOf(uploads, named, "Upload-Metadata")
        const length = TusHeaders.bodyLength(headers)
        const hasBody = (length ?? 0) > 0 || headers["transfer-encoding"] !== undefined
        if (hasBody) yield* TusHeaders.requireContentType(headers)
        const body = yield* bodyOf(request)
        const filename = metadata.get("filename") ?? metadata.get("name") ?? "file"
        const { ref, upload_token, ...file } = assignFile(uploads, userId, filename)
        const created = yield* store.create(
          { ...file, user_id: userId, content_type: type, size, metadata: headers["upload-metadata"] ?? "" },
          ref,
        )
        const upload = hasBody ? yield* store.append(file.media_id, userId, 0, length, body) : created
        const location = `${tus.publicUrl ?? ""}${path}/${file.media_id}`
        return HttpServerResponse.jsonUnsafe(
          { ...file, upload_token, expires_at: upload.expires_at },
          { status: 201, headers: { ...headersOf(upload), location } },
        )
      })

      const offset = Effect.fn("TusApi.offset")(function* (id: string) {
        const { userId } = yield* identified
        const upload = yield* store.find(id, userId)
        return HttpServerResponse.empty({
          status: 200,
          headers: {
            ...headersOf(upload),
            "upload-length": String(upload.size),
            ...(upload.metadata === "" ? {} : { "upload-metadata": upload.metadata }),
          },
        })
      })

      const append = Effect.fn("TusApi.append")(function* (id: string, request: Request) {
        const { userId } = yield* identified
        yield* TusHeaders.requireContentType(request.headers)
        const from = yield* TusHeaders.uploadOffset(request.headers)
        const length = TusHeaders.bodyLength(request.headers)
        const upload = yield* store.append(id, userId, from, length, yield* bodyOf(request))
        return HttpServerResponse.empty({ status: 204, headers: headersOf(upload) })
      })

      const terminate = Effect.fn("TusApi.terminate")(function* (id: string) {
        const { userId } = yield* identified
        yield* store.terminate(id, userId)
        return HttpServerResponse.empty({ status: 204 })
      })

      const override = (id: string, request: Request) => {
        switch (request.headers["x-http-method-override"]?.toUpperCase()) {
          case "PATCH":
            return append(id, request)
          case "DELETE":
            return terminate(id)
          case "HEAD":
            return offset(id)
          default:
            return Effect.fail(
              problem(
                400,
                "invalid_header",
                "a POST to an upload needs the header X-HTTP-Method-Override with PATCH, DELETE or HEAD",
                "X-HTTP-Method-Override",
              ),
            )
        }
      }

      const respond = <R>(handler: Effect.Effect<HttpServerResponse.HttpServerResponse, ApiError, R>) =>
        Effect.map(asProblem(handler), HttpServerResponse.setHeader("cache-control", "no-store"))
      return handlers
        .handleRaw("create", ({ request }) => respond(create(request)))
        .handleRaw("offset", ({ params }) => respond(offset(params.id)))
        .handleRaw("append", ({ params, request }) => respond(append(params.id, request)))
        .handleRaw("override", ({ params, request }) => respond(override(params.id, request)))
        .handleRaw("terminate", ({ params }) => respond(terminate(params.id)))
    }),
  )

export const path = "/v1/uploads/tus"

/** The headers that a client of another origin sends, and those that it reads. */
export const requestHeaders = [
  "tus-resumable",
  "upload-checksum",
  "upload-length",
  "upload-metadata",
  "upload-offset",
  "x-http-method-override",
  "x-request-id",
  "x-requested-with",
]
export const responseHeaders = [
  "armoricore-file-path",
  "armoricore-media-id",
  "armoricore-upload-token",
  "location",
  "retry-after",
  "tus-checksum-algorithm",
  "tus-extension",
  "tus-max-size",
  "tus-resumable",
  "tus-version",
  "upload-expires",
  "upload-length",
  "upload-metadata",
  "upload-offset",
]

/** The protocol's version on every response, its check on every request, and the description that `OPTIONS` returns. */
export const protocol = ({ maxSize }: UploadsOptions): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  HttpRouter.use((router) =>
    router.addGlobalMiddleware((routes) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
        if (request.url.split(/[/?]/).slice(1, 4).join("/") !== path.slice(1)) return routes
        const answer =
          request.method === "OPTIONS"
            ? Effect.succeed(HttpServerResponse.empty({ status: 204, headers: description(maxSize) }))
            : request.headers["tus-resumable"] === TusHeaders.version
              ? routes
              : Effect.succeed(HttpServerResponse.setHeader(wrongVersion, "tus-version", TusHeaders.version))
        return Effect.map(answer, HttpServerResponse.setHeader("tus-resumable", TusHeaders.version))
      }),
    ),
  )

const description = (maxSize: number) => ({
  "tus-version": TusHeaders.version,
  "tus-extension": TusHeaders.extensions,
  "tus-max-size": String(maxSize),
  "tus-checksum-algorithm": TusHeaders.checksumAlgorithms,
})

const wrongVersion = toResponse(
  problem(412, "tus_version", `send the header Tus-Resumable: ${TusHeaders.version}`, "Tus-Resumable"),
)
