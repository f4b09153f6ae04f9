/**
 * Any server with OpenAI's transcription API or a variant: OpenAI, Azure OpenAI, whisper.cpp's server, speaches, LocalAI,
 * vLLM. Each variant is one row of `dialects`.
 *
 * After a 429 the engine waits as long as the server asks, within limits, so a busy minute does not fail the attempt of
 * the whole transcript. A used-up quota is a configuration error.
 */
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { CircuitBreakers } from "@armoricore/worker/control/CircuitBreakers"
import { Clock, Duration, Effect, FileSystem, Layer, Path, Redacted, Schema } from "effect"
import { FetchHttpClient, Headers, HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { ChildProcessSpawner } from "effect/process"
import { openAsBlob } from "node:fs"
import { primaryTag } from "../LanguageTag.ts"
import {
  type AudioFile,
  type EngineCapabilities,
  SpeechEngine,
  type TranscribeOptions,
  withCircuitBreaker,
} from "../SpeechEngine.ts"
import type { EngineDescriptor } from "./EngineDescriptor.ts"
import { TranscriptionResponse, toRecognition } from "./OpenAiResponse.ts"

interface Dialect {
  readonly path: string
  /** FLAC is smaller; some servers read only WAV. */
  readonly uploadFormat: "flac" | "wav"
  /** The value of `language` that requests detection. Absent: the request has no `language`. */
  readonly autoLanguage?: string
  /** The header with the key. Absent: `Authorization: Bearer`. */
  readonly keyHeader?: string
  readonly timestampGranularity: EngineCapabilities["timestampGranularity"]
}

export const dialects = {
  openai: { path: "/audio/transcriptions", uploadFormat: "flac", timestampGranularity: "words" },
  azure: {
    path: "/audio/transcriptions",
    uploadFormat: "flac",
    keyHeader: "api-key",
    timestampGranularity: "words",
  },
  "whisper.cpp": { path: "/inference", uploadFormat: "wav", autoLanguage: "auto", timestampGranularity: "words" },
  speaches: { path: "/audio/transcriptions", uploadFormat: "flac", timestampGranularity: "words" },
  localai: { path: "/audio/transcriptions", uploadFormat: "wav", timestampGranularity: "segments" },
  vllm: { path: "/audio/transcriptions", uploadFormat: "flac", timestampGranularity: "segments" },
} as const satisfies Readonly<Record<string, Dialect>>
export type DialectName = keyof typeof dialects
export const dialectNames = Object.keys(dialects) as ReadonlyArray<DialectName>

const defaultBaseUrl = "https://api.openai.com/v1"

export interface Options {
  /**
   * `SPEECH_BASE_URL`, including `/v1`; for whisper.cpp the root of the server; for Azure the deployment. A query, such
   * as `?api-version=2024-06-01`, is part of every request.
   */
  readonly baseUrl?: string
  /** `SPEECH_API_KEY` */
  readonly apiKey?: Redacted.Redacted<string>
  /** `SPEECH_MODEL`, default `whisper-1`. */
  readonly model?: string
  /** `SPEECH_DIALECT`, default `openai`. */
  readonly dialect?: DialectName
  /** Concurrent requests. Default 3. */
  readonly concurrency?: number
}

/** After a 429 with a longer `Retry-After` the call fails at once. */
const maxRetryAfter = Duration.seconds(60)
const maxAttempts = 4

export const layer = (options: Options) =>
  Layer.effect(
    SpeechEngine,
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const services = yield* Effect.context<
        FileSystem.FileSystem | Path.Path | FfmpegPrograms | ChildProcessSpawner.ChildProcessSpawner
      >()
      const model = options.model ?? "whisper-1"
      const dialect: Dialect = dialects[options.dialect ?? "openai"]
      const requestFormat = requestFormatFor(model, dialect)
      const requestUrl = endpointUrl(options.baseUrl ?? defaultBaseUrl, dialect.path)
      // Without the query, which may have a secret, for messages.
      const url = withoutQuery(requestUrl)

      const send = Effect.fnUntraced(function* (
        file: string,
        { language, vocabulary }: TranscribeOptions,
        seconds: number,
      ) {
        const blob = yield* Effect.tryPromise({
          try: () => openAsBlob(file, { type: `audio/${dialect.uploadFormat}` }),
          catch: (cause) =>
            new TransientError({ dependency: "disk", code: "unavailable", message: `${file} is not readable`, cause }),
        })
        const body = new FormData()
        body.append("file", blob, `sound.${dialect.uploadFormat}`)
        body.append("model", model)
        for (const [key, value] of requestFormat.fields) body.append(key, value)
        const languageField = language === undefined ? dialect.autoLanguage : primaryTag(language)
        if (languageField !== undefined) body.append("language", languageField)
        // Models that tell speakers apart refuse a prompt.
        if (vocabulary !== undefined && !requestFormat.diarization) body.append("prompt", vocabulary)
        const request = HttpClientRequest.post(requestUrl).pipe(
          HttpClientRequest.bodyFormData(body),
          authenticate(dialect, options.apiKey),
        )
        return yield* Effect.gen(function* () {
          const response = yield* client.execute(request)
          return { response, text: yield* response.text }
        }).pipe(
          // Traces record the headers of requests.
          Effect.updateService(Headers.CurrentRedactedNames, (names) => [
            ...names,
            ...(dialect.keyHeader === undefined ? [] : [dialect.keyHeader]),
          ]),
          Effect.timeout(Duration.seconds(120 + seconds * 2)),
          Effect.mapError(
            (cause) =>
              new TransientError({
                dependency: "speech",
                code: cause._tag === "TimeoutError" ? "timeout" : "unavailable",
                message: `the speech engine at ${url} does not respond: ${cause.message}`,
                cause,
              }),
          ),
        )
      })

      const transcribe = Effect.fn("OpenAiCompatible.transcribe")(
        function* (audio: AudioFile, transcribeOptions: TranscribeOptions) {
          const file = dialect.uploadFormat === "wav" ? audio.file : yield* encodeFlac(audio)
          for (let attemptsLeft = maxAttempts; ; attemptsLeft--) {
            const { response, text } = yield* send(file, transcribeOptions, audio.seconds)
            if (response.status >= 200 && response.status < 300) {
              return toRecognition(
                yield* Effect.mapError(decode(text), (cause) => invalidResponse(url, cause)),
                audio.seconds,
              )
            }
            const error = yield* responseError(url, response, text)
            const retryAfterMillis = error._tag === "TransientError" ? error.retryAfterMillis : undefined
            if (
              retryAfterMillis === undefined ||
              attemptsLeft <= 1 ||
              retryAfterMillis > Duration.toMillis(maxRetryAfter)
            )
              return yield* error
            yield* Effect.logDebug("the speech engine limits the rate; the request is repeated", { retryAfterMillis })
            yield* Effect.sleep(Duration.millis(retryAfterMillis))
          }
        },
        Effect.scoped,
        Effect.provide(services),
      )
      return {
        name: options.dialect ?? "openai",
        model,
        capabilities: {
          timestampGranularity: requestFormat.timestampGranularity,
          languages: "any" as const,
          detectsLanguage: true,
          diarization: requestFormat.diarization,
          quality: "standard" as const,
          // Without timestamps the time of a word is estimated within its chunk, so chunks are short.
          maxChunkSeconds: requestFormat.timestampGranularity === "text" ? 30 : 480,
          concurrency: options.concurrency ?? 3,
        },
        transcribe,
      }
    }),
  )

