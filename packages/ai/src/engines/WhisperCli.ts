/** The command of whisper.cpp (`whisper-cli`), with a model file on the local disk. */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import * as SupervisedProcess from "@armoricore/ffmpeg/SupervisedProcess"
import { Duration, Effect, FileSystem, Layer, Path, PlatformError, Schema } from "effect"
import { ChildProcessSpawner } from "effect/process"
import { primaryTag, parseTag } from "../LanguageTag.ts"
import { type Recognition, type AudioFile, SpeechEngine, type TranscribeOptions } from "../SpeechEngine.ts"
import type { EngineDescriptor } from "./EngineDescriptor.ts"
import { joinTokens } from "./WhisperTokens.ts"

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
      const { parentDeathSignal } = yield* FfmpegPrograms
      const path = yield* Path.Path
      const services = yield* Effect.context<
        ChildProcessSpawner.ChildProcessSpawner | FileSystem.FileSystem | Path.Path
      >()
      const transcribe = Effect.fn("WhisperCli.transcribe")(
        function* (audio: AudioFile, { language, vocabulary }: TranscribeOptions) {
          const fs = yield* FileSystem.FileSystem
          const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-whisper-" })
          const outputPath = path.join(folder, "transcript")
          const { code, stderr } = yield* SupervisedProcess.collect(
            parentDeathSignal,
            options.path ?? "whisper-cli",
            [
              "--model",
              options.model,
              "--file",
              audio.file,
              "--language",
              language === undefined ? "auto" : primaryTag(language),
              "--output-json-full",
              "--output-file",
              outputPath,
              "--no-prints",
              // Without context: the text so far as a prompt would make a hallucinated loop repeat itself.
              "--max-context",
              // A prompt counts as context.
              vocabulary === undefined ? "0" : "64",
              ...(vocabulary === undefined ? [] : ["--prompt", vocabulary]),
            ],
            folder,
          ).pipe(Effect.timeout(Duration.seconds(300 + audio.seconds * 10)))
          if (code !== 0) return yield* exitError(code, stderr)
          return toRecognition(yield* decode(yield* fs.readFileString(`${outputPath}.json`)))
        },
        Effect.scoped,
        Effect.provide(services),
        Effect.mapError((error) => toEngineError(error)),
      )
      return {
        name: "whisper-cli",
        model: path.basename(options.model),
        capabilities: {
          timestampGranularity: "words" as const,
          // A model whose name ends in .en supports only English.
          languages: /\.en([.-]|$)/.test(path.basename(options.model)) ? ["en"] : ("any" as const),
          detectsLanguage: true,
          diarization: false,
          quality: "standard" as const,
          maxChunkSeconds: 600,
          // One call uses every core.
          concurrency: 1,
        },
        transcribe,
      }
    }),
  )

export interface Settings {
  readonly WHISPER_CLI_PATH?: string | undefined
  readonly WHISPER_MODEL_PATH?: string | undefined
}

/** `SPEECH_ENGINE=whisper-cli`. */
export const descriptor: EngineDescriptor<Settings, "whisper-cli"> = {
  name: "whisper-cli",
  isLocal: true,
  fileSettings: ["WHISPER_CLI_PATH", "WHISPER_MODEL_PATH"],
  layer: ({ WHISPER_CLI_PATH, WHISPER_MODEL_PATH }) =>
    layer({
      // `missingSettings` has rejected an absent model before.
      model: WHISPER_MODEL_PATH ?? "",
      ...(WHISPER_CLI_PATH === undefined ? {} : { path: WHISPER_CLI_PATH }),
    }),
  describe: ({ WHISPER_CLI_PATH }) => `whisper-cli (${WHISPER_CLI_PATH ?? "on PATH"})`,
  missingSettings: ({ WHISPER_MODEL_PATH }, reason) =>
    WHISPER_MODEL_PATH === undefined ? [`WHISPER_MODEL_PATH is missing: ${reason}; name its model file`] : [],
}

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

const toRecognition = ({ result, transcription }: typeof Output.Type): Recognition => {
  const language = parseTag(result?.language)
  const tokens = transcription.flatMap(({ tokens = [] }) =>
    tokens.flatMap(({ offsets, p, text }) =>
      offsets === undefined
        ? []
        : [{ text, start: offsets.from / 1000, end: offsets.to / 1000, ...(p === undefined ? {} : { confidence: p }) }],
    ),
  )
  return {
    ...(language === undefined ? {} : { language }),
    words: joinTokens(tokens),
    segments: transcription.map(({ offsets, text }) => ({ start: offsets.from / 1000, end: offsets.to / 1000, text })),
  }
}

const toEngineError = (error: unknown): TransientError | ConfigurationError => {
  if (error instanceof TransientError || error instanceof ConfigurationError) return error
  if (error instanceof PlatformError.PlatformError && error.reason._tag === "NotFound") {
    return new ConfigurationError({
      setting: "WHISPER_CLI_PATH",
      message: "whisper-cli was not found, or wrote no output; set WHISPER_CLI_PATH to whisper.cpp's command",
      cause: error,
    })
  }
  const message = error instanceof Error ? error.message : String(error)
  return new TransientError({
    dependency: "whisper-cli",
    code: "failed",
    message: `whisper-cli failed: ${message}`,
    cause: error,
  })
}

const exitError = (code: number, stderr: string): TransientError | ConfigurationError =>
  code === 127 || /failed to (load|initialize)|model file|unknown argument/i.test(stderr)
    ? new ConfigurationError({
        setting: "WHISPER_MODEL_PATH",
        message: `whisper-cli is not installed, or rejects its model or options: ${stderr.trim().slice(-200)}`,
      })
    : new TransientError({
        dependency: "whisper-cli",
        code: "failed",
        message: `whisper-cli ended with code ${code}: ${stderr.trim().slice(-200)}`,
      })
