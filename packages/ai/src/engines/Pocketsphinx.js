/**
 * The offline fallback: CMU pocketsphinx with its English model, as Debian packages it
 * (`apt-get install pocketsphinx pocketsphinx-en-us`). It needs no network and no graphics card; its results are drafts.
 */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors";
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import * as SupervisedProcess from "@armoricore/ffmpeg/SupervisedProcess";
import { Duration, Effect, Layer } from "effect";
import { ChildProcessSpawner } from "effect/process";
import { SpeechEngine } from "../SpeechEngine.ts";
export const defaultProgram = "pocketsphinx_continuous";
export const layer = (options = {}) => Layer.effect(SpeechEngine, Effect.gen(function* () {
    const { parentDeathSignal } = yield* FfmpegPrograms;
    const services = yield* Effect.context();
    const transcribe = Effect.fn("Pocketsphinx.transcribe")(function* (audio) {
        const { code, stderr, stdout } = yield* SupervisedProcess.collect(parentDeathSignal, options.path ?? defaultProgram, ["-infile", audio.file, "-time", "yes", "-logfn", "/dev/null"], "/").pipe(Effect.timeout(Duration.seconds(60 + audio.seconds * 10)), Effect.provide(services), Effect.mapError(executionError));
        if (code !== 0)
            return yield* exitError(code, stderr);
        return { language: "en", words: parseOutput(stdout), segments: [] };
    });
    return {
        name: "pocketsphinx",
        model: "en-us",
        capabilities: {
            timestampGranularity: "words",
            languages: ["en"],
            detectsLanguage: false,
            diarization: false,
            quality: "draft",
            maxChunkSeconds: 120,
            concurrency: options.concurrency ?? 1,
        },
        transcribe,
    };
}));
/** `SPEECH_ENGINE=pocketsphinx`. */
export const descriptor = {
    name: "pocketsphinx",
    isLocal: true,
    fileSettings: [],
    layer: () => layer(),
    describe: () => "pocketsphinx: drafts only, in English",
    missingSettings: () => [],
};
/** Lines of `word start end probability`. Brackets mark noises; `word(2)` is the second pronunciation of a word. */
export const parseOutput = (text) => text.split("\n").flatMap((line) => {
    const match = /^(\S+) ([0-9.]+) ([0-9.]+) ([0-9.]+)$/.exec(line.trim());
    const [, word = "", start = "", end = "", confidence = ""] = match ?? [];
    if (match === null || /^(<.*>|\[.*\]|\+\+.*\+\+)$/.test(word))
        return [];
    return [
        {
            text: word.replace(/\([0-9]+\)$/, ""),
            start: Number(start),
            end: Number(end),
            confidence: Math.min(1, Number(confidence)),
        },
    ];
});
const notInstalled = () => new ConfigurationError({
    setting: "SPEECH_ENGINE",
    message: "pocketsphinx is not installed; run `apt-get install pocketsphinx pocketsphinx-en-us`, or set SPEECH_ENGINE to another engine",
});
const executionError = (cause) => cause._tag === "PlatformError" && cause.reason._tag === "NotFound"
    ? notInstalled()
    : new TransientError({
        dependency: "pocketsphinx",
        code: cause._tag === "TimeoutError" ? "timeout" : "killed",
        message: `pocketsphinx did not finish: ${cause.message}`,
        cause,
    });
/** A shell exits with 127 if the program does not exist. */
const exitError = (code, stderr) => code === 127
    ? notInstalled()
    : new TransientError({
        dependency: "pocketsphinx",
        code: "failed",
        message: `pocketsphinx ended with code ${code}: ${stderr.trim().slice(-200)}`,
    });
