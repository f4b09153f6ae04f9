/**
 * Takes out what an engine invented: text over silence, text that Whisper itself doubts, loops, and more letters than a
 * mouth can say. What was taken out is noted, so that nobody wonders.
 */
import type { TranscriptWord } from "@armoricore/domain/Transcript"
import { deflateRawSync } from "node:zlib"
import type { SpeechInterval } from "./VoiceActivity.ts"
import type { Recognition } from "./SpeechEngine.ts"

export interface FilteredWords {
  readonly words: ReadonlyArray<TranscriptWord>
  /** What was left out, and why. */
  readonly notes: ReadonlyArray<string>
}

/** Text whose deflated form is this much smaller repeats itself. */
const maxCompressionRatio = 2.4
/** Characters a second; the fastest speakers reach 25. */
const maxCharactersPerSecond = 35
/** A word this far from any sound, in seconds, was not heard. */
const silenceToleranceSeconds = 0.3

/** Seconds count from the start of the piece, intervals in frames of 100 ms from there too. */
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

/** Any long text repeats itself; a phrase of natural speech this long does not. */
const maxPhraseWords = 40

/** Words between pauses of more than 0.6 s, at most so many. */
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
/** "No, no, no, no!" is speech; once more is a loop. */
const minLoopRepeats = (length: number): number => (length === 1 ? 6 : 4)

/** All but the first of phrases that follow one another unchanged. */
const findLoops = (words: ReadonlyArray<TranscriptWord>): ReadonlyArray<TranscriptWord> => {
  const texts = words.map(({ text }) => normalizeWord(text))
  const repeated: Array<TranscriptWord> = []
  let at = 0
  while (at < texts.length) {
    let skipped = 0
    for (let length = 1; length <= maxLoopWords && skipped === 0; length++) {
      let same = at + length
      while (same < texts.length && texts[same] === texts[same - length]) same++
      const times = Math.floor((same - at) / length)
      if (times >= minLoopRepeats(length)) {
        repeated.push(...words.slice(at + length, at + times * length))
        skipped = times * length
      }
    }
    at += Math.max(1, skipped)
  }
  return repeated
}

/** For comparing words: case and punctuation do not count. */
export const normalizeWord = (text: string): string =>
  text
    .toLowerCase()
    .normalize("NFKC")
    .replace(/[^\p{L}\p{N}]+/gu, "")
