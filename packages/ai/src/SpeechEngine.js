import { TranscriptWord } from "@armoricore/domain/Transcript";
import { CircuitBreakers } from "@armoricore/worker/control/CircuitBreakers";
import { Context, Effect, Layer, Schema } from "effect";
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
});
/** The result of an engine. The text is in the words, or in the segments of an engine without word timestamps. */
export const Recognition = Schema.Struct({
    /** BCP 47, if the engine returns it. */
    language: Schema.optionalKey(Schema.String),
    words: Schema.Array(TranscriptWord),
    segments: Schema.Array(RecognitionSegment),
});
export class SpeechEngine extends Context.Service()("@armoricore/ai/SpeechEngine") {
}
/** The circuit breaker's name in metrics and in the operator console. */
export const dependencyName = "speech";
/**
 * An engine behind a circuit breaker, for a remote server. While the circuit is open, chunks go to the next engine at
 * once, or the message is redelivered without counting as an attempt.
 */
export const withCircuitBreaker = (engine) => Layer.effect(SpeechEngine, Effect.gen(function* () {
    const unguarded = yield* SpeechEngine;
    const withBreaker = (yield* CircuitBreakers).withCircuitBreaker(dependencyName);
    return SpeechEngine.of({
        ...unguarded,
        transcribe: (audio, options) => withBreaker(unguarded.transcribe(audio, options)),
    });
})).pipe(Layer.provide(engine));
