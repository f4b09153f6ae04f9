/** The transcript of a media: whole, or the cues that contain a phrase. */
import { Transcript, TranscriptEntry, TranscriptState } from "@armoricore/domain/Transcript";
import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api";
import { problems } from "../Problem.ts";
import { firstOf } from "./QueryParameter.ts";
import { Authentication, NoStore } from "./Security.ts";
const statusFields = {
    media_id: TranscriptState.fields.media_id,
    status: TranscriptState.fields.status,
    percent: TranscriptState.fields.percent,
    languages: Schema.Array(Schema.String),
    failed: TranscriptState.fields.failed,
};
/** There is no finished transcript yet. */
export const TranscriptStatus = Schema.Struct(statusFields).annotate({ identifier: "TranscriptStatus" });
export const TranscriptDocument = Schema.Struct({
    ...statusFields,
    ...Transcript.fields,
    caption_urls: TranscriptEntry.fields.caption_urls,
}).annotate({ identifier: "TranscriptDocument" });
export const TranscriptMatch = Schema.Struct({
    start: Schema.Finite.annotate({ description: "Seconds at which the first matching cue begins." }),
    end: Schema.Finite.annotate({ description: "Seconds at which the first matching cue ends." }),
    text: Schema.String.annotate({ description: "The text of all cues that the match spans." }),
});
export const TranscriptSearch = Schema.Struct({
    ...statusFields,
    language: Schema.String,
    q: Schema.String,
    matches: Schema.Array(TranscriptMatch),
}).annotate({ identifier: "TranscriptSearch" });
export class TranscriptApi extends HttpApiGroup.make("transcripts")
    .add(HttpApiEndpoint.get("get", "/v1/media/:id/transcript", {
    params: { id: Schema.String.annotate({ description: "The `media_id`." }) },
    query: {
        language: firstOf("BCP 47. `en` also finds `en-GB`. Default: the transcript that was finished last."),
        q: firstOf("Returns only the cues that contain this phrase. Case, accents and punctuation do not count, " +
            "and a phrase may span cues."),
    },
    // From the most to the fewest fields: the encoder takes the first member that fits.
    success: Schema.Union([TranscriptDocument, TranscriptSearch, TranscriptStatus]),
    error: problems(401, 403, 404, 503),
}).annotateMerge(OpenApi.annotations({ summary: "Read or search a transcript" })))
    .middleware(Authentication)
    .middleware(NoStore)
    .annotateMerge(OpenApi.annotations({ title: "Transcripts" })) {
}
