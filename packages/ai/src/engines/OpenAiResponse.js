/**
 * The responses of `/audio/transcriptions` in all variants: words at the top level (OpenAI, speaches), words inside
 * segments (whisper.cpp's server; they are tokens), segments without words (vLLM, LocalAI), segments with speakers
 * (diarizing models), and text only.
 */
import { Schema } from "effect";
import { parseTag } from "../LanguageTag.ts";
import { joinTokens } from "./WhisperTokens.ts";
const NullableNumber = Schema.optionalKey(Schema.NullOr(Schema.Finite));
const NullableText = Schema.optionalKey(Schema.NullOr(Schema.String));
const ResponseWord = Schema.Struct({
    word: NullableText,
    text: NullableText,
    start: Schema.Finite,
    end: Schema.Finite,
    probability: NullableNumber,
    speaker: NullableText,
});
export const TranscriptionResponse = Schema.Struct({
    text: NullableText,
    language: NullableText,
    detected_language: NullableText,
    words: Schema.optionalKey(Schema.NullOr(Schema.Array(ResponseWord))),
    segments: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.Struct({
        start: Schema.Finite,
        end: Schema.Finite,
        text: NullableText,
        words: Schema.optionalKey(Schema.NullOr(Schema.Array(ResponseWord))),
        speaker: NullableText,
        avg_logprob: NullableNumber,
        no_speech_prob: NullableNumber,
        compression_ratio: NullableNumber,
    })))),
});
export const toRecognition = (response, seconds) => {
    const segments = response.segments ?? [];
    const topLevelWords = response.words ?? [];
    const lastEnd = Math.max(0, ...segments.map(({ end }) => end), ...topLevelWords.map(({ end }) => end));
    // LocalAI returns nanoseconds.
    const unitsPerSecond = lastEnd > (seconds + 60) * 1000 ? 1e9 : 1;
    const toWord = (word, speaker) => {
        const speakerName = word.speaker ?? speaker;
        return {
            text: word.word ?? word.text ?? "",
            start: Math.max(0, word.start / unitsPerSecond),
            end: Math.max(0, word.end / unitsPerSecond),
            ...(word.probability === undefined || word.probability === null ? {} : { confidence: word.probability }),
            ...(speakerName === undefined || speakerName === null ? {} : { speaker: speakerName }),
        };
    };
    const speakerAt = (seconds) => segments.find(({ end, start }) => start / unitsPerSecond <= seconds && seconds < end / unitsPerSecond)?.speaker;
    const words = topLevelWords.length > 0
        ? topLevelWords.map((word) => toWord(word, speakerAt((word.start + word.end) / 2 / unitsPerSecond)))
        : segments.flatMap(({ speaker, words }) => (words ?? []).map((word) => toWord(word, speaker)));
    const language = parseTag(response.language ?? response.detected_language ?? undefined);
    return {
        ...(language === undefined ? {} : { language }),
        words: joinTokens(words),
        segments: segments.length === 0
            ? [{ start: 0, end: 0, text: response.text ?? "" }]
            : segments.map((segment) => ({
                start: segment.start / unitsPerSecond,
                end: segment.end / unitsPerSecond,
                text: segment.text ?? "",
                ...optionalField("averageLogProbability", segment.avg_logprob),
                ...optionalField("noSpeechProbability", segment.no_speech_prob),
                ...optionalField("compressionRatio", segment.compression_ratio),
                ...(segment.speaker === undefined || segment.speaker === null ? {} : { speaker: segment.speaker }),
            })),
    };
};
const optionalField = (key, value) => {
    // TypeScript widens a computed key to string.
    return value === undefined || value === null ? {} : { [key]: value };
};
