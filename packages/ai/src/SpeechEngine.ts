/**
 * The speech engine port: a chunk of audio to words with times. Each engine is one Layer in `engines/`; `SpeechEngines`
 * tries several in order.
 *
 * The output of an engine is not trusted: it passes `Recognition`, `WordTiming` and `HallucinationFilter` before a viewer
 * sees it, and the cues are always built here, never taken from the engine's own captions.
 */
import type { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import { TranscriptWord } from "@armoricore/domain/Transcript"
import { CircuitBreakers } from "@armoricore/worker/control/CircuitBreakers"
import { Context, Effect, Layer, Schema } from "effect"

/** A chunk of audio: a WAV file, 16 kHz, mono, 16 bits. */
export interface AudioFile {
  /** On the local disk, until the call returns. */
  readonly file: string
  readonly seconds: number
}

export interface TranscribeOptions {
  /** BCP 47. Absent: the engine detects it. */
  readonly language?: string
  /** Names and terms of the recording, separated by commas; engines without a prompt ignore it. */
  readonly vocabulary?: string
}

/** A segment of text; times in seconds from the start of the audio. */
export const RecognitionSegment = Schema.Struct({
  start: Schema.Finite,
  end: Schema.Finite,
  text: Schema.String,
  /** The confidence values of Whisper models. */
  averageLogProbability: Schema.optionalKey(Schema.Finite),
  noSpeechProbability: Schema.optionalKey(Schema.Finite),
  compressionRatio: Schema.optionalKey(Schema.Finite),
  speaker: Schema.optionalKey(Schema.String),
})
export type RecognitionSegment = typeof RecognitionSegment.Type

/** The result of an engine. The text is in the words, or in the segments of an engine without word timestamps. */
export const Recognition = Schema.Struct({
  /** BCP 47, if the engine returns it. */
  language: Schema.optionalKey(Schema.String),
  words: Schema.Array(TranscriptWord),
  segments: Schema.Array(RecognitionSegment),
})
export type Recognition = typeof Recognition.Type

export interface EngineCapabilities {
  /** `text`: the engine returns no times, so it gets short chunks. */
  readonly timestampGranularity: "words" | "segments" | "text"
  /** BCP 47 primary tags. */
  readonly languages: "any" | ReadonlyArray<string>
  readonly detectsLanguage: boolean
  readonly diarization: boolean
  /** `draft`: needs editing before viewers see it. */
  readonly quality: "standard" | "draft"

  readonly maxChunkSeconds: number
  /** Concurrent calls. */
  readonly concurrency: number
}

export type EngineError = TransientError | PermanentError | ConfigurationError

export class SpeechEngine extends Context.Service<
  SpeechEngine,
  {
    /** The name in events and documents: `openai`, `whisper-cli`, `pocketsphinx`. */
    readonly name: string
    /** Part of the cache key: results of another model are not reused. */
    readonly model: string
    readonly capabilities: EngineCapabilities
    /**
     * `PermanentError`: this engine can never transcribe this audio or language. `TransientError`: a retry may succeed.
     * `ConfigurationError`: an operator must act (a rejected key, a missing model).
     */
    readonly transcribe: (audio: AudioFile, options: TranscribeOptions) => Effect.Effect<Recognition, EngineError>
  }
>()("@armoricore/ai/SpeechEngine") {}

export type Engine = SpeechEngine["Service"]

/** The circuit breaker's name in metrics and in the operator console. */
export const dependencyName = "speech"

/**
 * An engine behind a circuit breaker, for a remote server. While the circuit is open, chunks go to the next engine at
 * once, or the message is redelivered without counting as an attempt.
 */
export const withCircuitBreaker = <E, R>(
  engine: Layer.Layer<SpeechEngine, E, R>,
): Layer.Layer<SpeechEngine, E, R | CircuitBreakers> =>
  Layer.effect(
    SpeechEngine,
    Effect.gen(function* () {
      const unguarded = yield* SpeechEngine
      const withBreaker = (yield* CircuitBreakers).withCircuitBreaker(dependencyName)
      return SpeechEngine.of({
        ...unguarded,
        transcribe: (audio, options) => withBreaker(unguarded.transcribe(audio, options)),
      })
    }),
  ).pipe(Layer.provide(engine))
