/** A media from upload to stream, or its audio from request to captions, as shown to operators. */
import { Id } from "@armoricore/domain/JsonCodecs";
import { Schema } from "effect";
export const JobKind = Schema.Literals(["media", "transcription"]);
export const JobStatus = Schema.Literals(["processing", "ready", "failed"]);
export const Job = Schema.Struct({
    kind: JobKind,
    /** A media has one job of each kind, for the newest upload and the newest request. */
    media_id: Schema.String,
    user_id: Schema.String,
    status: JobStatus,
    /** `queued`, then `downloading`, `probing`, `transcoding`, `publishing`, or `transcribing`. */
    stage: Schema.String,
    /** 0 to 100 over the whole job. */
    percent: Schema.Finite,
    /** The event `media.uploaded` or `transcription.requested`, or the retry request. */
    event_id: Schema.String,
    /** RFC 3339. */
    updated_at: Schema.String,
    trace_id: Schema.optionalKey(Schema.String),
    request_id: Schema.optionalKey(Schema.String),
    error: Schema.optionalKey(Schema.Struct({ code: Schema.String, message: Schema.String })),
    /** The request is still stored, so the job can be retried. */
    retryable: Schema.Boolean,
    /** Seconds. */
    duration: Schema.optionalKey(Schema.Finite),
    resolutions: Schema.Array(Schema.String),
    thumbnails: Schema.Array(Schema.String),
    playback: Schema.optionalKey(Schema.String),
    /** The languages of its transcripts (BCP 47). */
    languages: Schema.optionalKey(Schema.Array(Schema.String)),
    /** Milliseconds by stage. */
    timings: Schema.Record(Schema.String, Schema.Finite),
});
export const JobFilter = {
    kind: Schema.optionalKey(JobKind),
    status: Schema.optionalKey(JobStatus),
    /** Part of a media id or user id. */
    query: Schema.optionalKey(Schema.String),
    /** Maximum jobs; default 100, at most 500. */
    limit: Schema.optionalKey(Schema.Int),
};
/** Default: the media's own job. */
export const JobTarget = { media_id: Id, kind: Schema.optionalKey(JobKind) };
