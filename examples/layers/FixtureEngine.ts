/** A speech engine of one's own: it "hears" what a text file beside it says, one word every half second. */
import { ConfigurationError } from "@armoricore/domain/Errors"
import { SpeechEngine } from "@armoricore/ai"
import { Effect, FileSystem, Layer } from "effect"

const secondsPerWord = 0.5

export const layer = (path: string) =>
  Layer.effect(
    SpeechEngine.SpeechEngine,
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const transcribe = Effect.fnUntraced(function* (sound: SpeechEngine.AudioFile) {
        const text = yield* Effect.mapError(
          fs.readFileString(path),
          (cause) => new ConfigurationError({ setting: "the engine's text", message: `${path} cannot be read`, cause }),
        )
        const words = text
          .split(/\s+/)
          .filter((word) => word !== "")
          .map((word, index) => ({ text: word, start: index * secondsPerWord, end: (index + 1) * secondsPerWord }))
          .filter(({ end }) => end <= sound.seconds)
        return { language: "en", words, segments: [] }
      })
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
      }
    }),
  )
