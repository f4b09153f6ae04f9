/**
 * Any server that speaks OpenAI's transcription API, or nearly: OpenAI itself, whisper.cpp's server, speaches, LocalAI,
 * vLLM. What differs between them is one row of `dialects`.
 *
 * A 429 is waited out as long as the server says, within bounds, so that a busy minute does not cost a try of the whole
 * transcript; a used-up quota is an operator's matter.
 */
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { Clock, Duration, Effect, FileSystem, Layer, Path, Redacted, Schema } from "effect"
import { HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { ChildProcessSpawner } from "effect/process"
import { openAsBlob } from "node:fs"
import { primaryTag } from "../Language.ts"
import { type Capabilities, type Sound, SpeechEngine, type TranscribeOptions } from "../SpeechEngine.ts"
import { Answer, recognitionOf } from "./OpenAiAnswer.ts"

interface Dialect {
  readonly path: string
  /** Compressed sound is smaller; some servers read WAV only. */
  readonly sends: "flac" | "wav"
  /** What `language` must say to have it recognised; absent: leave it out. */
  readonly auto?: string
  readonly times: Capabilities["times"]
}

export const dialects = {
  openai: { path: "/audio/transcriptions", sends: "flac", times: "words" },
  "whisper.cpp": { path: "/inference", sends: "wav", auto: "auto", times: "words" },
  speaches: { path: "/audio/transcriptions", sends: "flac", times: "words" },
  localai: { path: "/audio/transcriptions", sends: "wav", times: "segments" },
  vllm: { path: "/audio/transcriptions", sends: "flac", times: "segments" },
} as const satisfies Readonly<Record<string, Dialect>>
export type DialectName = keyof typeof dialects

export interface Options {
  /** `SPEECH_BASE_URL`: up to and with `/v1`; for whisper.cpp the server's root. */
  readonly baseUrl?: string
  /** `SPEECH_API_KEY` */
  readonly apiKey?: Redacted.Redacted<string>
  /** `SPEECH_MODEL`, default `whisper-1`. */
  readonly model?: string
  /** `SPEECH_DIALECT`, default `openai`. */
  readonly dialect?: DialectName
  /** Requests at once. Default 3. */
  readonly concurrency?: number
}

/** The longest wait that a 429 may ask for before the try counts as failed. */
const longestWait = Duration.seconds(60)
const waits = 4

export const layer = (options: Options) =>
  Layer.effect(
    SpeechEngine,
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const own = yield* Effect.context<
        FileSystem.FileSystem | Path.Path | FfmpegPrograms | ChildProcessSpawner.ChildProcessSpawner
      >()
      const model = options.model ?? "whisper-1"
      const dialect: Dialect = dialects[options.dialect ?? "openai"]
      const form = formOf(model, dialect)
      const url = `${options.baseUrl ?? "https://api.openai.com/v1"}${dialect.path}`

      const send = Effect.fnUntraced(function* (file: string, language: string | undefined, seconds: number) {
        const blob = yield* Effect.tryPromise({
          try: () => openAsBlob(file, { type: `audio/${dialect.sends}` }),
          catch: (cause) =>
            new TransientError({ dependency: "disk", code: "unavailable", message: `${file} is not readable`, cause }),
        })
        const body = new FormData()
        body.append("file", blob, `sound.${dialect.sends}`)
        body.append("model", model)
        for (const [key, value] of form.fields) body.append(key, value)
        const named = language === undefined ? dialect.auto : primaryTag(language)
        if (named !== undefined) body.append("language", named)
        const request = HttpClientRequest.post(url).pipe(
          HttpClientRequest.bodyFormData(body),
          options.apiKey === undefined ? (self) => self : HttpClientRequest.bearerToken(options.apiKey),
        )
        return yield* Effect.gen(function* () {
          const response = yield* client.execute(request)
          return { response, text: yield* response.text }
        }).pipe(
          Effect.timeout(Duration.seconds(120 + seconds * 2)),
          Effect.mapError(
            (cause) =>
              new TransientError({
                dependency: "speech",
                code: cause._tag === "TimeoutError" ? "timeout" : "unavailable",
                message: `the speech engine at ${url} does not answer: ${cause.message}`,
                cause,
              }),
          ),
        )
      })

      const transcribe = Effect.fn("OpenAiCompatible.transcribe")(
        function* (sound: Sound, { language }: TranscribeOptions) {
          const file = dialect.sends === "wav" ? sound.file : yield* compressed(sound)
          for (let left = waits; ; left--) {
            const { response, text } = yield* send(file, language, sound.seconds)
            if (response.status >= 200 && response.status < 300) {
              return recognitionOf(
                yield* Effect.mapError(decode(text), (cause) => unreadable(url, cause)),
                sound.seconds,
              )
            }
            const error = yield* refusal(url, response, text)
            const wait = error._tag === "TransientError" ? error.retryAfterMillis : undefined
            if (wait === undefined || left <= 1 || wait > Duration.toMillis(longestWait)) return yield* error
            yield* Effect.logDebug(`the speech engine asks to wait ${wait} ms`)
            yield* Effect.sleep(Duration.millis(wait))
          }
        },
        Effect.scoped,
        Effect.provide(own),
      )
      return {
        name: options.dialect ?? "openai",
        model,
        capabilities: {
          times: form.times,
          languages: "any" as const,
          detectsLanguage: true,
          speakers: form.speakers,
          quality: "standard" as const,
          // Without times a word's place is guessed within the piece, so pieces are short.
          longestPiece: form.times === "text" ? 30 : 480,
          concurrency: options.concurrency ?? 3,
        },
        transcribe,
      }
    }),
  )

