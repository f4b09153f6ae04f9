/** Translations and outlines by a chat API that misbehaves as real ones do. */
import * as ChatModel from "@armoricore/ai/language/ChatModel"
import { type Options, LanguageTasks } from "@armoricore/ai/language/LanguageTasks"
import { SpeechEngine, type TranscribeOptions } from "@armoricore/ai/SpeechEngine"
import { Transcriber } from "@armoricore/ai/Transcriber"
import type { TranscriptCue } from "@armoricore/domain/Transcript"
import * as Collection from "@armoricore/state/Collection"
import { transcriptStates } from "@armoricore/state/TranscriptStates"
import * as MemoryStorage from "@armoricore/storage/memory/MemoryStorage"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { apiKey, FakeLanguageModel, type ModelBehavior } from "@armoricore/testing/fakes/FakeLanguageModel"
import * as ToneSpeech from "@armoricore/testing/fakes/ToneSpeech"
import { CircuitBreakers } from "@armoricore/worker/control/CircuitBreakers"
import { assert, describe, it, layer } from "@effect/vitest"
import { Duration, Effect, Layer, Metric, Option, Redacted, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import {
  isFfmpegMissing,
  objectKey,
  pipeline,
  programs,
  readObject,
  readTranscript,
  storeUpload,
  transcriptionRequest,
} from "../support/Pipeline.ts"
import { wav } from "../support/Recordings.ts"

const model = (options: Partial<ChatModel.Options> = {}) =>
  Layer.unwrap(
    Effect.map(FakeLanguageModel, ({ url }) =>
      ChatModel.layer({ baseUrl: `${url}/v1`, apiKey: Redacted.make(apiKey), model: "fake-1", ...options }),
    ),
  ).pipe(Layer.provide([FetchHttpClient.layer, CircuitBreakers.layer]))

const tasks = (options: Partial<Options> = {}, modelOptions: Partial<ChatModel.Options> = {}) =>
  LanguageTasks.layer({ languages: ["de"], outline: true, ...options }).pipe(
    Layer.provide(model(modelOptions)),
    Layer.provideMerge(FakeLanguageModel.layer),
    Layer.provideMerge(MemoryStorage.layer),
  )

/** Cues of three seconds, one after another. */
const cuesOf = (count: number): ReadonlyArray<TranscriptCue> =>
  Array.from({ length: count }, (_, index) => ({
    start: index * 4,
    end: index * 4 + 3,
    lines: [`this is cue ${index}`],
    ...(index === 0 ? { speaker: "Anna & Bo" } : {}),
  }))

const run = Effect.fnUntraced(function* (count: number, habits: Partial<ModelBehavior> = {}) {
  const fake = yield* FakeLanguageModel
  Object.assign(fake.behavior, habits)
  const { run: runTasks } = yield* LanguageTasks
  const storage = yield* ObjectStorage
  const scope = { bucket: "media", mediaId: "m1" }
  return yield* runTasks(storage, scope, { cues: cuesOf(count), language: "en" }, [])
})

const textOf = (words: ReadonlyArray<{ readonly text: string }> | undefined) => words?.map(({ text }) => text).join(" ")

const translationOf = (count: number) =>
  cuesOf(count)
    .flatMap(({ lines }) => lines)
    .join(" ")
    .toUpperCase()

describe("a language model", () => {
  it.live("translates every cue within its time, and outlines with times of the transcript only", () =>
    Effect.gen(function* () {
      const { notes, outline, translations } = yield* run(90)
      assert.deepStrictEqual(notes, [])
      const [translation] = translations
      assert.strictEqual(translation?.language, "de")
      assert.strictEqual(textOf(translation?.words), translationOf(90))
      for (const { end, start } of translation?.words ?? []) {
        const cue = Math.floor(start / 4)
        assert.isTrue(start >= cue * 4 && end <= cue * 4 + 3, `${start} to ${end}`)
      }
      assert.deepStrictEqual(outline, {
        title: "A voyage",
        summary: "Words follow one another.",
        chapters: [
          { start: 0, title: "From cue 0" },
          { start: 180, title: "From cue 45" },
        ],
      })
    }).pipe(Effect.provide(tasks())),
  )

  it.live("is asked again after 429, 5xx and prose, and its JSON is read from a code block", () =>
    Effect.gen(function* () {
      const habits = { rateLimitedRequests: 1, failingRequests: 1, proseAnswers: 1, fenced: true }
      const { notes, translations } = yield* run(3, habits)
      assert.deepStrictEqual(notes, [])
      assert.strictEqual(textOf(translations[0]?.words), translationOf(3))
      assert.deepStrictEqual((yield* FakeLanguageModel).statuses, [429, 500, 200, 200])
    }).pipe(Effect.provide(tasks({ outline: false }, { pause: Duration.millis(5) }))),
  )

  it.live("gets fewer cues at once where its answer is cut off or loses count", () =>
    Effect.gen(function* () {
      const cut = yield* run(20, { maxCues: 6 })
      assert.strictEqual(textOf(cut.translations[0]?.words), translationOf(20))
      const lost = yield* run(5, { maxCues: Number.POSITIVE_INFINITY, losingCount: true })
      assert.strictEqual(textOf(lost.translations[0]?.words), translationOf(5))
    }).pipe(Effect.provide(tasks({ outline: false }))),
  )

  it.live("is asked again by the next run where its answer was wrong, which publishes nothing", () =>
    Effect.gen(function* () {
      // regression: a wrong answer of the right form was stored, and the translation was missing for ever.
      const wrong = yield* run(1, { inflatedAnswers: 1 })
      assert.deepStrictEqual(wrong.translations, [])
      assert.match(wrong.notes[0] ?? "", /left out, repeated, emptied or inflated/)
      const right = yield* run(1)
      assert.strictEqual(textOf(right.translations[0]?.words), translationOf(1))
    }).pipe(Effect.provide(tasks({ outline: false }))),
  )

  it.live("that writes titles without end is asked again, and then has no outline", () =>
    Effect.gen(function* () {
      const corrected = yield* run(3, { inflatedAnswers: 1 })
      assert.strictEqual(corrected.outline?.title, "A voyage")
      const { notes, outline } = yield* run(4, { inflatedAnswers: 99 })
      assert.isUndefined(outline)
      assert.match(notes.at(-1) ?? "", /^the outline is missing: /)
      assert.strictEqual((yield* FakeLanguageModel).asked.length, 1 + 1 + 4)
    }).pipe(Effect.provide(tasks({ languages: [] }, { pause: Duration.millis(5) }))),
  )

  it.live("that fails in the middle of a translation leaves nothing of it; the next run pays for the rest alone", () =>
    Effect.gen(function* () {
      const fake = yield* FakeLanguageModel
      const counter = Metric.withAttributes(ChatModel.tokens, { task: "translation", kind: "completion" })
      const before = Number((yield* Metric.value(counter)).count)
      const broken = yield* run(81, { quotaUsedUpAfter: 2 })
      assert.deepStrictEqual(broken.translations, [])
      assert.lengthOf(broken.notes, 1)
      assert.strictEqual(Number((yield* Metric.value(counter)).count) - before, 20)
      const { translations } = yield* run(81, { quotaUsedUpAfter: Number.POSITIVE_INFINITY })
      assert.strictEqual(textOf(translations[0]?.words), translationOf(81))
      assert.strictEqual(fake.asked.length, 3)
    }).pipe(Effect.provide(tasks({ outline: false }))),
  )

  it.live("costs nothing for what it has answered before, and its tokens are counted", () =>
    Effect.gen(function* () {
      const fake = yield* FakeLanguageModel
      const counter = Metric.withAttributes(ChatModel.tokens, { task: "translation", kind: "prompt" })
      const before = (yield* Metric.value(counter)).count
      yield* run(3)
      const asked = fake.asked.length
      assert.strictEqual(Number((yield* Metric.value(counter)).count) - Number(before), 100)
      const again = yield* run(3)
      assert.strictEqual(textOf(again.translations[0]?.words), translationOf(3))
      assert.strictEqual(fake.asked.length, asked)
      yield* run(4)
      assert.strictEqual(fake.asked.length, asked + 2)
      // With the recognitions, which the deletion of the media deletes.
      const keys = yield* Stream.runCollect((yield* ObjectStorage).list("media", ""))
      assert.isTrue(keys.every(({ key }) => key.startsWith("work/transcription/m1/language/")))
    }).pipe(Effect.provide(tasks())),
  )

  for (const [what, habits, note] of [
    ["refuses", { refusing: true }, /refused: I cannot help/],
    ["answers prose again and again", { proseAnswers: 99 }, /no answer of the expected form/],
    ["answers web pages", { webPage: true }, /no answer of the expected form/],
    ["has no quota left", { quotaUsedUp: true }, /responded with 429.*quota/],
    ["does not answer in time", { delay: 400 }, /does not respond/],
  ] as const) {
    it.live(`that ${what} leaves a note, and no translation`, () =>
      Effect.gen(function* () {
        const { notes, translations } = yield* run(1, habits)
        assert.deepStrictEqual(translations, [])
        assert.lengthOf(notes, 1)
        assert.match(notes[0] ?? "", /^the translation into de is missing: /)
        assert.match(notes[0] ?? "", note)
      }).pipe(Effect.provide(tasks({ outline: false }, { timeout: Duration.millis(100), pause: Duration.millis(5) }))),
    )
  }

  it.live("that is not running leaves a note", () =>
    Effect.gen(function* () {
      const { notes } = yield* run(1)
      assert.match(notes[0] ?? "", /http:\/\/127.0.0.1:1\/v1\/chat\/completions does not respond/)
    }).pipe(Effect.provide(tasks({ outline: false }, { baseUrl: "http://127.0.0.1:1/v1", pause: Duration.millis(1) }))),
  )

  it.live("with a wrong key or path is a configuration error", () =>
    Effect.gen(function* () {
      const { notes } = yield* run(1)
      assert.match(notes[0] ?? "", /responded with 401/)
    }).pipe(Effect.provide(tasks({ outline: false }, { apiKey: Redacted.make("wrong") }))),
  )
})

describe.skipIf(isFfmpegMissing)("a transcript", () => {
  layer(programs, { excludeTestServices: true })((it) => {
    it.effect("has translated captions with speakers, an outline, and the vocabulary of its request", () =>
      Effect.gen(function* () {
        const asked: Array<TranscribeOptions> = []
        const engine = Layer.succeed(SpeechEngine, {
          name: "stub",
          model: "m",
          capabilities: {
            timestampGranularity: "words",
            languages: "any",
            detectsLanguage: true,
            diarization: true,
            quality: "standard",
            maxChunkSeconds: 60,
            concurrency: 1,
          },
          transcribe: (_, options) =>
            Effect.sync(() => {
              asked.push(options)
              const words = recording.words.map((word) => ({ ...word, speaker: "Anna" }))
              return { language: "en", words, segments: [] }
            }),
        })
        const recording = ToneSpeech.synthesize(12)
        yield* Effect.gen(function* () {
          const { transcribe } = yield* Transcriber
          const file = yield* storeUpload("a.wav", wav(recording.samples))
          const request = transcriptionRequest("m1", file)
          const event = { ...request, payload: { ...request.payload, translate: ["FR"], vocabulary: ["Roscoff"] } }
          const complete = yield* transcribe(event, { fencingToken: 1 })
          assert.deepInclude(asked[0], { vocabulary: "Roscoff, Armoricore" })
          assert.strictEqual(complete.outline?.title, "A voyage")
          assert.deepStrictEqual(
            complete.translations?.map(({ language }) => language),
            ["de", "fr"],
          )
          const [german] = complete.translations ?? []
          const document = yield* readTranscript(german?.transcript_file_path ?? "")
          assert.deepInclude(document, { language: "de", translated_from: "en", engine: "fake-1" })
          const vtt = yield* readObject(objectKey(german?.caption_urls.vtt ?? ""))
          assert.match(vtt.text, /\n<v Anna>W0 W1 W2/)
          const { outline, translated_from } = yield* readTranscript(complete.transcript_file_path)
          assert.isUndefined(translated_from)
          assert.deepStrictEqual(outline, complete.outline)
          const states = yield* Collection.make(transcriptStates)
          const { languages } = Option.getOrThrow(yield* states.get("m1")).value
          assert.deepStrictEqual(Object.keys(languages).sort(), ["de", "en", "fr"])
          // A transcript of the language itself replaces the translation, and no translation replaces it.
          const own = yield* transcribe(transcriptionRequest("m1", file, "de"), { fencingToken: 2 })
          yield* transcribe({ ...event, event_id: "00000000-0000-4000-8000-0000000000ff" }, { fencingToken: 3 })
          const later = Option.getOrThrow(yield* states.get("m1")).value.languages
          assert.strictEqual(later["de"]?.transcription_id, own.transcription_id)
          assert.strictEqual(later["en"]?.translated_from, undefined)
        }).pipe(
          Effect.provide(
            pipeline(engine, { vocabulary: ["Armoricore"] }).pipe(
              Layer.provide(tasks()),
              Layer.provideMerge(FakeLanguageModel.layer),
            ),
          ),
        )
      }),
    )
  })
})
