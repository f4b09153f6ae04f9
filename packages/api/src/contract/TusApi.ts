/** Resumable uploads: tus 1.0. The headers of the protocol are in docs/uploads.md; the middleware `TusProtocol` adds the common ones. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { problems } from "../Problem.ts"
import { Authentication, NoStore } from "./Security.ts"
import { uploadFields } from "./UploadApi.ts"

const params = { id: Schema.String.annotate({ description: "The `media_id`, as in `Location`." }) }
const bytes = Schema.Uint8Array.pipe(HttpApiSchema.asUint8Array({ contentType: "application/offset+octet-stream" }))

export const TusUpload = Schema.Struct(uploadFields).annotate({ identifier: "ResumableUpload" })

export class TusApi extends HttpApiGroup.make("tus")
  .add(
    HttpApiEndpoint.post("create", "/v1/uploads/tus", {
      payload: bytes,
      success: TusUpload.pipe(HttpApiSchema.status(201)),
      error: problems(400, 401, 403, 412, 413, 415, 422, 423, 460, 503),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Begin a resumable upload",
        description:
          "`Upload-Length` is the size of the file; `Upload-Metadata` has `filename` and `filetype`. The body may have its first " +
          "bytes. `Location` is the URL of the upload: absolute where `PUBLIC_URL` is set, otherwise a path.",
      }),
    ),
    HttpApiEndpoint.head("offset", "/v1/uploads/tus/:id", {
      params,
      success: HttpApiSchema.Empty(200),
      error: problems(401, 403, 404, 410, 412, 423, 503),
    }).annotateMerge(OpenApi.annotations({ summary: "Read how many bytes are stored (`Upload-Offset`)" })),
    HttpApiEndpoint.patch("append", "/v1/uploads/tus/:id", {
      params,
      payload: bytes,
      success: HttpApiSchema.NoContent,
      error: problems(400, 401, 403, 404, 409, 410, 412, 413, 415, 423, 460, 503),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Store the next bytes",
        description:
          "`Upload-Offset` is the number of stored bytes. With `Upload-Checksum`, a body that differs is dropped.",
      }),
    ),
    HttpApiEndpoint.post("override", "/v1/uploads/tus/:id", {
      params,
      payload: bytes,
      success: HttpApiSchema.NoContent,
      error: problems(400, 401, 403, 404, 409, 410, 412, 413, 415, 423, 460, 503),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "PATCH, DELETE or HEAD by `X-HTTP-Method-Override`, for clients that can only send POST",
      }),
    ),
    HttpApiEndpoint.delete("terminate", "/v1/uploads/tus/:id", {
      params,
      success: HttpApiSchema.NoContent,
      error: problems(401, 403, 404, 409, 410, 412, 503),
    }).annotateMerge(OpenApi.annotations({ summary: "Delete an upload that is not complete" })),
  )
  .middleware(Authentication)
  .middleware(NoStore)
  .annotateMerge(OpenApi.annotations({ title: "Resumable uploads (tus)" })) {}
