/**
 * The transcript of a media and its state. Only `ai` writes them; `api` (`GET /v1/media/{id}/transcript`) and `media`, which
 * adds captions to its playlists, read them.
 */
import { Schema } from "effect"
import { Failure } from "./events/failure.ts"
import { TranscriptionRequested } from "./events/transcription.ts"
import { EventId, MediaId, UserId } from "./Ids.ts"
import { Timestamp } from "./JsonCodecs.ts"

/** Seconds from the start of the recording, to the millisecond. */
const Seconds = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

export const TranscriptWord = Schema.Struct({
  start: Seconds,
  end: Seconds,
  text: Schema.String,
  /**
   * Whether a space precedes the word. Absent: its script decides (Chinese and Japanese have none). Thai and similar
   * scripts separate only phrases, so there the engine's text decides.
   */
  space_before: Schema.optionalKey(Schema.Boolean),
  /** 0 to 1, if the engine reports it. */
  confidence: Schema.optionalKey(Schema.Finite),
  /** The name from the engine: `A`, `SPEAKER_00`, … */
  speaker: Schema.optionalKey(Schema.String),
})
export type TranscriptWord = typeof TranscriptWord.Type

export const TranscriptCue = Schema.Struct({
  start: Seconds,
  end: Seconds,
  /** One or two. */
  lines: Schema.Array(Schema.String),
  speaker: Schema.optionalKey(Schema.String),
})
export type TranscriptCue = typeof TranscriptCue.Type

/** A rule of readable captions that a cue violates. */
export const CueViolation = Schema.Struct({
  /** Position of the cue, from 0. */
  cue: Schema.Int,
  rule: Schema.Literals(["line_length", "lines", "reading_speed", "too_short", "too_long", "gap"]),
  /** The measured value in the rule's unit: half-width characters, lines, half-width characters per second, seconds. */
  measured: Schema.Finite,
})
export type CueViolation = typeof CueViolation.Type

/** A title, a summary and chapters, by a language model. */
export const TranscriptOutline = Schema.Struct({
  title: Schema.String,
  summary: Schema.String,
  /** In order; each begins with a cue. */
  chapters: Schema.Array(Schema.Struct({ start: Seconds, title: Schema.String })),
})
export type TranscriptOutline = typeof TranscriptOutline.Type

/** The document `transcript.json`, beside the caption files. */
export const Transcript = Schema.Struct({
  version: Schema.Literal(1),
  transcription_id: Schema.String,
  media_id: MediaId,
  language: Schema.String,
  engine: Schema.String,
  quality: Schema.String,
  /** Duration of the audio. */
  duration: Seconds,
  words: Schema.Array(TranscriptWord),
  cues: Schema.Array(TranscriptCue),
  faults: Schema.Array(CueViolation),
  /** One sentence per skipped engine step, or per passage that was removed as a hallucination. */
  notes: Schema.Array(Schema.String),
  /** The language that the words were translated from. */
  translated_from: Schema.optionalKey(Schema.String),
  outline: Schema.optionalKey(TranscriptOutline),
})
export type Transcript = typeof Transcript.Type

/** A finished transcript of one language. */
export const TranscriptEntry = Schema.Struct({
  transcription_id: Schema.String,
  /** `s3://bucket/key` of the document. */
  transcript_file_path: Schema.String,
  caption_urls: Schema.Struct({ vtt: Schema.String, srt: Schema.String }),
  quality: Schema.String,
  engine: Schema.String,
  word_count: Schema.Int,
  /** Time of the request. The transcript of a later request replaces that of an earlier one. */
  requested_at: Timestamp,
  completed_at: Timestamp,
  /** A transcript of the language itself replaces its translation. */
  translated_from: Schema.optionalKey(Schema.String),
})
export type TranscriptEntry = typeof TranscriptEntry.Type

export const TranscriptState = Schema.Struct({
  media_id: MediaId,
  user_id: UserId,
  /** Status of the newest request. */
  status: Schema.Literals(["processing", "complete", "failed"]),
  /** 0 to 100 over the whole job. */
  percent: Schema.Finite,
  /** The event of the newest request. */
  source_event_id: EventId,
  requested_at: Timestamp,
  /** The newest request, for a retry. */
  request: Schema.optionalKey(TranscriptionRequested),
  /** Trace and request of the newest request, if known. */
  trace_id: Schema.optionalKey(Schema.String),
  request_id: Schema.optionalKey(Schema.String),
  /** By language (BCP 47). */
  languages: Schema.Record(Schema.String, TranscriptEntry),
  failed: Schema.optionalKey(Failure),
  updated_at: Timestamp,
})
export type TranscriptState = typeof TranscriptState.Type
