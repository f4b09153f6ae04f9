/** From samples in a file to words: where sound is, in which language, piece by piece through the engines. */
import type { TranscriptWord } from "@armoricore/domain/Transcript"
import { Effect, Path } from "effect"
import { guard } from "./Guards.ts"
import * as KeptPieces from "./KeptPieces.ts"
import { vote } from "./Language.ts"
import * as Pcm from "./Pcm.ts"
import { type Piece, plan, secondsOf } from "./Pieces.ts"
import * as Speech from "./Speech.ts"
import type { Engine, Recognition } from "./SpeechEngine.ts"
import type { SpeechEngines } from "./SpeechEngines.ts"
import { stitch } from "./Stitch.ts"
import { wordsOf } from "./Timing.ts"

export interface Request {
  /** 16 kHz, mono, s16le. */
  readonly samples: string
  /** Where answers are kept. */
  readonly bucket: string
  /** BCP 47; absent: found by listening. */
  readonly language: string | undefined
  /** An empty folder to work in. */
  readonly folder: string
  /** Called with the part that is done, 0 to 1. */
  readonly onProgress: (part: number) => Effect.Effect<void>
}

export interface Heard {
  readonly words: ReadonlyArray<TranscriptWord>
  readonly samples: number
  /** BCP 47, where anybody could tell. */
  readonly language: string | undefined
  /** Names of the engines that did pieces, joined by `+`; `none` where there was nothing to do. */
  readonly engine: string
  /** `standard`, `draft`; `no_audio`, `no_speech` where there was nothing to do. */
  readonly quality: string
  readonly notes: ReadonlyArray<string>
}

export const nothing: Heard = {
  words: [],
  samples: 0,
  language: undefined,
  engine: "none",
  quality: "no_speech",
  notes: [],
}

/** Seconds of each place that votes on the language, and the length from which on there is a vote. */
const voteSeconds = 30
const voteFrom = 120

export const listen = Effect.fn("Listening.listen")(function* (engines: SpeechEngines["Service"], request: Request) {
  const path = yield* Path.Path
  const measured = yield* Pcm.measure(request.samples)
  const speech = Speech.intervals(measured.loudness)
  const pieces = plan(measured, speech, engines.all[0].capabilities.longestPiece)
  if (pieces.length === 0) return { ...nothing, samples: measured.samples } satisfies Heard

  /** What the engine says to a stretch of samples; the answer of an earlier try where there is one. */
  const ask = (engine: Engine, from: number, to: number, language: string | undefined) =>
    KeptPieces.orAsk(
      request.bucket,
      engine,
      { audio: measured.sha256, from, to, language },
      Effect.scoped(
        Effect.gen(function* () {
          const file = path.join(request.folder, `${engine.name}-${from}-${to}.wav`)
          yield* Pcm.writeWav(request.samples, from, to, file)
          const sound = { file, seconds: secondsOf(to - from) }
          return yield* engine.transcribe(sound, language === undefined ? {} : { language })
        }),
      ),
    )

  /** One piece by one engine, held to the sound: what is missing is asked for again, what is too much goes. */
  const hear = Effect.fnUntraced(function* (engine: Engine, piece: Piece, language: string | undefined) {
    const words: Array<TranscriptWord> = []
    const notes: Array<string> = []
    const languages: Array<string | undefined> = []
    let from = piece.from
    while (from < piece.to) {
      const answer: Recognition = yield* ask(engine, from, piece.to, language)
      languages.push(answer.language)
      const local = within(speech, from, piece.to)
      const guarded = guard(wordsOf(answer, secondsOf(piece.to - from), local), answer, local)
      notes.push(...guarded.notes.map((note) => `${clock(from)} ${note}`))
      // Once it was caught at it, the last second counts too.
      const least = from === piece.from ? unheardSeconds : 0.5
      const missing = unheardFrom(guarded.words, local, secondsOf(piece.to - from), least)
      const offset = secondsOf(from - piece.from)
      const kept = missing === undefined ? guarded.words : guarded.words.filter(({ start }) => start < missing - 0.001)
      words.push(...kept.map((word) => ({ ...word, start: word.start + offset, end: word.end + offset })))
      if (missing === undefined) break
      const again = from + Math.floor(missing * Pcm.sampleRate)
      notes.push(`${clock(again)} the engine ${engine.name} stopped here and was asked again`)
      if (again - from < Pcm.sampleRate) break
      from = again
    }
    return { words, notes, language: vote(languages) }
  })

  const language = request.language ?? (yield* listenForLanguage(engines, pieces, ask))
  let done = 0
  const concurrency = engines.all[0].capabilities.concurrency
  const results = yield* Effect.forEach(
    pieces,
    (piece) =>
      engines
        .withEngine(language, (engine) => hear(engine, piece, language))
        .pipe(
          Effect.tap(() => Effect.suspend(() => request.onProgress(++done / pieces.length))),
          Effect.map((result) => ({ piece, ...result })),
        ),
    { concurrency },
  )
  const used = [...new Set(results.map(({ engine }) => engine))]
  return {
    words: stitch(results.map(({ piece, value }) => ({ piece, words: value.words }))),
    samples: measured.samples,
    language: language ?? vote(results.map(({ value }) => value.language)),
    engine: used.map(({ name }) => name).join("+"),
    quality: used.some(({ capabilities }) => capabilities.quality === "draft") ? "draft" : "standard",
    notes: results.flatMap(({ reasons, value }) => [...reasons, ...value.notes]),
  } satisfies Heard
})

