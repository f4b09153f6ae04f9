/**
 * What servers answer to `/audio/transcriptions`, in all the forms in which they do: words at the top (OpenAI,
 * speaches), words inside segments (whisper.cpp's server, tokens in truth), segments without words (vLLM, LocalAI),
 * speakers (diarizing models), text alone.
 */
import { Schema } from "effect"
import { tagOf } from "../Language.ts"
import type { Recognition } from "../SpeechEngine.ts"
import { joined } from "../Tokens.ts"

const Loose = Schema.optionalKey(Schema.NullOr(Schema.Finite))
const LooseText = Schema.optionalKey(Schema.NullOr(Schema.String))

const Word = Schema.Struct({
  word: LooseText,
  text: LooseText,
  start: Schema.Finite,
  end: Schema.Finite,
  probability: Loose,
  speaker: LooseText,
})
export const Answer = Schema.Struct({
  text: LooseText,
  language: LooseText,
  detected_language: LooseText,
  words: Schema.optionalKey(Schema.NullOr(Schema.Array(Word))),
  segments: Schema.optionalKey(
    Schema.NullOr(
      Schema.Array(
        Schema.Struct({
          start: Schema.Finite,
          end: Schema.Finite,
          text: LooseText,
          words: Schema.optionalKey(Schema.NullOr(Schema.Array(Word))),
          speaker: LooseText,
          avg_logprob: Loose,
          no_speech_prob: Loose,
          compression_ratio: Loose,
        }),
      ),
    ),
  ),
})
export type Answer = typeof Answer.Type

export const recognitionOf = (answer: Answer, seconds: number): Recognition => {
  const segments = answer.segments ?? []
  const top = answer.words ?? []
  const latest = Math.max(0, ...segments.map(({ end }) => end), ...top.map(({ end }) => end))
  // LocalAI counts nanoseconds.
  const unit = latest > (seconds + 60) * 1000 ? 1e9 : 1
  const wordOf = (word: typeof Word.Type, speaker?: string | null) => {
    const named = word.speaker ?? speaker
    return {
      text: word.word ?? word.text ?? "",
      start: Math.max(0, word.start / unit),
      end: Math.max(0, word.end / unit),
      ...(word.probability === undefined || word.probability === null ? {} : { confidence: word.probability }),
      ...(named === undefined || named === null ? {} : { speaker: named }),
    }
  }
  const speakerAt = (seconds: number) =>
    segments.find(({ end, start }) => start / unit <= seconds && seconds < end / unit)?.speaker
  const words =
    top.length > 0
      ? top.map((word) => wordOf(word, speakerAt((word.start + word.end) / 2 / unit)))
      : segments.flatMap(({ speaker, words }) => (words ?? []).map((word) => wordOf(word, speaker)))
  const language = tagOf(answer.language ?? answer.detected_language ?? undefined)
  return {
    ...(language === undefined ? {} : { language }),
    words: joined(words),
    segments:
      segments.length === 0
        ? [{ start: 0, end: 0, text: answer.text ?? "" }]
        : segments.map((segment) => ({
            start: segment.start / unit,
            end: segment.end / unit,
            text: segment.text ?? "",
            ...optional("averageLogProbability", segment.avg_logprob),
            ...optional("noSpeechProbability", segment.no_speech_prob),
            ...optional("compressionRatio", segment.compression_ratio),
            ...(segment.speaker === undefined || segment.speaker === null ? {} : { speaker: segment.speaker }),
          })),
  }
}

const optional = <K extends string>(key: K, value: number | null | undefined): { readonly [P in K]?: number } => {
  // A computed key widens to string; there is no other key in it.
  return value === undefined || value === null ? {} : ({ [key]: value } as { readonly [P in K]: number })
}
