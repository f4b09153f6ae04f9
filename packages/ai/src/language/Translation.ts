/**
 * Translates the cues of a transcript. The model sees numbered texts and returns the same numbers; the times are those of the
 * transcript. The translated words are spread over the time of their cue and become cues by the rules of captions.
 */
import type { Transcript, TranscriptCue, TranscriptWord } from "@armoricore/domain/Transcript"
import { PermanentError } from "@armoricore/domain/Errors"
import { Effect, Schema } from "effect"
import { displayWidth } from "../captions/DisplayWidth.ts"
import { segmentWords } from "../captions/WordBoundaries.ts"
import type { Ask } from "./AnswerCache.ts"
import type { ModelError } from "./ChatModel.ts"

/** Cues of one question: enough context for sentences over several cues, and an answer of a bounded size. */
const batchSize = 40
const concurrency = 3

const Answer = Schema.Struct({
  cues: Schema.Array(Schema.Struct({ id: Schema.Int, text: Schema.String })),
})

const instruction = (from: string, to: string): string =>
  `Translate captions from the language ${from} to the language ${to} (BCP 47). Translate each cue by itself, as short as the original, for a viewer who reads it while the cue is shown; a sentence may continue in the next cue. Return every id once.`

const textOf = ({ lines }: TranscriptCue): string => lines.join(" ")

/** The words of the translation, with times; `PermanentError`: the model does not translate it. */
export const translate = Effect.fn("Translation.translate")(function* (
  ask: Ask,
  { cues, language }: Pick<Transcript, "cues" | "language">,
  target: string,
) {
  const ids = cues.map((_, id) => id).filter((id) => textOf(cues[id] ?? noCue).trim() !== "")

  const translateBatch = (batch: ReadonlyArray<number>): Effect.Effect<ReadonlyMap<number, string>, ModelError> =>
    ask({
      task: "translation",
      instruction: instruction(language, target),
      input: { cues: batch.map((id) => ({ id, text: textOf(cues[id] ?? noCue) })) },
      answer: Answer,
      faultOf: ({ cues: answered }) => faultOf(batch, answered, cues),
      maxTokens: 200 + batch.reduce((sum, id) => sum + 20 + 3 * textOf(cues[id] ?? noCue).length, 0),
    }).pipe(
      Effect.map(({ cues: answered }) => textsOf(answered)),
      // A model that loses count or breaks off does better with fewer cues.
      Effect.catchIf(
        (error) => error._tag === "PermanentError" && isSplittable(error.code) && batch.length > 1,
        () => {
          const half = Math.ceil(batch.length / 2)
          return Effect.map(
            Effect.forEach([batch.slice(0, half), batch.slice(half)], translateBatch),
            (halves) => new Map(halves.flatMap((texts) => [...texts])),
          )
        },
      ),
    )

  const batches = Array.from({ length: Math.ceil(ids.length / batchSize) }, (_, index) =>
    ids.slice(index * batchSize, (index + 1) * batchSize),
  )
  const failures: Array<ModelError> = []
  const noTexts: ReadonlyMap<number, string> = new Map()
  // After a failure no further batch is asked. Those in flight cost their tokens, so their answers are counted and stored.
  const texts = yield* Effect.forEach(
    batches,
    (batch) =>
      Effect.suspend(() =>
        failures.length > 0
          ? Effect.succeed(noTexts)
          : Effect.catch(translateBatch(batch), (error) =>
              Effect.sync(() => {
                failures.push(error)
                return noTexts
              }),
            ),
      ),
    { concurrency },
  )
  const [failure] = failures
  if (failure !== undefined) return yield* failure
  return texts.flatMap((some) => [...some]).flatMap(([id, text]) => spread(cues[id] ?? noCue, text))
})

const noCue: TranscriptCue = { start: 0, end: 0, lines: [] }

const isSplittable = (code: string): boolean => ["truncated", "invalid_answer", "wrong_cues"].includes(code)

type Answered = (typeof Answer.Type)["cues"]

/** The last one of repeated ids. */
const textsOf = (answered: Answered): ReadonlyMap<number, string> =>
  new Map(answered.map(({ id, text }) => [id, text.replace(/\s+/gu, " ").trim()]))

const faultOf = (
  batch: ReadonlyArray<number>,
  answered: Answered,
  cues: ReadonlyArray<TranscriptCue>,
): PermanentError | undefined => {
  const texts = textsOf(answered)
  const isComplete = texts.size === answered.length && texts.size === batch.length
  const isWrong = batch.some((id) => {
    const text = texts.get(id)
    return text === undefined || text === "" || text.length > 100 + 4 * textOf(cues[id] ?? noCue).length
  })
  return isComplete && !isWrong
    ? undefined
    : new PermanentError({
        code: "wrong_cues",
        message: "the language model left out, repeated, emptied or inflated cues of the translation",
      })
}

/** The words of a text over the time of its cue, by their width. */
const spread = ({ end, speaker, start }: TranscriptCue, text: string): ReadonlyArray<TranscriptWord> => {
  const words = text
    .split(" ")
    .flatMap((part, index) =>
      segmentWords(part).map((word, at) => ({ text: word, space_before: at === 0 && index > 0 })),
    )
  const total = words.reduce((sum, word) => sum + displayWidth(word.text) + 1, 0)
  let passed = 0
  const at = (width: number) => Math.round((start + ((end - start) * width) / total) * 1000) / 1000
  return words.map(({ space_before, text: word }, index) => {
    const from = at(passed)
    passed += displayWidth(word) + 1
    return {
      start: from,
      end: at(passed),
      text: word,
      ...(index === 0 ? {} : { space_before }),
      ...(speaker === undefined ? {} : { speaker }),
    }
  })
}
