/** The pipeline with a fake server that decodes the audio and has the quirks of real servers. */
import * as OpenAiCompatible from "@armoricore/ai/engines/OpenAiCompatible"
import { Transcriber } from "@armoricore/ai/Transcriber"
import type { TranscriptWord } from "@armoricore/domain/Transcript"
import { FakeSpeech, type SpeechBehavior, apiKey, azureBase } from "@armoricore/testing/fakes/FakeSpeech"
import * as ToneSpeech from "@armoricore/testing/fakes/ToneSpeech"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, FileSystem, Layer, Path, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import {
  readTranscript,
  isFfmpegMissing,
  pipeline,
  programs,
  transcriptionRequest,
  storeUpload,
} from "../support/Pipeline.ts"
import { ffmpeg, wav } from "../support/Recordings.ts"

/** Makes the first AAC track one of Apple Positional Audio, which ffmpeg does not decode. */
const withoutDecoder = (file: Uint8Array): Buffer => {
  const bytes = Buffer.from(file)
  bytes.write("apac", bytes.indexOf("mp4a"), "latin1")
  bytes.write("free", bytes.indexOf("esds"), "latin1")
  return bytes
}

/** The path of a local file with these bytes. */
const storeFile = Effect.fnUntraced(function* (name: string, bytes: Uint8Array) {
  const fs = yield* FileSystem.FileSystem
  const file = (yield* Path.Path).join(yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-ai-test-" }), name)
  yield* fs.writeFile(file, bytes)
  return file
})

const engine = (options: Partial<OpenAiCompatible.Options>) =>
  Layer.unwrap(
    Effect.map(FakeSpeech, ({ url }) =>
      OpenAiCompatible.layer({
        baseUrl: `${url}${options.dialect === "azure" ? azureBase : options.dialect === "whisper.cpp" ? "" : "/v1"}`,
        apiKey: Redacted.make(apiKey),
        ...options,
      }),
    ),
  ).pipe(Layer.provide(FetchHttpClient.layer))

/** Transcribes a recording with the given quirks of the server. */
const transcribeRecording = (
  habits: Partial<SpeechBehavior>,
  recording: { readonly samples: Int16Array },
  options: Partial<OpenAiCompatible.Options> = {},
  language?: string,
  vocabulary?: ReadonlyArray<string>,
) =>
  Effect.gen(function* () {
    const fake = yield* FakeSpeech
    Object.assign(fake.behavior, habits)
    const { transcribe } = yield* Transcriber
    const plain = transcriptionRequest("m", yield* storeUpload("a.wav", wav(recording.samples)), language)
    const event = { ...plain, payload: { ...plain.payload, ...(vocabulary === undefined ? {} : { vocabulary }) } }
    const complete = yield* transcribe(event, { fencingToken: 1 })
    return { complete, document: yield* readTranscript(complete.transcript_file_path), fake }
  }).pipe(Effect.provide(pipeline(engine(options)).pipe(Layer.provideMerge(Layer.fresh(FakeSpeech.layer)))))

/** Every word once, in order, within `tolerance` seconds. */
const assertSameWords = (
  recognized: ReadonlyArray<TranscriptWord>,
  expected: ReadonlyArray<ToneSpeech.SpokenWord>,
  tolerance = 0.05,
) => {
  assert.deepStrictEqual(
    recognized.map(({ text }) => text),
    expected.map(({ text }) => text),
  )
  recognized.forEach(({ start, text }, index) => {
    assert.closeTo(start, expected[index]?.start ?? 0, tolerance, `${text} at ${index}`)
  })
}

describe.skipIf(isFfmpegMissing)("an OpenAI-compatible server", () => {
  const short = ToneSpeech.synthesize(40, { before: 2 })
  layer(programs, { excludeTestServices: true })((it) => {
    it.effect("returns words with times, and its prompt has the vocabulary as far as a prompt may be long", () =>
      Effect.gen(function* () {
        const terms = Array.from({ length: 100 }, (_, index) => `Roscoff ${index}`)
        const { complete, document, fake } = yield* transcribeRecording({}, short, {}, undefined, terms)
        const [prompt = ""] = fake.transcriptions[0]?.fields.get("prompt") ?? []
        assert.match(prompt, /^Roscoff 0, Roscoff 1, /)
        assert.isAtMost(prompt.length, 600)
        assert.isAbove(prompt.length, 580)
        assertSameWords(document.words, short.words)
        assert.strictEqual(complete.engine, "openai")
        assert.strictEqual(complete.quality, "standard")
        assert.strictEqual(complete.language, "en")
        assert.deepStrictEqual(fake.transcriptions[0]?.fields.get("timestamp_granularities[]"), ["word", "segment"])
        assert.isFalse(fake.transcriptions[0]?.fields.has("language"))
      }),
    )

    it.effect("without words: the words come from the segments", () =>
      Effect.gen(function* () {
        const { document } = yield* transcribeRecording({ timestampFormat: "segments" }, short, { dialect: "vllm" })
        assertSameWords(document.words, short.words, 0.4)
      }),
    )

    it.effect("with tokens inside segments (whisper.cpp): the result has whole words", () =>
      Effect.gen(function* () {
        const { document, fake } = yield* transcribeRecording({ timestampFormat: "nested" }, short, {
          dialect: "whisper.cpp",
        })
        assertSameWords(document.words, short.words)
        assert.strictEqual(document.words[0]?.confidence, 0.8)
        assert.deepStrictEqual(fake.transcriptions[0]?.fields.get("language"), ["auto"])
      }),
    )

    it.effect("with only text: the times come from the audio, in short chunks", () =>
      Effect.gen(function* () {
        const long = ToneSpeech.synthesize(150, { gap: 0.5 })
        const { document, fake } = yield* transcribeRecording({}, long, { model: "gpt-4o-transcribe" }, "en")
        assertSameWords(document.words, long.words, 1.6)
        assert.isAtLeast(fake.transcriptions.length, 4)
        assert.isTrue(fake.transcriptions.every(({ seconds }) => seconds <= 30))
      }),
    )

    it.effect("with times in nanoseconds (LocalAI)", () =>
      Effect.gen(function* () {
        const { document } = yield* transcribeRecording({ timestampFormat: "segments", nanoseconds: true }, short, {
          dialect: "localai",
        })
        assertSameWords(document.words, short.words, 0.4)
      }),
    )

    it.effect("that silently stops after 30 s gets a second request for the rest", () =>
      Effect.gen(function* () {
        const long = ToneSpeech.synthesize(300)
        const { document, fake } = yield* transcribeRecording({ dropAfter: 30 }, long, {}, "en")
        assertSameWords(document.words, long.words)
        assert.isAtLeast(fake.transcriptions.length, 4)
        assert.isTrue(document.notes.some((note) => note.includes("requested again")))
      }),
    )

    it.effect("with a fast clock: the times are corrected", () =>
      Effect.gen(function* () {
        const long = ToneSpeech.synthesize(150)
        const { document } = yield* transcribeRecording({ clockRate: 1.08 }, long, {}, "en")
        assertSameWords(document.words, long.words, 0.2)
      }),
    )

    it.effect("that responds with 429 gets the request again after Retry-After", () =>
      Effect.gen(function* () {
        const { document, fake } = yield* transcribeRecording({ rateLimitedRequests: 2 }, short)
        assertSameWords(document.words, short.words)
        assert.deepStrictEqual(fake.statuses, [429, 429, 200])
      }),
    )

    it.effect("that fails: the next attempt requests only the missing chunks", () =>
      Effect.gen(function* () {
        const fake = yield* FakeSpeech
        const { transcribe } = yield* Transcriber
        const long = ToneSpeech.synthesize(2000, { gap: 0.35 })
        const event = transcriptionRequest("m", yield* storeUpload("a.wav", wav(long.samples)), "en")
        yield* Effect.sync(() => (fake.behavior.failingRequests = 1))
        const error = yield* Effect.flip(transcribe(event, { fencingToken: 1 }))
        assert.strictEqual(error._tag, "TransientError")
        const before = fake.transcriptions.length
        const complete = yield* transcribe(event, { fencingToken: 2 })
        assertSameWords((yield* readTranscript(complete.transcript_file_path)).words, long.words)
        const pieces = fake.transcriptions.length
        assert.isBelow(pieces - before, 5)
        yield* transcribe(event, { fencingToken: 3 })
        assert.strictEqual(fake.transcriptions.length, pieces)
      }).pipe(
        Effect.provide(pipeline(engine({ concurrency: 1 })).pipe(Layer.provideMerge(Layer.fresh(FakeSpeech.layer)))),
      ),
    )

    it.effect("with hallucinations in silence and loops: the words are removed", () =>
      Effect.gen(function* () {
        const { document } = yield* transcribeRecording(
          { hallucination: "Thanks for watching!", repeatedWords: 12 },
          ToneSpeech.synthesize(40, { after: 5 }),
        )
        assert.notInclude(document.words.map(({ text }) => text).join(" "), "Thanks")
        assert.isAtMost(document.words.filter(({ text }) => text === "so").length, 1)
        assert.isTrue(document.notes.some((note) => note.includes("silence")))
      }),
    )

    it.effect("that detects a wrong language in the first half minute is outvoted", () =>
      Effect.gen(function* () {
        let asked = 0
        const { complete, fake } = yield* transcribeRecording(
          { language: (seconds) => (seconds <= 30 && asked++ === 0 ? "welsh" : "french") },
          ToneSpeech.synthesize(400),
          { concurrency: 1 },
        )
        assert.strictEqual(complete.language, "fr")
        assert.deepStrictEqual(fake.transcriptions.at(-1)?.fields.get("language"), ["fr"])
      }),
    )

    it.effect("that rejects the key is a configuration error", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(transcribeRecording({}, short, { apiKey: Redacted.make("sk-wrong") }))
        assert.strictEqual(error._tag === "ConfigurationError" ? error.setting : error._tag, "SPEECH_API_KEY")
      }),
    )

    it.effect("of Azure gets the version in the query and the key in its own header", () =>
      Effect.gen(function* () {
        const { complete, document } = yield* transcribeRecording({}, short, { dialect: "azure" })
        assertSameWords(document.words, short.words)
        assert.strictEqual(complete.engine, "azure")
      }),
    )

    // regression: an empty text for half a minute of speech was a success with the quality "standard"
    it.effect.each(["words", "segments", "text"] as const)(
      "that returns no text for speech (%s): the quality is unrecognized, and the answer is not reused",
      (timestampFormat) =>
        Effect.gen(function* () {
          const fake = yield* FakeSpeech
          const { transcribe } = yield* Transcriber
          Object.assign(fake.behavior, { wordless: true, timestampFormat })
          const long = ToneSpeech.synthesize(80)
          const event = transcriptionRequest("m", yield* storeUpload("a.wav", wav(long.samples)), "en")
          const complete = yield* transcribe(event, { fencingToken: 1 })
          assert.strictEqual(complete.quality, "unrecognized")
          assert.strictEqual(complete.word_count, 0)
          const { notes, quality } = yield* readTranscript(complete.transcript_file_path)
          assert.strictEqual(quality, "unrecognized")
          assert.deepStrictEqual(notes, ["0:00 no words from the engine openai in 32 s of sound"])
          fake.behavior.wordless = false
          assert.strictEqual((yield* transcribe(event, { fencingToken: 2 })).quality, "standard")
        }).pipe(Effect.provide(pipeline(engine({})).pipe(Layer.provideMerge(Layer.fresh(FakeSpeech.layer))))),
    )

    it.effect("is asked again for known audio only if the request has force", () =>
      Effect.gen(function* () {
        const fake = yield* FakeSpeech
        const { transcribe } = yield* Transcriber
        const event = transcriptionRequest("m", yield* storeUpload("a.wav", wav(short.samples)), "en")
        yield* transcribe(event, { fencingToken: 1 })
        yield* transcribe(transcriptionRequest("m", event.payload.source_file_path, "en"), { fencingToken: 1 })
        assert.strictEqual(fake.transcriptions.length, 1)
        const again = transcriptionRequest("m", event.payload.source_file_path, "en")
        const forced = { ...again, payload: { ...again.payload, force: true } }
        assert.strictEqual((yield* transcribe(forced, { fencingToken: 1 })).word_count, short.words.length)
        assert.strictEqual(fake.transcriptions.length, 2)
        // Another attempt at the same request continues its own work.
        yield* transcribe(forced, { fencingToken: 2 })
        assert.strictEqual(fake.transcriptions.length, 2)
      }).pipe(Effect.provide(pipeline(engine({})).pipe(Layer.provideMerge(Layer.fresh(FakeSpeech.layer))))),
    )

    it.effect("is not asked for the media of another user, whose transcript stays", () =>
      Effect.gen(function* () {
        const fake = yield* FakeSpeech
        const { latestRequest, transcribe } = yield* Transcriber
        const event = transcriptionRequest("m", yield* storeUpload("a.wav", wav(short.samples)), "en")
        yield* transcribe(event, { fencingToken: 1 })
        const own = transcriptionRequest("m", event.payload.source_file_path, "en")
        const foreign = { ...own, payload: { ...own.payload, user_id: "u2", force: true } }
        const refusal = yield* Effect.flip(transcribe(foreign, { fencingToken: 1 }))
        assert.include(refusal, { _tag: "InvalidEvent", reason: "unauthorized", path: "payload.media_id" })
        assert.strictEqual((yield* latestRequest("m"))?.user_id, "u1")
        assert.strictEqual(fake.transcriptions.length, 1)
      }).pipe(Effect.provide(pipeline(engine({})).pipe(Layer.provideMerge(Layer.fresh(FakeSpeech.layer))))),
    )

    // regression: the captions ended as corrupt_media although the stream played
    it.effect("gets the track that the stream plays: the first one with a decoder", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const spoken = yield* storeFile("spoken.wav", wav(short.samples))
        const file = yield* ffmpeg(
          "two.m4a",
          ..."-f lavfi -t 18 -i sine=1000 -i".split(" "),
          spoken,
          ..."-map 0 -map 1 -c:a:0 aac -c:a:1 alac".split(" "),
        )
        const bytes = withoutDecoder(yield* fs.readFile(file))
        const { transcribe } = yield* Transcriber
        const complete = yield* transcribe(transcriptionRequest("m", yield* storeUpload("two.m4a", bytes)), {
          fencingToken: 1,
        })
        assertSameWords((yield* readTranscript(complete.transcript_file_path)).words, short.words)
        const only = yield* ffmpeg("one.m4a", "-f", "lavfi", "-t", "2", "-i", "sine=1000", "-c:a", "aac")
        const undecodable = yield* storeUpload("one.m4a", withoutDecoder(yield* fs.readFile(only)))
        const error = yield* Effect.flip(transcribe(transcriptionRequest("m", undecodable), { fencingToken: 1 }))
        assert.strictEqual(error._tag === "PermanentError" ? error.code : error._tag, "no_audio_decoder")
      }).pipe(Effect.provide(pipeline(engine({})).pipe(Layer.provideMerge(Layer.fresh(FakeSpeech.layer))))),
    )

    it.effect("gets no request for silence or for a video without audio", () =>
      Effect.gen(function* () {
        const { complete, document, fake } = yield* transcribeRecording({}, { samples: new Int16Array(16_000 * 20) })
        assert.strictEqual(complete.word_count, 0)
        assert.strictEqual(complete.quality, "no_speech")
        assert.deepStrictEqual(document.cues, [])
        assert.deepStrictEqual(fake.statuses, [])
      }),
    )
  })
})
