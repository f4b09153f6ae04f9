/**
 * What was said in a media, and what is known of its transcripts: written by `ai` alone, read by `api`
 * (`GET /v1/media/{id}/transcript`) and by `media`, which puts captions into its playlists.
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
  /** 0 to 1, where the engine says it. */
  confidence: Schema.optionalKey(Schema.Finite),
  /** As the engine names them: `A`, `SPEAKER_00`, … */
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

/** A rule of readable captions that a cue does not keep. */
export const CueViolation = Schema.Struct({
  /** Position of the cue, from 0. */
  cue: Schema.Int,
  rule: Schema.Literals(["line_length", "lines", "reading_speed", "too_short", "too_long", "gap"]),
  /** What was measured, in the rule's unit: characters, lines, characters per second, seconds. */
  measured: Schema.Finite,
})
export type CueViolation = typeof CueViolation.Type

/** The transcript's document, `transcript.json` beside the caption files. */
export const Transcript = Schema.Struct({
  version: Schema.Literal(1),
  transcription_id: Schema.String,
  media_id: MediaId,
  language: Schema.String,
  engine: Schema.String,
  quality: Schema.String,
  /** Of the sound. */
  duration: Seconds,
  words: Schema.Array(TranscriptWord),
  cues: Schema.Array(TranscriptCue),
  faults: Schema.Array(CueViolation),
  /** Why an engine did not do its part, or what was left out as invented; one sentence each. */
  notes: Schema.Array(Schema.String),
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
  /** Of the request; a transcript that was asked for later replaces an earlier one. */
  requested_at: Timestamp,
  completed_at: Timestamp,
})
export type TranscriptEntry = typeof TranscriptEntry.Type

export const TranscriptState = Schema.Struct({
  media_id: MediaId,
  user_id: UserId,
  /** About the newest request. */
  status: Schema.Literals(["processing", "complete", "failed"]),
  /** 0 to 100 over the whole job. */
  percent: Schema.Finite,
  /** The newest request's event. */
  source_event_id: EventId,
  requested_at: Timestamp,
  /** What the newest request asked for, so that it can be made again. */
  request: Schema.optionalKey(TranscriptionRequested),
  /** Of the newest request, where they are known. */
  trace_id: Schema.optionalKey(Schema.String),
  request_id: Schema.optionalKey(Schema.String),
  /** By language (BCP 47). */
  languages: Schema.Record(Schema.String, TranscriptEntry),
  failed: Schema.optionalKey(Failure),
  updated_at: Timestamp,
})
export type TranscriptState = typeof TranscriptState.Type
