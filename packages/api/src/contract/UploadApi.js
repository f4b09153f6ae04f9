/** Uploads: the API returns signed URLs, and the client sends the file to the object storage. */
import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api";
import { problems } from "../Problem.ts";
import { Authentication, NoStore } from "./Security.ts";
export const UploadRequest = Schema.Struct({
    filename: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(1024)),
    content_type: Schema.optionalKey(Schema.NullOr(Schema.String.check(Schema.isMaxLength(1024)))).annotate({
        description: "As the browser reports it; parameters are ignored. Absent, empty or unknown: `application/octet-stream`. The " +
            "content of the file decides, not this field.",
    }),
    /** Bytes. */
    size: Schema.Int.check(Schema.isGreaterThan(0)),
});
export const MultipartRequest = Schema.Struct({
    upload_id: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(1024)),
    file_path: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(2048)),
    parts: Schema.optionalKey(Schema.Array(Schema.Struct({
        number: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 })),
        etag: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(256)),
    }))),
});
const SignedRequest = {
    upload_url: Schema.String,
    method: Schema.String,
    headers: Schema.Record(Schema.String, Schema.String),
};
const uploadFields = {
    media_id: Schema.String,
    file_path: Schema.String.annotate({ description: "Publish `media.uploaded` with it after the upload." }),
    upload_token: Schema.String.annotate({
        description: "Proves that the media and the file belong to this user. Pass it on in `media.uploaded`; with " +
            "`MEDIA_UPLOAD_TOKEN=required` an event without it is refused.",
    }),
    expires_at: Schema.String,
};
export const SinglePutUpload = Schema.Struct({ ...uploadFields, ...SignedRequest }).annotate({
    identifier: "SinglePutUpload",
});
export const MultipartUpload = Schema.Struct({
    ...uploadFields,
    upload_id: Schema.String,
    part_size: Schema.Int,
    parts: Schema.Array(Schema.Struct({ number: Schema.Int, size: Schema.Int, ...SignedRequest })),
}).annotate({ identifier: "MultipartUpload" });
const CompletedUpload = Schema.Struct({ media_id: Schema.String, file_path: Schema.String, size: Schema.Int });
const id = { id: Schema.String.annotate({ description: "The `media_id` of the upload." }) };
export class UploadApi extends HttpApiGroup.make("uploads")
    .add(HttpApiEndpoint.post("create", "/v1/uploads", {
    payload: UploadRequest,
    // The multipart form has fields that the other lacks, so it is the first to be tried.
    success: Schema.Union([MultipartUpload, SinglePutUpload]).pipe(HttpApiSchema.status(201)),
    error: problems(400, 401, 403, 413, 422, 503),
}).annotateMerge(OpenApi.annotations({
    summary: "Create an upload",
    description: "Returns a media id and a signed PUT request. A file over 5 GB gets one signed request for each part; " +
        "the client may send parts in any order, in parallel and repeatedly.",
})), HttpApiEndpoint.post("complete", "/v1/uploads/:id/complete", {
    params: id,
    payload: MultipartRequest,
    success: CompletedUpload,
    error: problems(400, 401, 403, 404, 413, 422, 503),
}).annotateMerge(OpenApi.annotations({ summary: "Assemble the file from its parts" })), HttpApiEndpoint.post("abort", "/v1/uploads/:id/abort", {
    params: id,
    payload: MultipartRequest,
    success: HttpApiSchema.NoContent,
    error: problems(400, 401, 403, 404, 413, 422, 503),
}).annotateMerge(OpenApi.annotations({ summary: "Delete the parts" })))
    .middleware(Authentication)
    .middleware(NoStore)
    .annotateMerge(OpenApi.annotations({ title: "Uploads" })) {
}
