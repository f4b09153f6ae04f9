/** Payloads of `transcription.*`. */
import { Schema } from "effect"
import { MediaId, UserId } from "../Ids.ts"
import { NonNegativeIntFromJson, optionalNullable, ObjectPath, Timestamp } from "../JsonCodecs.ts"
import { Failure } from "./failure.ts"

export const TranscriptionRequested = Schema.Struct({
  media_id: MediaId,
  user_id: UserId,
  source_file_path: ObjectPath,
  /** BCP 47; absent: detected from the audio. */
  language: optionalNullable(Schema.String),
})

export const TranscriptionComplete = Schema.Struct({
  media_id: MediaId,
  user_id: UserId,
  transcription_id: Schema.String,
  transcript_file_path: ObjectPath,
  language: Schema.String,
  completed_at: Timestamp,
  caption_urls: Schema.Struct({ vtt: Schema.String, srt: Schema.String }),
  /** `draft`: from a test engine, not fit for publication without editing. */
  quality: Schema.String,
  engine: Schema.String,
  word_count: NonNegativeIntFromJson,
})

export const TranscriptionFailed = Schema.Struct({
  media_id: MediaId,
  user_id: UserId,
  error: Failure,
  failed_at: Timestamp,
})
