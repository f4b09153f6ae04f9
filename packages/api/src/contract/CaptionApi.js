/** Captions that the owner of a media uploads. */
import { CaptionKind } from "@armoricore/domain/CaptionTrack";
import { MediaId } from "@armoricore/domain/Ids";
import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api";
import { problems } from "../Problem.ts";
import { firstOf } from "./QueryParameter.ts";
import { Authentication, NoStore } from "./Security.ts";
const params = { id: Schema.String.annotate({ description: "The `media_id`." }) };
const query = {
    language: firstOf("A language tag of BCP 47, such as `de` or `pt-BR`."),
    kind: firstOf("`subtitles`, `captions` (with sounds and speakers) or `forced`. Default: `captions`."),
};
const track = { media_id: MediaId, language: Schema.String, kind: CaptionKind };
export class CaptionApi extends HttpApiGroup.make("captions")
    .add(HttpApiEndpoint.post("set", "/v1/media/:id/captions", {
    params,
    query: { ...query, title: firstOf("The name in the menu of a player.") },
    payload: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/vtt" })),
    success: Schema.Struct({ ...track, cues: Schema.Int }).pipe(HttpApiSchema.status(202)),
    error: problems(401, 403, 404, 413, 422, 503),
}).annotateMerge(OpenApi.annotations({
    summary: "Upload captions",
    description: "The body is a WebVTT or SubRip file in UTF-8, at most 2 MB. It replaces an earlier one of this language and kind, " +
        "and the transcript of this language.",
})), HttpApiEndpoint.delete("remove", "/v1/media/:id/captions", {
    params,
    query,
    success: Schema.Struct(track).pipe(HttpApiSchema.status(202)),
    error: problems(401, 403, 404, 422, 503),
}).annotateMerge(OpenApi.annotations({
    summary: "Delete uploaded captions",
    description: "The transcript of this language, if there is one, returns to the stream.",
})))
    .middleware(Authentication)
    .middleware(NoStore)
    .annotateMerge(OpenApi.annotations({ title: "Captions" })) {
}
