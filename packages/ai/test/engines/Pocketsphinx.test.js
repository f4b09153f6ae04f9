/** The whole pipeline with the real offline engine and synthesized speech (flite). */
import * as Pocketsphinx from "@armoricore/ai/engines/Pocketsphinx";
import { Transcriber } from "@armoricore/ai/Transcriber";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it, layer } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { readTranscript, objectKey, isFfmpegMissing, pipeline, programs, readObject, transcriptionRequest, storeUpload, } from "../support/Pipeline.ts";
import { video, speech, wordErrorRate } from "../support/Recordings.ts";
const isProgramMissing = [Programs.requireProgram(Pocketsphinx.defaultProgram), Programs.requireProgram("flite")].some((need) => need.missing);
const sentences = [
    "The ship left the harbor early in the morning.",
    "No one on the shore could see where it was going, because the water was covered with white fog.",
    "After three days the captain found the island again.",
];
describe.skipIf(isFfmpegMissing || isProgramMissing)("Pocketsphinx", () => {
    layer(pipeline(Pocketsphinx.layer({ concurrency: 2 })).pipe(Layer.provideMerge(programs)), {
        excludeTestServices: true,
    })((it) => {
        it.effect("captions a video with speech: few wrong words, right times, quality draft", () => Effect.gen(function* () {
            const audio = yield* speech(sentences, { before: 2, between: 1.5 });
            const { transcribe } = yield* Transcriber;
            const complete = yield* transcribe(transcriptionRequest("video", yield* storeUpload("video.mp4", yield* video(audio, 17))), {
                fencingToken: 1,
            });
            const document = yield* readTranscript(complete.transcript_file_path);
            const recognized = document.words.map(({ text }) => text).join(" ");
            assert.isAtMost(wordErrorRate(sentences.join(" "), recognized), 0.3, recognized);
            assert.strictEqual(complete.quality, "draft");
            assert.strictEqual(complete.engine, "pocketsphinx");
            assert.strictEqual(complete.language, "en");
            assert.strictEqual(complete.word_count, document.words.length);
            assert.closeTo(document.cues[0]?.start ?? 0, 2.1, 0.25);
            const vtt = yield* readObject(objectKey(complete.caption_urls.vtt));
            assert.strictEqual(vtt.contentType, "text/vtt; charset=utf-8");
            assert.match(vtt.text, /^WEBVTT\n\n00:00:0[12]\.\d{3} --> /);
            const srt = yield* readObject(objectKey(complete.caption_urls.srt));
            assert.match(srt.text, /^1\r\n00:00:0[12],\d{3} --> /);
        }));
        it.effect("fails for an unsupported language with the next step", () => Effect.gen(function* () {
            const { transcribe } = yield* Transcriber;
            const path = yield* storeUpload("a.wav", yield* speech(["Hello"]));
            const error = yield* Effect.flip(transcribe(transcriptionRequest("french", path, "fr"), { fencingToken: 1 }));
            assert.strictEqual(error._tag === "PermanentError" ? error.code : error._tag, "language_not_supported");
        }));
    });
    it("parses the output of the program", () => {
        assert.deepStrictEqual(Pocketsphinx.parseOutput("hello there\n<s> 0.000 0.100 0.9\nhello(2) 0.110 0.570 0.5\n[NOISE] 0.6 0.7 1.0\n</s> 1 2 1\n"), [{ text: "hello", start: 0.11, end: 0.57, confidence: 0.5 }]);
    });
});