export interface Settings {
  readonly SPEECH_DIALECT: DialectName
  readonly SPEECH_BASE_URL?: string | undefined
  readonly SPEECH_API_KEY?: Redacted.Redacted<string> | undefined
  readonly SPEECH_MODEL?: string | undefined
}

/** `SPEECH_ENGINE=openai`. A server may be unavailable, so it has a circuit breaker. */
export const descriptor: EngineDescriptor<Settings, "openai"> = {
  name: "openai",
  isLocal: false,
  fileSettings: [],
  layer: ({ SPEECH_API_KEY, SPEECH_BASE_URL, SPEECH_DIALECT, SPEECH_MODEL }) =>
    withCircuitBreaker(
      layer({
        dialect: SPEECH_DIALECT,
        ...(SPEECH_BASE_URL === undefined ? {} : { baseUrl: SPEECH_BASE_URL }),
        ...(SPEECH_API_KEY === undefined ? {} : { apiKey: SPEECH_API_KEY }),
        ...(SPEECH_MODEL === undefined ? {} : { model: SPEECH_MODEL }),
      }),
    ).pipe(Layer.provide([FetchHttpClient.layer, CircuitBreakers.layer])),
  describe: ({ SPEECH_BASE_URL }) => `openai at ${withoutQuery(SPEECH_BASE_URL ?? defaultBaseUrl)}`,
  missingSettings: ({ SPEECH_API_KEY, SPEECH_BASE_URL }, reason) =>
    SPEECH_API_KEY === undefined && SPEECH_BASE_URL === undefined
      ? [`SPEECH_API_KEY is missing: ${reason}; set it, or SPEECH_BASE_URL of a server without keys`]
      : [],
}

