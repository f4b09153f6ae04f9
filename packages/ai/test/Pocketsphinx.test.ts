/** The whole pipeline over the real offline engine, with speech that flite makes. */
import * as Pocketsphinx from "@armoricore/ai/engines/Pocketsphinx"
import { Transcribe } from "@armoricore/ai/Transcribe"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { documentOf, keyOf, missing, pipeline, programs, read, requested, store } from "./support/Pipeline.ts"
import { film, speech, wordErrorRate } from "./support/Recordings.ts"

const without = [Programs.need(Pocketsphinx.program), Programs.need("flite")].some((need) => need.missing)

const sentences = [
  "The ship left the harbor early in the morning.",
  "Nobody on the shore could see where it was going, because the water was covered with white fog.",
  "After three days the captain found the island again.",
]

describe.skipIf(missing || without)("Pocketsphinx", () => {
  layer(pipeline(Pocketsphinx.layer({ concurrency: 2 })).pipe(Layer.provideMerge(programs)), {
    excludeTestServices: true,
  })((it) => {
    it.effect("makes captions of a film with speech: few wrong words, at the right time, marked as a draft", () =>
      Effect.gen(function* () {
        const sound = yield* speech(sentences, { before: 2, between: 1.5 })
        const { transcribe } = yield* Transcribe
        const complete = yield* transcribe(requested("film", yield* store("film.mp4", yield* film(sound, 17))), {
          token: 1,
        })
        const document = yield* documentOf(complete.transcript_file_path)
        const heard = document.words.map(({ text }) => text).join(" ")
        assert.isAtMost(wordErrorRate(sentences.join(" "), heard), 0.3, heard)
        assert.strictEqual(complete.quality, "draft")
        assert.strictEqual(complete.engine, "pocketsphinx")
        assert.strictEqual(complete.language, "en")
        assert.strictEqual(complete.word_count, document.words.length)
        assert.closeTo(document.cues[0]?.start ?? 0, 2.1, 0.25)
        const vtt = yield* read(keyOf(complete.caption_urls.vtt))
        assert.strictEqual(vtt.contentType, "text/vtt; charset=utf-8")
        assert.match(vtt.text, /^WEBVTT\n\n00:00:0[12]\.\d{3} --> /)
        const srt = yield* read(keyOf(complete.caption_urls.srt))
        assert.match(srt.text, /^1\r\n00:00:0[12],\d{3} --> /)
      }),
    )

    it.effect("answers for a language that it does not know with what to do", () =>
      Effect.gen(function* () {
        const { transcribe } = yield* Transcribe
        const path = yield* store("a.wav", yield* speech(["Hello"]))
        const error = yield* Effect.flip(transcribe(requested("french", path, "fr"), { token: 1 }))
        assert.strictEqual(error._tag === "PermanentError" ? error.code : error._tag, "language_not_supported")
      }),
    )
  })

  it("reads what the program prints", () => {
    assert.deepStrictEqual(
      Pocketsphinx.parse(
        "hello there\n<s> 0.000 0.100 0.9\nhello(2) 0.110 0.570 0.5\n[NOISE] 0.6 0.7 1.0\n</s> 1 2 1\n",
      ),
      [{ text: "hello", start: 0.11, end: 0.57, confidence: 0.5 }],
    )
  })
})
