/** The ai service as the settings have it: which speech engines in which order, which moderation. */
import * as AiService from "@armoricore/ai/AiService"
import * as OpenAiCompatible from "@armoricore/ai/engines/OpenAiCompatible"
import * as Pocketsphinx from "@armoricore/ai/engines/Pocketsphinx"
import * as WhisperCli from "@armoricore/ai/engines/WhisperCli"
import * as SpeechCircuitBreaker from "@armoricore/ai/SpeechCircuitBreaker"
import { Moderator } from "@armoricore/ai/moderation/Moderator"
import { SpeechEngines } from "@armoricore/ai/SpeechEngines"
import { Transcriber } from "@armoricore/ai/Transcriber"
import { ConfigurationError } from "@armoricore/domain/Errors"
import * as FfmpegPrograms from "@armoricore/ffmpeg/FfmpegPrograms"
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir"
import { CircuitBreakers } from "@armoricore/worker/control/CircuitBreakers"
import { Effect, FileSystem, Layer, Path } from "effect"
import { FetchHttpClient } from "effect/http"
import { Settings } from "../settings/Settings.ts"

type SettingValues = Settings["Service"]
type EngineName = "openai" | "whisper-cli" | "pocketsphinx"

/** One engine a line. */
const engineLayer = (name: EngineName, settings: SettingValues) => {
  switch (name) {
    case "openai":
      return SpeechCircuitBreaker.withCircuitBreaker(
        OpenAiCompatible.layer({
          dialect: settings.SPEECH_DIALECT,
          ...(settings.SPEECH_BASE_URL === undefined ? {} : { baseUrl: settings.SPEECH_BASE_URL }),
          ...(settings.SPEECH_API_KEY === undefined ? {} : { apiKey: settings.SPEECH_API_KEY }),
          ...(settings.SPEECH_MODEL === undefined ? {} : { model: settings.SPEECH_MODEL }),
        }),
      ).pipe(Layer.provide([FetchHttpClient.layer, CircuitBreakers.layer]))
    case "whisper-cli":
      return WhisperCli.layer({
        // Groups.ts asks for it where this engine is chosen.
        model: settings.WHISPER_MODEL_PATH ?? "",
        ...(settings.WHISPER_CLI_PATH === undefined ? {} : { path: settings.WHISPER_CLI_PATH }),
      })
    case "pocketsphinx":
      return Pocketsphinx.layer()
  }
}

/** The engine that is used: the chosen one, else pocketsphinx where it is installed. */
export const selectedEngine = Effect.gen(function* () {
  const { SPEECH_ENGINE } = yield* Settings
  return SPEECH_ENGINE ?? ((yield* isInstalled(Pocketsphinx.defaultProgram)) ? "pocketsphinx" : "off")
})

/** What `armoricore doctor` says about it. */
export const describeEngine = Effect.gen(function* () {
  const name = yield* selectedEngine
  if (name === "off") return "off: requests for captions are refused; set SPEECH_ENGINE, or install pocketsphinx"
  if (name === "pocketsphinx") {
    if (yield* isInstalled(Pocketsphinx.defaultProgram)) return "pocketsphinx: drafts only, in English"
    return yield* new ConfigurationError({
      setting: "SPEECH_ENGINE",
      message: "pocketsphinx is not installed: apt-get install pocketsphinx pocketsphinx-en-us",
    })
  }
  const { SPEECH_BASE_URL, WHISPER_CLI_PATH } = yield* Settings
  if (name === "openai") return `openai at ${SPEECH_BASE_URL ?? "https://api.openai.com/v1"}`
  return `whisper-cli (${WHISPER_CLI_PATH ?? "on PATH"})`
})

const captions = Effect.gen(function* () {
  const settings = yield* Settings
  const name = yield* selectedEngine
  if (name === "off") {
    yield* Effect.logInfo("captions are off: SPEECH_ENGINE is unset and pocketsphinx is not installed, or it is off")
    return Layer.empty
  }
  const others = (settings.SPEECH_FALLBACK ?? []).filter(
    (other): other is EngineName => other !== name && (other === "whisper-cli" || other === "pocketsphinx"),
  )
  const programs = FfmpegPrograms.FfmpegPrograms.layer({
    ...(settings.FFMPEG_PATH === undefined ? {} : { ffmpegPath: settings.FFMPEG_PATH }),
    ...(settings.FFPROBE_PATH === undefined ? {} : { ffprobePath: settings.FFPROBE_PATH }),
  })
  return Transcriber.layer({
    bucket: settings.OBJECT_STORAGE_BUCKET,
    sourceBuckets: settings.MEDIA_SOURCE_BUCKETS ?? [settings.OBJECT_STORAGE_BUCKET],
  }).pipe(
    Layer.provide(
      SpeechEngines.layer(engineLayer(name, settings), ...others.map((other) => engineLayer(other, settings))),
    ),
    Layer.provide([programs, ScratchDir.layer()]),
  )
})

const moderation = Effect.map(Settings, (settings) =>
  Moderator.layer({
    failMode: settings.MODERATION_FAIL_MODE,
    ...(settings.MODERATION_RULES === "off"
      ? {}
      : {
          rules: {
            blockedWords: settings.MODERATION_WORDS ?? [],
            reviewWords: settings.MODERATION_REVIEW_WORDS ?? [],
            linkAction: settings.MODERATION_LINKS,
            allowedDomains: settings.MODERATION_ALLOWED_HOSTS ?? [],
            floodThreshold: settings.MODERATION_FLOOD_LIMIT,
            floodAction: settings.MODERATION_FLOOD_ACTION,
          },
        }),
    ...(settings.MODERATION_BASE_URL === undefined
      ? {}
      : {
          model: {
            baseUrl: settings.MODERATION_BASE_URL,
            api: settings.MODERATION_API,
            ...(settings.MODERATION_API_KEY === undefined ? {} : { apiKey: settings.MODERATION_API_KEY }),
            ...(settings.MODERATION_MODEL === undefined ? {} : { model: settings.MODERATION_MODEL }),
          },
        }),
  }).pipe(Layer.provide(FetchHttpClient.layer)),
)

/** The worker. */
export const layer = AiService.layer().pipe(
  Layer.provide(Layer.unwrap(captions)),
  Layer.provide(Layer.unwrap(moderation)),
)

const isInstalled = Effect.fnUntraced(function* (program: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folders = (process.env["PATH"] ?? "").split(process.platform === "win32" ? ";" : ":")
  for (const folder of folders.filter((folder) => folder !== "")) {
    if (yield* Effect.orElseSucceed(fs.exists(path.join(folder, program)), () => false)) return true
  }
  return false
})
