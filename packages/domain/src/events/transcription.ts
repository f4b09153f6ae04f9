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
  /** `true` asks the engine again, even for audio that it has transcribed before. */
  force: optionalNullable(Schema.Boolean),
  /** Names and terms of the recording, which the engine then writes as here. */
  vocabulary: optionalNullable(
    Schema.Array(Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(80))).check(Schema.isMaxLength(100)),
  ),
  /** BCP 47: languages of further captions, beside those of `CAPTION_LANGUAGES`. */
  translate: optionalNullable(Schema.Array(Schema.String).check(Schema.isMaxLength(20))),
})

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
  /** Captions in other languages, by a language model. */
  translations: optionalNullable(
    Schema.Array(
      Schema.Struct({
        language: Schema.String,
        transcript_file_path: ObjectPath,
        caption_urls: Schema.Struct({ vtt: Schema.String, srt: Schema.String }),
      }),
    ),
  ),
  /** By a language model, in the language of the transcript; `start` in seconds. */
  outline: optionalNullable(
    Schema.Struct({
      title: Schema.String,
      summary: Schema.String,
      chapters: Schema.Array(Schema.Struct({ start: Schema.Finite, title: Schema.String })),
    }),
  ),
})

export const TranscriptionFailed = Schema.Struct({
  media_id: MediaId,
  user_id: UserId,
  error: Failure,
  failed_at: Timestamp,
})
