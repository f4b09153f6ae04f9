/**
 * The speech engine port: a piece of sound to words with times. Each engine is one Layer in `engines/`; several behind
 * one another are a `SpeechEngines` plan.
 *
 * Engines are never trusted: what they answer goes through `Recognized`, `Timing` and `Guards` before it is shown, and
 * cues are always built here, never taken from an engine's own captions.
 */
import type { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import { Context, type Effect, Schema } from "effect"
import { TranscriptWord } from "@armoricore/domain/Transcript"

/** A piece of sound: a WAV file, 16 kHz, mono, 16 bits. */
export interface AudioFile {
  /** On the local disk, there as long as the call lasts. */
  readonly file: string
  readonly seconds: number
}

export interface TranscribeOptions {
  /** BCP 47; absent: the engine listens for it. */
  readonly language?: string
}

/** A stretch of text as the engine saw it; times in seconds from the start of the sound. */
export const RecognitionSegment = Schema.Struct({
  start: Schema.Finite,
  end: Schema.Finite,
  text: Schema.String,
  /** What Whisper models say about their own doubt. */
  averageLogProbability: Schema.optionalKey(Schema.Finite),
  noSpeechProbability: Schema.optionalKey(Schema.Finite),
  compressionRatio: Schema.optionalKey(Schema.Finite),
  speaker: Schema.optionalKey(Schema.String),
})
export type RecognitionSegment = typeof RecognitionSegment.Type

/** What an engine heard. Without words the segments have the text; without segments the words do. */
export const Recognition = Schema.Struct({
  /** BCP 47, where the engine tells. */
  language: Schema.optionalKey(Schema.String),
  words: Schema.Array(TranscriptWord),
  segments: Schema.Array(RecognitionSegment),
})
export type Recognition = typeof Recognition.Type

/** What an engine can do, so that the pipeline gives it what it can use. */
export interface EngineCapabilities {
  /** `text`: no times at all, so it gets short pieces. */
  readonly timestampGranularity: "words" | "segments" | "text"
  /** BCP 47 primary tags that it understands, or any. */
  readonly languages: "any" | ReadonlyArray<string>
  readonly detectsLanguage: boolean
  readonly diarization: boolean
  /** `draft`: proves the pipeline, not fit to be shown unedited. */
  readonly quality: "standard" | "draft"
  /** Seconds of sound that one call may have. */
  readonly maxChunkSeconds: number
  /** Calls at once. */
  readonly concurrency: number
}

export type EngineError = TransientError | PermanentError | ConfigurationError

export class SpeechEngine extends Context.Service<
  SpeechEngine,
  {
    /** As events and documents name it: `openai`, `whisper-cli`, `pocketsphinx`. */
    readonly name: string
    /** Names the model; results of another model are not reused. */
    readonly model: string
    readonly capabilities: EngineCapabilities
    /**
     * `PermanentError` where this sound or language can never be done by this engine, `TransientError` where another try
     * may help, `ConfigurationError` where an operator must act (a refused key, a missing model).
     */
    readonly transcribe: (audio: AudioFile, options: TranscribeOptions) => Effect.Effect<Recognition, EngineError>
  }
>()("@armoricore/ai/SpeechEngine") {}

/** One engine, as the Layers make it. */
export type Engine = SpeechEngine["Service"]
