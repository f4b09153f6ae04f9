/** Fallback engines, whisper-cli, and recordings without audio. */
import * as WhisperCli from "@armoricore/ai/engines/WhisperCli"
import { type Engine, SpeechEngine } from "@armoricore/ai/SpeechEngine"
import * as SpeechEngines from "@armoricore/ai/SpeechEngines"
import { Transcriber } from "@armoricore/ai/Transcriber"
import { TransientError } from "@armoricore/domain/Errors"
import { assert, describe, it, layer } from "@effect/vitest"
import { KeyValue } from "@armoricore/state/KeyValue"
import { transcriptStates } from "@armoricore/state/TranscriptStates"
import * as ToneSpeech from "@armoricore/testing/fakes/ToneSpeech"
import { Clock, Effect, FileSystem, Layer } from "effect"
import {
  isFfmpegMissing,
  pipeline,
  programs,
  readObject,
  objectKey,
  transcriptionRequest,
  storeUpload,
} from "./support/Pipeline.ts"
import { video, wav } from "./support/Recordings.ts"

const engine = (name: string, quality: "standard" | "draft", languages: "any" | ReadonlyArray<string>): Engine => ({
  name,
  model: "1",
  capabilities: {
    timestampGranularity: "words",
    languages,
    detectsLanguage: false,
    diarization: false,
    quality,
    maxChunkSeconds: 60,
    concurrency: 1,
  },
  transcribe: () => Effect.succeed({ words: [], segments: [] }),
})
const unavailable = new TransientError({ dependency: "speech", code: "unavailable", message: "it is away" })

describe("fallback engines", () => {
  const engines = SpeechEngines.make([engine("first", "standard", "any"), engine("second", "draft", ["en"])])
  const work = ({ name }: Engine) => (name === "first" ? Effect.fail(unavailable) : Effect.succeed(name))

  it.effect("take over when the first engine fails, and the result names the reason", () =>
    Effect.gen(function* () {
      const done = yield* engines.withEngine("en-GB", work)
      assert.strictEqual(done.value, "second")
      assert.strictEqual(done.engine.capabilities.quality, "draft")
      assert.deepStrictEqual(done.fallbackReasons, ["first: it is away"])
    }),
  )

  it.effect("fail with the transient error if one of them is only unavailable", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Effect.flip(engines.withEngine("fr", work)), unavailable)
    }),
  )
})

/** A fake program that writes the output of `whisper-cli --output-json-full`. */
const fakeWhisperCli = `#!/bin/sh
while [ $# -gt 0 ]; do [ "$1" = --output-file ] && out=$2; [ "$1" = --language ] && lang=$2; shift; done
cat > "$out.json" <<END
{"result":{"language":"$lang"},"transcription":[{"text":" Hello there","offsets":{"from":100,"to":900},"tokens":[
{"text":"[_BEG_]","offsets":{"from":0,"to":0},"p":0.9},{"text":" Hel","offsets":{"from":100,"to":300},"p":0.9},
{"text":"lo","offsets":{"from":300,"to":500},"p":0.7},{"text":" there","offsets":{"from":500,"to":900},"p":0.8}]}]}
END
`

describe.skipIf(isFfmpegMissing)("recordings", () => {
  layer(programs, { excludeTestServices: true })((it) => {
    it.effect("whisper-cli returns whole words", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const path = `${yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-ai-test-" })}/whisper-cli`
        yield* fs.writeFileString(path, fakeWhisperCli)
        yield* fs.chmod(path, 0o755)
        const recognition = yield* Effect.flatMap(SpeechEngine, ({ transcribe }) =>
          transcribe({ file: "any.wav", seconds: 1 }, { language: "en-GB" }),
        ).pipe(Effect.provide(WhisperCli.layer({ path, model: "/models/ggml-base.bin" })))
        assert.strictEqual(recognition.language, "en")
        assert.deepStrictEqual(recognition.words, [
          { text: "Hello", start: 0.1, end: 0.5, confidence: 0.7 },
          { text: "there", start: 0.5, end: 0.9, confidence: 0.8 },
        ])
        const error = yield* Effect.flatMap(SpeechEngine, ({ transcribe }) =>
          Effect.flip(transcribe({ file: "any.wav", seconds: 1 }, {})),
        ).pipe(Effect.provide(WhisperCli.layer({ path: `${path}-missing`, model: "m" })))
        assert.strictEqual(error._tag, "ConfigurationError")
      }),
    )

    it.effect("without an audio stream have the quality no_audio and valid empty files", () =>
      Effect.gen(function* () {
        const { transcribe } = yield* Transcriber
        const path = yield* storeUpload("mute.mp4", yield* video(undefined, 2))
        const complete = yield* transcribe(transcriptionRequest("mute", path), { fencingToken: 1 })
        assert.deepInclude(complete, { quality: "no_audio", engine: "none", word_count: 0, language: "und" })
        assert.strictEqual((yield* readObject(objectKey(complete.caption_urls.vtt))).text, "WEBVTT\n")
        assert.strictEqual((yield* readObject(objectKey(complete.caption_urls.srt))).text, "")
      }).pipe(Effect.provide(pipeline(Layer.succeed(SpeechEngine, engine("none", "standard", "any"))))),
    )

    it.effect("that are short cost two writes of the state: one at the start and one at the end", () =>
      Effect.gen(function* () {
        // regression: each twentieth of the progress was written, however soon after the one before
        const { transcribe } = yield* Transcriber
        const path = yield* storeUpload("short.wav", wav(ToneSpeech.synthesize(4).samples))
        const startedAt = yield* Clock.currentTimeMillis
        const complete = yield* transcribe(transcriptionRequest("short", path, "en"), { fencingToken: 1 })
        const progressReports = Math.floor(((yield* Clock.currentTimeMillis) - startedAt) / 2_000)
        assert.notStrictEqual(complete.quality, "no_audio")
        const [state, ...more] = yield* (yield* KeyValue).list(transcriptStates.bucket, { limit: 2 })
        assert.isEmpty(more)
        // Revisions count the writes of the whole store.
        assert.isAtLeast(state?.revision ?? 0, 2)
        assert.isAtMost(state?.revision ?? 0, 2 + progressReports)
      }).pipe(Effect.provide(pipeline(Layer.succeed(SpeechEngine, engine("none", "standard", "any"))))),
    )

    it.effect("that are no media, in a foreign bucket or missing fail permanently", () =>
      Effect.gen(function* () {
        const { transcribe } = yield* Transcriber
        const code = (path: string, language?: string) =>
          Effect.map(Effect.flip(transcribe(transcriptionRequest("m", path, language), { fencingToken: 1 })), (error) =>
            error._tag === "PermanentError" ? error.code : error._tag,
          )
        const letter = yield* storeUpload("letter.mp4", new TextEncoder().encode("Dear reader,"))
        assert.strictEqual(yield* code(letter), "unsupported_format")
        assert.strictEqual(yield* code("s3://elsewhere/a.mp4"), "unknown_bucket")
        assert.strictEqual(yield* code("s3://media/gone.mp4"), "source_missing")
        assert.strictEqual(yield* code(letter, "not a language"), "invalid_language")
      }).pipe(Effect.provide(pipeline(Layer.succeed(SpeechEngine, engine("none", "standard", "any"))))),
    )
  })
})
