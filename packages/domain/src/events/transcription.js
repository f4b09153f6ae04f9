/** Payloads of `transcription.*`. */
import { Schema } from "effect";
import { MediaId, UserId } from "../Ids.ts";
import { NonNegativeIntFromJson, optionalNullable, ObjectPath, Timestamp } from "../JsonCodecs.ts";
import { Failure } from "./failure.ts";
export const TranscriptionRequested = Schema.Struct({
    media_id: MediaId,
    user_id: UserId,
    source_file_path: ObjectPath,
    /** BCP 47; absent: detected from the audio. */
    language: optionalNullable(Schema.String),
    /** `true` asks the engine again, even for audio that it has transcribed before. */
    force: optionalNullable(Schema.Boolean),
});
export const TranscriptionComplete = Schema.Struct({
    media_id: MediaId,
    user_id: UserId,
    transcription_id: Schema.String,
    transcript_file_path: ObjectPath,
    language: Schema.String,
    completed_at: Timestamp,
    caption_urls: Schema.Struct({ vtt: Schema.String, srt: Schema.String }),
    /**
     * `standard`; `draft`: from a test engine, not fit for publication without editing; `unrecognized`: sound in which the
     * engine found no words; `no_speech`: silence; `no_audio`: no audio track.
     */
    quality: Schema.String,
    engine: Schema.String,
    word_count: NonNegativeIntFromJson,
});
export const TranscriptionFailed = Schema.Struct({
    media_id: MediaId,
    user_id: UserId,
    error: Failure,
    failed_at: Timestamp,
});
