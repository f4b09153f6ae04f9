/** whisper.cpp's command (`whisper-cli`), with a model file on the local disk. */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import * as LeashedChild from "@armoricore/ffmpeg/LeashedChild"
import { Duration, Effect, FileSystem, Layer, Path, PlatformError, Schema } from "effect"
import { ChildProcessSpawner } from "effect/process"
import { primaryTag, tagOf } from "../Language.ts"
import { type Recognition, type Sound, SpeechEngine, type TranscribeOptions } from "../SpeechEngine.ts"
import { joined } from "../Tokens.ts"

export interface Options {
  /** `WHISPER_CLI_PATH`; default `whisper-cli` on PATH. */
  readonly path?: string
  /** `WHISPER_MODEL_PATH` */
  readonly model: string
}

export const layer = (options: Options) =>
  Layer.effect(
    SpeechEngine,
    Effect.gen(function* () {
      const { leash } = yield* FfmpegPrograms
      const path = yield* Path.Path
      const own = yield* Effect.context<ChildProcessSpawner.ChildProcessSpawner | FileSystem.FileSystem | Path.Path>()
      const transcribe = Effect.fn("WhisperCli.transcribe")(
        function* (sound: Sound, { language }: TranscribeOptions) {
          const fs = yield* FileSystem.FileSystem
          const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-whisper-" })
          const out = path.join(folder, "heard")
          const { code, stderr } = yield* LeashedChild.collect(
            leash,
            options.path ?? "whisper-cli",
            [
              "--model",
              options.model,
              "--file",
              sound.file,
              "--language",
              language === undefined ? "auto" : primaryTag(language),
              "--output-json-full",
              "--output-file",
              out,
              "--no-prints",
              // Text before is not a prompt for what follows: loops would feed themselves.
              "--max-context",
              "0",
            ],
            folder,
          ).pipe(Effect.timeout(Duration.seconds(300 + sound.seconds * 10)))
          if (code !== 0) return yield* failed(code, stderr)
          return parse(yield* decode(yield* fs.readFileString(`${out}.json`)))
        },
        Effect.scoped,
        Effect.provide(own),
        Effect.mapError((error) => described(error)),
      )
      return {
        name: "whisper-cli",
        model: path.basename(options.model),
        capabilities: {
          times: "words" as const,
          // Models whose name ends in .en know English alone.
          languages: /\.en([.-]|$)/.test(path.basename(options.model)) ? ["en"] : ("any" as const),
          detectsLanguage: true,
          speakers: false,
          quality: "standard" as const,
          longestPiece: 600,
          // It uses every core by itself.
          concurrency: 1,
        },
        transcribe,
      }
    }),
  )

const Offsets = Schema.Struct({ from: Schema.Finite, to: Schema.Finite })
const Output = Schema.Struct({
  result: Schema.optionalKey(Schema.Struct({ language: Schema.optionalKey(Schema.String) })),
  transcription: Schema.Array(
    Schema.Struct({
      text: Schema.String,
      /** Milliseconds. */
      offsets: Offsets,
      tokens: Schema.optionalKey(
        Schema.Array(
          Schema.Struct({
            text: Schema.String,
            offsets: Schema.optionalKey(Offsets),
            p: Schema.optionalKey(Schema.Finite),
          }),
        ),
      ),
    }),
  ),
})
const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Output))

const parse = ({ result, transcription }: typeof Output.Type): Recognition => {
  const language = tagOf(result?.language)
  const tokens = transcription.flatMap(({ tokens = [] }) =>
    tokens.flatMap(({ offsets, p, text }) =>
      offsets === undefined
        ? []
        : [{ text, start: offsets.from / 1000, end: offsets.to / 1000, ...(p === undefined ? {} : { confidence: p }) }],
    ),
  )
  return {
    ...(language === undefined ? {} : { language }),
    words: joined(tokens),
    segments: transcription.map(({ offsets, text }) => ({ start: offsets.from / 1000, end: offsets.to / 1000, text })),
  }
}

const described = (error: unknown): TransientError | ConfigurationError => {
  if (error instanceof TransientError || error instanceof ConfigurationError) return error
  if (error instanceof PlatformError.PlatformError && error.reason._tag === "NotFound") {
    return new ConfigurationError({
      setting: "WHISPER_CLI_PATH",
      message: "whisper-cli was not found, or wrote nothing; set WHISPER_CLI_PATH to whisper.cpp's command",
      cause: error,
    })
  }
  const message = error instanceof Error ? error.message : String(error)
  return new TransientError({
    dependency: "whisper-cli",
    code: "failed",
    message: `whisper-cli did not answer: ${message}`,
    cause: error,
  })
}

const failed = (code: number, stderr: string): TransientError | ConfigurationError =>
  code === 127 || /failed to (load|initialize)|model file|unknown argument/i.test(stderr)
    ? new ConfigurationError({
        setting: "WHISPER_MODEL_PATH",
        message: `whisper-cli is not there, or cannot use its model or options: ${stderr.trim().slice(-200)}`,
      })
    : new TransientError({
        dependency: "whisper-cli",
        code: "failed",
        message: `whisper-cli ended with code ${code}: ${stderr.trim().slice(-200)}`,
      })
