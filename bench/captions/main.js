/**
 * What captions cost beside the speech engine: one recording through the whole pipeline with engines that cost nothing,
 * and the cues of its transcript alone. CPU seconds are those of this process and of all its children that ended.
 *
 * Usage: `npm run bench:captions [-- minutes]` (default 60).
 */
import { buildCues } from "@armoricore/ai/captions/Cues";
import { subRip, webVtt } from "@armoricore/ai/captions/CaptionFiles";
import { lintCues } from "@armoricore/ai/captions/CaptionRules";
import * as OpenAiCompatible from "@armoricore/ai/engines/OpenAiCompatible";
import * as ModerationRules from "@armoricore/ai/moderation/ModerationRules";
import { SpeechEngine } from "@armoricore/ai/SpeechEngine";
import * as SpeechEngines from "@armoricore/ai/SpeechEngines";
import { Transcriber } from "@armoricore/ai/Transcriber";
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import * as MemoryStorage from "@armoricore/storage/memory/MemoryStorage";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls";
import * as ToneSpeech from "@armoricore/testing/fakes/ToneSpeech";
import { runBenchmark } from "../cli.ts";
import { Console, Effect, FileSystem, Layer, Path } from "effect";
import { HttpClient, HttpClientResponse } from "effect/http";
import { ChildProcess } from "effect/process";
import { wavHeader } from "@armoricore/ai/Pcm";
import { measure } from "../support/CpuCost.ts";
import * as Results from "../Results.ts";
const minutes = Number(process.argv[2] ?? 60);
/** Words a second of a lively speaker. */
const pace = 2.5;
const vocabulary = ("the of and to in that it was his he with as her for had you not be on at by which have from this him but all she " +
    "they were are my so one or there been when who we would me said if what no more them their out up into then some " +
    "could time very your little about great now like any other than its should these two only upon over man before " +
    "after such down may made first did must never long himself where down came still people house again good").split(" ");
