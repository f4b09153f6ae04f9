/** Recognises the words of a recording: detects speech and language, then sends each chunk to the engines. */
import type { TranscriptWord } from "@armoricore/domain/Transcript"
import { Effect, Path } from "effect"
import { filterHallucinations } from "./HallucinationFilter.ts"
import * as RecognitionCache from "./RecognitionCache.ts"
import { majorityTag } from "./LanguageTag.ts"
import * as Pcm from "./Pcm.ts"
import { type AudioChunk, planChunks, toSeconds } from "./AudioChunks.ts"
import * as VoiceActivity from "./VoiceActivity.ts"
import type { Engine, Recognition } from "./SpeechEngine.ts"
import type { SpeechEngines } from "./SpeechEngines.ts"
import { mergeOverlaps } from "./OverlapMerge.ts"
import { toTimedWords } from "./WordTiming.ts"

export interface RecognitionRequest {
  /** 16 kHz, mono, s16le. */
  readonly samplesFile: string
  readonly cache: RecognitionCache.CacheScope
  /** BCP 47. Absent: it is detected. */
  readonly language: string | undefined
  readonly vocabulary?: string | undefined
  /** An empty folder to work in. */
  readonly folder: string
  /** Called with the completed fraction, 0 to 1. */
  readonly onProgress: (fraction: number) => Effect.Effect<void>
}

export interface RecognitionResult {
  readonly words: ReadonlyArray<TranscriptWord>
  readonly sampleCount: number
  /** BCP 47, if it is known. */
  readonly language: string | undefined
  /** The engines that recognised chunks, joined by `+`; `none` for a recording without speech. */
  readonly engine: string
  /** `standard`, `draft`, `unrecognized`, `no_audio` or `no_speech`. */
  readonly quality: string
  readonly notes: ReadonlyArray<string>
}

export const emptyResult: RecognitionResult = {
  words: [],
  sampleCount: 0,
  language: undefined,
  engine: "none",
  quality: "no_speech",
  notes: [],
}

/** Seconds of each sample that votes on the language. */
const languageSampleSeconds = 30
/** A shorter recording has no vote: its chunks are few. */
const minLanguageVoteSeconds = 120

export const recognize = Effect.fn("SpeechRecognition.recognize")(function* (
  engines: SpeechEngines["Service"],
  request: RecognitionRequest,
) {
  const path = yield* Path.Path
  const measurement = yield* Pcm.measure(request.samplesFile)
  const speech = VoiceActivity.detectSpeech(measurement.loudness)
  const chunks = planChunks(measurement, speech, engines.all[0].capabilities.maxChunkSeconds)
  if (chunks.length === 0) return { ...emptyResult, sampleCount: measurement.sampleCount } satisfies RecognitionResult

  /** Recognises a range of samples, or reads the cached result of an earlier attempt. */
  const recognizeRange = (engine: Engine, startSample: number, endSample: number, language: string | undefined) =>
    RecognitionCache.getOrElse(
      request.cache,
      engine,
      { audioSha256: measurement.sha256, startSample, endSample, language, vocabulary: request.vocabulary },
      Effect.scoped(
        Effect.gen(function* () {
          const file = path.join(request.folder, `${engine.name}-${startSample}-${endSample}.wav`)
          yield* Pcm.writeWav(request.samplesFile, startSample, endSample, file)
          const audio = { file, seconds: toSeconds(endSample - startSample) }
          return yield* engine.transcribe(audio, {
            ...(language === undefined ? {} : { language }),
            ...(request.vocabulary === undefined ? {} : { vocabulary: request.vocabulary }),
          })
        }),
      ),
    )

  /** Recognises one chunk with one engine. Repeats the call where the engine stopped early; removes hallucinations. */
  const recognizeChunk = Effect.fnUntraced(function* (engine: Engine, chunk: AudioChunk, language: string | undefined) {
    const words: Array<TranscriptWord> = []
    const notes: Array<string> = []
    const languages: Array<string | undefined> = []
    let startSample = chunk.startSample
    while (startSample < chunk.endSample) {
      const recognition: Recognition = yield* recognizeRange(engine, startSample, chunk.endSample, language)
      languages.push(recognition.language)
      const localSpeech = clipIntervals(speech, startSample, chunk.endSample)
      const filtered = filterHallucinations(
        toTimedWords(recognition, toSeconds(chunk.endSample - startSample), localSpeech),
        recognition,
        localSpeech,
      )
      notes.push(...filtered.notes.map((note) => `${formatPosition(startSample)} ${note}`))
      // After one truncation even half a second of missing speech is suspicious.
      const minMissedSeconds = startSample === chunk.startSample ? minMissedSpeechSeconds : 0.5
      const resumeSeconds = findTruncation(
        filtered.words,
        localSpeech,
        toSeconds(chunk.endSample - startSample),
        minMissedSeconds,
      )
      const offset = toSeconds(startSample - chunk.startSample)
      const accepted =
        resumeSeconds === undefined
          ? filtered.words
          : filtered.words.filter(({ start }) => start < resumeSeconds - 0.001)
      words.push(...accepted.map((word) => ({ ...word, start: word.start + offset, end: word.end + offset })))
      if (filtered.words.length === 0) notes.push(...describeMissedSpeech(startSample, localSpeech, engine))
      if (resumeSeconds === undefined) break
      const resumeSample = startSample + Math.floor(resumeSeconds * Pcm.sampleRate)
      notes.push(`${formatPosition(resumeSample)} the engine ${engine.name} stopped here; the rest was requested again`)
      if (resumeSample - startSample < Pcm.sampleRate) break
      startSample = resumeSample
    }
    return { words, notes, language: majorityTag(languages) }
  })

  const language = request.language ?? (yield* detectLanguage(engines, chunks, recognizeRange))
  let completed = 0
  const concurrency = engines.all[0].capabilities.concurrency
  const results = yield* Effect.forEach(
    chunks,
    (chunk) =>
      engines
        .withEngine(language, (engine) => recognizeChunk(engine, chunk, language))
        .pipe(
          Effect.tap(() => Effect.suspend(() => request.onProgress(++completed / chunks.length))),
          Effect.map((result) => ({ chunk, ...result })),
        ),
    { concurrency },
  )
  const usedEngines = [...new Set(results.map(({ engine }) => engine))]
  const words = mergeOverlaps(results.map(({ chunk, value }) => ({ chunk, words: value.words })))
  return {
    words,
    sampleCount: measurement.sampleCount,
    language: language ?? majorityTag(results.map(({ value }) => value.language)),
    engine: usedEngines.map(({ name }) => name).join("+"),
    // There was sound, but the engine returned no text, or nothing that passed the checks.
    quality: words.length === 0 ? "unrecognized" : usedEngines.some(isDraftEngine) ? "draft" : "standard",
    notes: results.flatMap(({ fallbackReasons, value }) => [...fallbackReasons, ...value.notes]),
  } satisfies RecognitionResult
})