/** The path goes before the query of the base URL. */
const endpointUrl = (baseUrl: string, path: string): string => {
  const [base = "", query] = baseUrl.split(/\?(.*)/s)
  return `${base.replace(/\/+$/, "")}${path}${query === undefined || query === "" ? "" : `?${query}`}`
}

const withoutQuery = (url: string): string => url.split("?")[0] ?? url

const authenticate =
  ({ keyHeader }: Dialect, apiKey: Redacted.Redacted<string> | undefined) =>
  (request: HttpClientRequest.HttpClientRequest): HttpClientRequest.HttpClientRequest => {
    if (apiKey === undefined) return request
    return keyHeader === undefined
      ? HttpClientRequest.bearerToken(request, apiKey)
      : HttpClientRequest.setHeader(request, keyHeader, Redacted.value(apiKey))
  }

interface RequestFormat {
  readonly fields: ReadonlyArray<readonly [string, string]>
  readonly timestampGranularity: EngineCapabilities["timestampGranularity"]
  readonly diarization: boolean
}

/** The response format that a model supports: only Whisper has word timestamps, only diarizing models have speakers. */
const requestFormatFor = (model: string, dialect: Dialect): RequestFormat => {
  if (/diarize/.test(model)) {
    const fields = [
      ["response_format", "diarized_json"],
      ["chunking_strategy", "auto"],
    ] as const
    return { fields, timestampGranularity: "segments", diarization: true }
  }
  if (model.startsWith("gpt-"))
    return { fields: [["response_format", "json"]], timestampGranularity: "text", diarization: false }
  const fields: Array<readonly [string, string]> = [
    ["response_format", "verbose_json"],
    ["temperature", "0"],
  ]
  // The brackets are part of the field name.
  if (dialect.timestampGranularity === "words") {
    fields.push(["timestamp_granularities[]", "word"], ["timestamp_granularities[]", "segment"])
  }
  return { fields, timestampGranularity: dialect.timestampGranularity, diarization: false }
}

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(TranscriptionResponse))

const encodeFlac = Effect.fnUntraced(function* (audio: AudioFile) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-flac-" }).pipe(
    Effect.mapError(
      (cause) =>
        new TransientError({
          dependency: "disk",
          code: "unavailable",
          message: "a temporary folder for FLAC could not be created",
          cause,
        }),
    ),
  )
  const result = yield* Ffmpeg.run({
    args: ["-v", "error", "-nostdin", "-i", `file:${audio.file}`, "-c:a", "flac", "-y", "file:sound.flac"],
    cwd: folder,
    onProgress: () => Effect.void,
    stallTimeout: Duration.minutes(1),
    timeout: Duration.minutes(5),
  })
  if (result.code === 0) return path.join(folder, "sound.flac")
  return yield* new TransientError({
    dependency: "ffmpeg",
    code: "failed",
    message: `ffmpeg could not encode the audio as FLAC: ${result.stderr.trim().slice(-200)}`,
  })
})

const invalidResponse = (url: string, cause: Schema.SchemaError) =>
  new TransientError({
    dependency: "speech",
    code: "unreadable",
    message: `the speech engine at ${url} returned no transcript: ${cause.message}`,
    cause,
  })

/** The error of a response with a status other than 2xx. */
const responseError = Effect.fnUntraced(function* (
  url: string,
  response: HttpClientResponse.HttpClientResponse,
  text: string,
) {
  const message = `the speech engine at ${url} responded with ${response.status}: ${text.replace(/\s+/g, " ").slice(0, 200)}`
  const configuration = (setting: string) => new ConfigurationError({ setting, message })
  if (response.status === 401 || response.status === 403) return configuration("SPEECH_API_KEY")
  if (response.status === 404 || response.status === 405) return configuration("SPEECH_BASE_URL")
  if (response.status === 429 && /insufficient_quota/.test(text)) return configuration("SPEECH_API_KEY")
  if (response.status === 408 || response.status === 425 || response.status === 429 || response.status >= 500) {
    const retryAfterMillis = parseRetryAfter(response.headers["retry-after"], yield* Clock.currentTimeMillis)
    return new TransientError({
      dependency: "speech",
      code: response.status === 429 ? "rate_limited" : "unavailable",
      message,
      ...(retryAfterMillis === undefined ? {} : { retryAfterMillis }),
    })
  }
  return new PermanentError({ code: "speech_refused", message })
})

/** Milliseconds from now. The header is a number of seconds or a date. */
const parseRetryAfter = (header: string | undefined, now: number): number | undefined => {
  if (header === undefined) return undefined
  const millis = /^[0-9.]+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isFinite(millis) ? Math.max(0, millis) : undefined
}
