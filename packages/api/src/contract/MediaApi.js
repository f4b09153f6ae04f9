/** The state of a media, and the commands on it, for its owner and for operators. */
import { UploadedCaptions } from "@armoricore/domain/CaptionTrack";
import { MediaState } from "@armoricore/domain/MediaState";
import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api";
import { problems } from "../Problem.ts";
import { Authentication, NoStore } from "./Security.ts";
const { cues, kind, language, title, uploaded_at } = UploadedCaptions.fields;
/** Without the key of the object. */
const CaptionsOfMedia = Schema.Struct({ language, kind, title, cues, uploaded_at });
/** Without object prefixes, attempts and request ids: those are internal. */
export const MediaResponse = Schema.Struct({
    media_id: MediaState.fields.media_id,
    user_id: MediaState.fields.user_id,
    status: MediaState.fields.status,
    stage: MediaState.fields.stage,
    percent: MediaState.fields.percent,
    renditions: MediaState.fields.renditions,
    timings: MediaState.fields.timings,
    captions: Schema.optionalKey(Schema.Record(Schema.String, CaptionsOfMedia)),
    playable: MediaState.fields.playable,
    ready: MediaState.fields.ready,
    failed: MediaState.fields.failed,
    updated_at: MediaState.fields.updated_at,
}).annotate({ identifier: "Media" });
const Accepted = Schema.Struct({ media_id: MediaState.fields.media_id }).pipe(HttpApiSchema.status(202));
const params = { id: Schema.String.annotate({ description: "The `media_id`." }) };
export class MediaApi extends HttpApiGroup.make("media")
    .add(HttpApiEndpoint.get("get", "/v1/media/:id", {
    params,
    success: MediaResponse,
    error: problems(401, 403, 404, 503),
}).annotateMerge(OpenApi.annotations({ summary: "Read the state of a media" })), HttpApiEndpoint.delete("delete", "/v1/media/:id", {
    params,
    success: Accepted,
    error: problems(401, 403, 404, 503),
}).annotateMerge(OpenApi.annotations({
    summary: "Delete a media",
    description: "Queues the deletion of the upload, all renditions and the state.",
})), HttpApiEndpoint.post("cancel", "/v1/media/:id/cancel", {
    params,
    success: Accepted,
    error: problems(401, 403, 404, 409, 503),
}).annotateMerge(OpenApi.annotations({ summary: "Cancel the processing of a media" })), HttpApiEndpoint.post("retry", "/v1/media/:id/retry", {
    params,
    success: Accepted,
    error: problems(401, 403, 404, 409, 503),
}).annotateMerge(OpenApi.annotations({ summary: "Process a failed media again" })))
    .middleware(Authentication)
    .middleware(NoStore)
    .annotateMerge(OpenApi.annotations({ title: "Media" })) {
}