const isDraftEngine = ({ capabilities }: Engine): boolean => capabilities.quality === "draft"

/** Three samples vote, because the first half minute is often music or a greeting in another language. */
const detectLanguage = Effect.fnUntraced(function* <E, R>(
  engines: SpeechEngines["Service"],
  chunks: ReadonlyArray<AudioChunk>,
  recognizeRange: (
    engine: Engine,
    startSample: number,
    endSample: number,
    language: undefined,
  ) => Effect.Effect<Recognition, E, R>,
) {
  const engine = engines.all[0]
  const { capabilities } = engine
  if (!capabilities.detectsLanguage) return capabilities.languages === "any" ? undefined : capabilities.languages[0]
  const total = chunks.reduce((sum, { startSample, endSample }) => sum + endSample - startSample, 0)
  if (toSeconds(total) < minLanguageVoteSeconds) return undefined
  const languages = yield* Effect.forEach(
    [1 / 6, 1 / 2, 5 / 6],
    (fraction) => {
      let remaining = Math.floor(total * fraction)
      const chunk =
        chunks.find(({ startSample, endSample }) =>
          remaining < endSample - startSample ? true : ((remaining -= endSample - startSample), false),
        ) ?? chunks[0]
      if (chunk === undefined) return Effect.succeed(undefined)
      const length = Math.min(chunk.endSample - chunk.startSample, languageSampleSeconds * Pcm.sampleRate)
      const startSample = Math.min(chunk.startSample + remaining, chunk.endSample - length)
      return Effect.map(
        recognizeRange(engine, startSample, startSample + length, undefined),
        ({ language }) => language,
      )
    },
    { concurrency: capabilities.concurrency },
  ).pipe(
    // The same engine error will occur with the chunks, and there the fallbacks apply.
    Effect.catch(() => Effect.succeed([])),
  )
  return majorityTag(languages)
})

const clipIntervals = (
  speech: ReadonlyArray<VoiceActivity.SpeechInterval>,
  startSample: number,
  endSample: number,
): ReadonlyArray<VoiceActivity.SpeechInterval> => {
  const firstFrame = startSample / Pcm.samplesPerFrame
  const lastFrame = endSample / Pcm.samplesPerFrame
  return speech.flatMap((interval) =>
    interval.endFrame > firstFrame && interval.startFrame < lastFrame
      ? [
          {
            startFrame: Math.max(0, interval.startFrame - firstFrame),
            endFrame: Math.min(lastFrame, interval.endFrame) - firstFrame,
          },
        ]
      : [],
  )
}

/** Some servers silently truncate after 30 s. This many seconds of speech after the last word mean a truncation. */
const minMissedSpeechSeconds = 8

/** The second at which to continue, which is the start of the last word: it may be cut off too. */
const findTruncation = (
  words: ReadonlyArray<TranscriptWord>,
  speech: ReadonlyArray<VoiceActivity.SpeechInterval>,
  seconds: number,
  minMissedSeconds: number,
): number | undefined => {
  const last = words.at(-1)
  if (last === undefined) return undefined
  return VoiceActivity.countSpeechFrames(speech, (last.end + 0.5) * 10, seconds * 10) / 10 >= minMissedSeconds
    ? last.start
    : undefined
}

/** A note if a piece with a second or more of sound has no words. */
const describeMissedSpeech = (
  startSample: number,
  speech: ReadonlyArray<VoiceActivity.SpeechInterval>,
  engine: Engine,
): ReadonlyArray<string> => {
  const seconds = VoiceActivity.countSpeechFrames(speech, 0, Number.POSITIVE_INFINITY) / 10
  return seconds < 1
    ? []
    : [`${formatPosition(startSample)} no words from the engine ${engine.name} in ${Math.round(seconds)} s of sound`]
}

const formatPosition = (sample: number): string => {
  const seconds = Math.floor(toSeconds(sample))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`
}
