/** Builds the ai service from the settings: the speech engines in their order, and the moderation. */
import * as AiService from "@armoricore/ai/AiService"
import * as Pocketsphinx from "@armoricore/ai/engines/Pocketsphinx"
import { findEngine, speechEngines } from "@armoricore/ai/engines/SpeechEngineRegistry"
import { Moderator } from "@armoricore/ai/moderation/Moderator"
import * as ChatModel from "@armoricore/ai/language/ChatModel"
import { LanguageTasks } from "@armoricore/ai/language/LanguageTasks"
import { canonicalTag } from "@armoricore/ai/LanguageTag"
import { SpeechEngines } from "@armoricore/ai/SpeechEngines"
import { Transcriber } from "@armoricore/ai/Transcriber"
import { ConfigurationError } from "@armoricore/domain/Errors"
import * as FfmpegPrograms from "@armoricore/ffmpeg/FfmpegPrograms"
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir"
import { CircuitBreakers } from "@armoricore/worker/control/CircuitBreakers"
import { Effect, FileSystem, Layer, Path } from "effect"
import { FetchHttpClient } from "effect/http"
import { Settings } from "../settings/Settings.ts"

/** `SPEECH_ENGINE`. Default: pocketsphinx if it is installed. */
export const selectedEngine = Effect.gen(function* () {
  const { SPEECH_ENGINE } = yield* Settings
  return SPEECH_ENGINE ?? ((yield* isInstalled(Pocketsphinx.defaultProgram)) ? "pocketsphinx" : "off")
})

/** The line of `armoricore doctor`. */
export const describeEngine = Effect.gen(function* () {
  const name = yield* selectedEngine
  const engine = findEngine(name)
  if (engine === undefined) return "off: requests for captions fail; set SPEECH_ENGINE, or install pocketsphinx"
  if (name === Pocketsphinx.descriptor.name && !(yield* isInstalled(Pocketsphinx.defaultProgram))) {
    return yield* new ConfigurationError({
      setting: "SPEECH_ENGINE",
      message: "pocketsphinx is not installed: apt-get install pocketsphinx pocketsphinx-en-us",
    })
  }
  return engine.describe(yield* Settings)
})

/** Translations and outlines, where a chat API is set. */
const languageTasks = (settings: Settings["Service"]) =>
  settings.LANGUAGE_MODEL_BASE_URL === undefined || settings.LANGUAGE_MODEL === undefined
    ? Layer.empty
    : LanguageTasks.layer({
        languages: (settings.CAPTION_LANGUAGES ?? []).flatMap((language) => canonicalTag(language) ?? []),
        outline: settings.TRANSCRIPT_OUTLINE === "on",
      }).pipe(
        Layer.provide(
          ChatModel.layer({
            baseUrl: settings.LANGUAGE_MODEL_BASE_URL,
            model: settings.LANGUAGE_MODEL,
            ...(settings.LANGUAGE_MODEL_API_KEY === undefined ? {} : { apiKey: settings.LANGUAGE_MODEL_API_KEY }),
          }),
        ),
        Layer.provide([FetchHttpClient.layer, CircuitBreakers.layer]),
      )

const captions = Effect.gen(function* () {
  const settings = yield* Settings
  const engine = findEngine(yield* selectedEngine)
  if (engine === undefined) {
    yield* Effect.logInfo("captions are off: SPEECH_ENGINE is off, or unset and pocketsphinx is not installed")
    return Layer.empty
  }
  const fallbacks = (settings.SPEECH_FALLBACK ?? []).flatMap((name) =>
    speechEngines.filter((other) => other.name === name && other.isLocal && other !== engine),
  )
  const programs = FfmpegPrograms.FfmpegPrograms.layer({
    ...(settings.FFMPEG_PATH === undefined ? {} : { ffmpegPath: settings.FFMPEG_PATH }),
    ...(settings.FFPROBE_PATH === undefined ? {} : { ffprobePath: settings.FFPROBE_PATH }),
  })
  return Transcriber.layer({
    bucket: settings.OBJECT_STORAGE_BUCKET,
    sourceBuckets: settings.MEDIA_SOURCE_BUCKETS ?? [settings.OBJECT_STORAGE_BUCKET],
    vocabulary: settings.SPEECH_VOCABULARY ?? [],
  }).pipe(
    Layer.provide(languageTasks(settings)),
    Layer.provide(
      SpeechEngines.layer(engine.layer(settings), ...fallbacks.map((fallback) => fallback.layer(settings))),
    ),
    Layer.provide([programs, ScratchDir.layer()]),
  )
})

/** False: no consumer reads the messages of chat and comments. */
export const isModerating = (settings: Settings["Service"]): boolean =>
  settings.MODERATION_RULES !== "off" || settings.MODERATION_BASE_URL !== undefined

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
