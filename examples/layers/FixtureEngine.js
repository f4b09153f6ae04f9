/** A custom speech engine: it returns the words of a text file, one every half second; it ignores the audio. */
import { ConfigurationError } from "@armoricore/domain/Errors";
import { SpeechEngine } from "@armoricore/ai";
import { Effect, FileSystem, Layer } from "effect";
const secondsPerWord = 0.5;
export const layer = (path) => Layer.effect(SpeechEngine.SpeechEngine, Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem;
    const transcribe = Effect.fnUntraced(function* (audio) {
        const text = yield* Effect.mapError(fs.readFileString(path), (cause) => new ConfigurationError({ setting: "the engine's text file", message: `cannot read ${path}`, cause }));
        const words = text
            .split(/\s+/)
            .filter((word) => word !== "")
            .map((word, index) => ({ text: word, start: index * secondsPerWord, end: (index + 1) * secondsPerWord }))
            .filter(({ end }) => end <= audio.seconds);
        return { language: "en", words, segments: [] };
    });
    return {
        name: "fixture",
        model: "text-1",
        capabilities: {
            timestampGranularity: "words",
            languages: ["en"],
            detectsLanguage: true,
            diarization: false,
            quality: "standard",
            maxChunkSeconds: 60,
            concurrency: 1,
        },
        transcribe,
    };
}));