interface Form {
  readonly fields: ReadonlyArray<readonly [string, string]>
  readonly times: Capabilities["times"]
  readonly speakers: boolean
}

/** Which answer a model can give: only Whisper has times of words, only diarizing models name speakers. */
const formOf = (model: string, dialect: Dialect): Form => {
  if (/diarize/.test(model)) {
    const fields = [
      ["response_format", "diarized_json"],
      ["chunking_strategy", "auto"],
    ] as const
    return { fields, times: "segments", speakers: true }
  }
  if (model.startsWith("gpt-")) return { fields: [["response_format", "json"]], times: "text", speakers: false }
  const fields: Array<readonly [string, string]> = [
    ["response_format", "verbose_json"],
    ["temperature", "0"],
  ]
  // The brackets belong to the name.
  if (dialect.times === "words") {
    fields.push(["timestamp_granularities[]", "word"], ["timestamp_granularities[]", "segment"])
  }
  return { fields, times: dialect.times, speakers: false }
}

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Answer))

const compressed = Effect.fnUntraced(function* (sound: Sound) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs
    .makeTempDirectoryScoped({ prefix: "armoricore-flac-" })
    .pipe(
      Effect.mapError(
        (cause) =>
          new TransientError({ dependency: "disk", code: "unavailable", message: "no temporary folder", cause }),
      ),
    )
  const ended = yield* Ffmpeg.run({
    args: ["-v", "error", "-nostdin", "-i", `file:${sound.file}`, "-c:a", "flac", "-y", "file:sound.flac"],
    cwd: folder,
    onProgress: () => Effect.void,
    stuckAfter: Duration.minutes(1),
    limit: Duration.minutes(5),
  })
  if (ended.code === 0) return path.join(folder, "sound.flac")
  return yield* new TransientError({
    dependency: "ffmpeg",
    code: "failed",
    message: `ffmpeg made no FLAC: ${ended.stderr.trim().slice(-200)}`,
  })
})

const unreadable = (url: string, cause: Schema.SchemaError) =>
  new TransientError({
    dependency: "speech",
    code: "unreadable",
    message: `the speech engine at ${url} answered with something else than a transcript: ${cause.message}`,
    cause,
  })

/** What a status other than 2xx means for whoever recovers from it. */
const refusal = Effect.fnUntraced(function* (
  url: string,
  response: HttpClientResponse.HttpClientResponse,
  text: string,
) {
  const said = `the speech engine at ${url} answered ${response.status}: ${text.replace(/\s+/g, " ").slice(0, 200)}`
  const configuration = (setting: string) => new ConfigurationError({ setting, message: said })
  if (response.status === 401 || response.status === 403) return configuration("SPEECH_API_KEY")
  if (response.status === 404 || response.status === 405) return configuration("SPEECH_BASE_URL")
  if (response.status === 429 && /insufficient_quota/.test(text)) return configuration("SPEECH_API_KEY")
  if (response.status === 408 || response.status === 425 || response.status === 429 || response.status >= 500) {
    const wait = waitOf(response.headers["retry-after"], yield* Clock.currentTimeMillis)
    return new TransientError({
      dependency: "speech",
      code: response.status === 429 ? "rate_limited" : "unavailable",
      message: said,
      ...(wait === undefined ? {} : { retryAfterMillis: wait }),
    })
  }
  return new PermanentError({ code: "speech_refused", message: said })
})

/** `Retry-After` in seconds or as a date; in milliseconds from now. */
const waitOf = (header: string | undefined, now: number): number | undefined => {
  if (header === undefined) return undefined
  const wait = /^[0-9.]+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined
}