/** Three places vote, since the first half minute is often music or a greeting in another language. */
const listenForLanguage = Effect.fnUntraced(function* <E, R>(
  engines: SpeechEngines["Service"],
  pieces: ReadonlyArray<Piece>,
  ask: (engine: Engine, from: number, to: number, language: undefined) => Effect.Effect<Recognition, E, R>,
) {
  const engine = engines.all[0]
  const { capabilities } = engine
  if (!capabilities.detectsLanguage) return capabilities.languages === "any" ? undefined : capabilities.languages[0]
  const total = pieces.reduce((sum, { from, to }) => sum + to - from, 0)
  if (secondsOf(total) < voteFrom) return undefined
  const heard = yield* Effect.forEach(
    [1 / 6, 1 / 2, 5 / 6],
    (part) => {
      let left = Math.floor(total * part)
      const piece = pieces.find(({ from, to }) => (left < to - from ? true : ((left -= to - from), false))) ?? pieces[0]
      if (piece === undefined) return Effect.succeed(undefined)
      const length = Math.min(piece.to - piece.from, voteSeconds * Pcm.sampleRate)
      const from = Math.min(piece.from + left, piece.to - length)
      return Effect.map(ask(engine, from, from + length, undefined), ({ language }) => language)
    },
    { concurrency: capabilities.concurrency },
  ).pipe(
    // The pieces themselves go through the whole plan; that tells then what is wrong.
    Effect.catch(() => Effect.succeed([])),
  )
  return vote(heard)
})

const within = (speech: ReadonlyArray<Speech.Interval>, from: number, to: number): ReadonlyArray<Speech.Interval> => {
  const first = from / Pcm.frameSamples
  const last = to / Pcm.frameSamples
  return speech.flatMap((one) =>
    one.to > first && one.from < last
      ? [{ from: Math.max(0, one.from - first), to: Math.min(last, one.to) - first }]
      : [],
  )
}

/** Some servers silently drop what comes after half a minute: so much sound behind the last word is not silence. */
const unheardSeconds = 8

/** Where to ask again, in seconds: the last word may be cut off too. Undefined where all was heard. */
const unheardFrom = (
  words: ReadonlyArray<TranscriptWord>,
  speech: ReadonlyArray<Speech.Interval>,
  seconds: number,
  least: number,
): number | undefined => {
  const last = words.at(-1)
  if (last === undefined) return undefined
  return Speech.amount(speech, (last.end + 0.5) * 10, seconds * 10) / 10 >= least ? last.start : undefined
}

const clock = (sample: number): string => {
  const seconds = Math.floor(secondsOf(sample))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`
}
