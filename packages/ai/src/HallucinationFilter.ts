/**
 * Removes hallucinated text: words in silence, segments with a low Whisper confidence, loops, and impossibly fast
 * speech. A note in the transcript names each removed text.
 */
import type { TranscriptWord } from "@armoricore/domain/Transcript"
import { deflateRawSync } from "node:zlib"
import type { SpeechInterval } from "./VoiceActivity.ts"
import type { Recognition } from "./SpeechEngine.ts"

export interface FilteredWords {
  readonly words: ReadonlyArray<TranscriptWord>
  /** The removed texts with the reasons. */
  readonly notes: ReadonlyArray<string>
}

/** Text with a higher deflate ratio repeats itself. */
const maxCompressionRatio = 2.4
/** The fastest speakers reach 25 characters per second. */
const maxCharactersPerSecond = 35
/** A word this far from all detected speech is in silence. */
const silenceToleranceSeconds = 0.3

/** Seconds and frames (100 ms) count from the start of the chunk. */
export const filterHallucinations = (
  words: ReadonlyArray<TranscriptWord>,
  recognition: Recognition,
  speech: ReadonlyArray<SpeechInterval>,
): FilteredWords => {
  const notes: Array<string> = []
  const remove = (reason: string, remaining: ReadonlyArray<TranscriptWord>, dropped: ReadonlyArray<TranscriptWord>) => {
    const removed = new Set(dropped)
    if (removed.size === 0) return remaining
    notes.push(
      `${reason}: “${[...removed]
        .map(({ text }) => text)
        .join(" ")
        .slice(0, 80)}”`,
    )
    return remaining.filter((word) => !removed.has(word))
  }
  let remaining = remove("left out, said in silence", words, words.filter(isInSilence(speech)))
  const doubtfulSegments = recognition.segments.filter(
    ({ averageLogProbability = 0, noSpeechProbability = 0, compressionRatio = 0 }) =>
      compressionRatio > maxCompressionRatio || (averageLogProbability < -1 && noSpeechProbability > 0.6),
  )
  remaining = remove(
    "left out, the engine doubts it",
    remaining,
    remaining.filter(({ start, end }) =>
      doubtfulSegments.some((segment) => segment.start <= (start + end) / 2 && (start + end) / 2 < segment.end),
    ),
  )
  remaining = remove("left out, repeated", remaining, findLoops(remaining))
  for (const phrase of splitPhrases(remaining)) {
    const text = phrase.map((word) => word.text).join(" ")
    const seconds = (phrase.at(-1)?.end ?? 0) - (phrase[0]?.start ?? 0)
    if (text.length >= 20 && text.length / Math.max(seconds, 0.01) > maxCharactersPerSecond) {
      remaining = remove("left out, too fast to be said", remaining, phrase)
    } else if (text.length >= 100 && textCompressionRatio(text) > maxCompressionRatio) {
      remaining = remove("left out, repeats itself", remaining, phrase)
    }
  }
  return { words: remaining, notes }
}

const isInSilence =
  (speech: ReadonlyArray<SpeechInterval>) =>
  ({ start, end }: TranscriptWord): boolean =>
    !speech.some(
      ({ startFrame, endFrame }) =>
        start < endFrame / 10 + silenceToleranceSeconds && end > startFrame / 10 - silenceToleranceSeconds,
    )

const textCompressionRatio = (text: string): number => {
  const bytes = Buffer.from(text)
  return bytes.byteLength / deflateRawSync(bytes).byteLength
}

/** Long texts always compress well, so the ratio is measured on phrases. */
const maxPhraseWords = 40

/** Splits at pauses of more than 0.6 s, and after `maxPhraseWords`. */
const splitPhrases = (words: ReadonlyArray<TranscriptWord>): ReadonlyArray<ReadonlyArray<TranscriptWord>> => {
  const phrases: Array<Array<TranscriptWord>> = []
  for (const word of words) {
    const last = phrases.at(-1)
    const previous = last?.at(-1)
    const isFull = last !== undefined && last.length >= maxPhraseWords
    if (last === undefined || previous === undefined || isFull || word.start - previous.end > 0.6) phrases.push([word])
    else last.push(word)
  }
  return phrases
}

const maxLoopWords = 8
/** "No, no, no, no!" is speech, so the limit for one word is higher. */
const minLoopRepeats = (length: number): number => (length === 1 ? 6 : 4)

/** All repetitions of a phrase that directly follows itself, without the first occurrence. */
const findLoops = (words: ReadonlyArray<TranscriptWord>): ReadonlyArray<TranscriptWord> => {
  const texts = words.map(({ text }) => normalizeWord(text))
  const repetitions: Array<TranscriptWord> = []
  let at = 0
  while (at < texts.length) {
    let skipped = 0
    for (let length = 1; length <= maxLoopWords && skipped === 0; length++) {
      let same = at + length
      while (same < texts.length && texts[same] === texts[same - length]) same++
      const times = Math.floor((same - at) / length)
      if (times >= minLoopRepeats(length)) {
        repetitions.push(...words.slice(at + length, at + times * length))
        skipped = times * length
      }
    }
    at += Math.max(1, skipped)
  }
  return repetitions
}

/** For comparisons: without case and punctuation. */
export const normalizeWord = (text: string): string =>
  text
    .toLowerCase()
    .normalize("NFKC")
    .replace(/[^\p{L}\p{N}]+/gu, "")