/** Text with the commas and full stops of prose, always the same. */
const words = (seconds) => Array.from({ length: Math.floor(seconds * pace) }, (_, index) => {
    const word = vocabulary[(index * 7919 + (index >> 3)) % vocabulary.length] ?? "";
    const ending = index % 13 === 12 ? "." : index % 6 === 5 ? "," : "";
    return { text: word + ending, start: index / pace, end: (index + 0.9) / pace };
});
const local = Layer.succeed(SpeechEngine, {
    name: "bench",
    model: "1",
    capabilities: {
        timestampGranularity: "words",
        languages: "any",
        detectsLanguage: false,
        diarization: false,
        quality: "standard",
        maxChunkSeconds: 480,
        concurrency: 2,
    },
    transcribe: (sound) => Effect.succeed({ words: words(sound.seconds), segments: [] }),
});
/** The HTTP engine with its FLAC and forms, over a client that answers at once. */
const remote = OpenAiCompatible.layer({}).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, HttpClient.make((request) => Effect.succeed(HttpClientResponse.fromWeb(request, Response.json({
    words: words(300).map(({ text, ...times }) => ({ word: text, ...times })),
    language: "english",
})))))));
const through = (engine, recording) => Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem;
    const storage = yield* ObjectStorage;
    const { transcribe } = yield* Transcriber;
    yield* storage.put({ bucket: "media", key: "recording.m4a" }, fs.stream(recording), {
        contentType: "audio/mp4",
    });
    return yield* measure(transcribe({
        event_type: "transcription.requested",
        event_id: crypto.randomUUID(),
        timestamp: new Date().toISOString(),
        source: "php-backend",
        payload: {
            media_id: "bench",
            user_id: "bench",
            source_file_path: "s3://media/recording.m4a",
            language: "en",
        },
    }, { fencingToken: 1 }));
}).pipe(Effect.provide(Transcriber.layer({ bucket: "media", sourceBuckets: ["media"] }).pipe(Layer.provide(SpeechEngines.SpeechEngines.layer(engine)), Layer.provide(ScratchDir.layer()), Layer.provideMerge(Layer.fresh(MemoryStorage.layer)), Layer.provide(Layer.fresh(MemoryState.layer)), Layer.provide(Layer.succeed(PlaybackUrls, {
    keysFor: () => Effect.succeed({ url: "http://keys.invalid/keys", relative: "../keys" }),
    urlFor: ({ key }) => Effect.succeed(key),
})))));
const bench = Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const { ffmpeg, version } = yield* FfmpegPrograms;
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-bench-" });
    const recording = path.join(folder, "recording.m4a");
    yield* Console.log(`making a recording of ${minutes} min`);
    // A minute, encoded once and repeated.
    const { samples } = ToneSpeech.synthesize(150);
    const wav = path.join(folder, "minute.wav");
    const minute = path.join(folder, "minute.m4a");
    yield* fs.writeFile(wav, Buffer.concat([wavHeader(samples.length), Buffer.from(samples.buffer)]));
    const encode = Effect.fnUntraced(function* (...args) {
        const child = yield* ChildProcess.make(ffmpeg, ["-v", "error", ...args], {
            stdin: "ignore",
            stdout: "ignore",
            stderr: "inherit",
            forceKillAfter: "1 second",
        });
        if ((yield* child.exitCode) !== 0)
            return yield* Effect.die(new Error("ffmpeg made no recording"));
    });
    yield* encode("-i", wav, "-ar", "48000", "-ac", "2", "-c:a", "aac", minute);
    yield* encode("-stream_loop", String(minutes - 1), "-i", minute, "-c", "copy", recording);
    const hours = minutes / 60;
    const free = yield* through(local, recording);
    const http = yield* through(remote, recording);
    const said = words(minutes * 60);
    const cues = yield* measure(Effect.sync(() => {
        const made = buildCues(said, "en");
        return {
            cues: made.length,
            faults: lintCues(made).length,
            bytes: webVtt.render(made).length + subRip.render(made).length,
        };
    }));
    const { check } = ModerationRules.make({
        blockedWords: vocabulary.slice(40).map((word) => `${word}ish`),
        linkAction: "review",
    });
    const messages = 20_000;
    const rules = yield* measure(Effect.forEach(Array.from({ length: messages }, (_, index) => index), (index) => check({
        kind: "chat",
        id: String(index),
        conversationId: "r",
        userId: `u${index}`,
        content: said
            .slice(index % 1000, (index % 1000) + 12)
            .map(({ text }) => text)
            .join(" "),
    }), { discard: true }));
    /** Fractions of the time that an engine at 0.1 × real time needs. */
    const share = (cpu) => `${((cpu / (minutes * 60 * 0.1)) * 100).toFixed(1)} %`;
    const body = [
        `Recording: ${minutes} min of sound, AAC. ${version.split(" Copyright")[0]}. ${cues.value.cues} cues, ${cues.value.faults} faults by the linter.`,
        "",
        Results.markdownTable([
            ["case", "CPU s", "wall s", "aim"],
            [
                "everything but the engine (download, ffmpeg, pieces, stitching, guards, cues, files)",
                free.cpu.toFixed(1),
                free.wall.toFixed(1),
                `${share(free.cpu)} of an engine at 0.1 × real time; at most 5 %`,
            ],
            [
                "the same with FLAC and forms for an HTTP engine",
                http.cpu.toFixed(1),
                http.wall.toFixed(1),
                `${share(http.cpu)}; at most 5 %`,
            ],
            [
                `cues, linter, WebVTT and SRT of ${said.length} words`,
                cues.cpu.toFixed(2),
                cues.wall.toFixed(2),
                `below ${(0.2 * hours).toFixed(2)}`,
            ],
            [
                `moderation by rules, ${messages} messages of 12 words`,
                rules.cpu.toFixed(2),
                rules.wall.toFixed(2),
                `${((rules.cpu / messages) * 1e6).toFixed(0)} µs of CPU a message`,
            ],
        ]),
    ].join("\n");
    yield* Console.log(body);
    yield* Results.writeSection("captions", "npm run bench:captions", body);
}).pipe(Effect.scoped);
runBenchmark(Effect.provide(bench, FfmpegPrograms.layer()));
