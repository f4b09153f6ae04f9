/**
 * Takes out what an engine invented: text over silence, text that Whisper itself doubts, loops, and more letters than a
 * mouth can say. What was taken out is noted, so that nobody wonders.
 */
import type { TranscriptWord } from "@armoricore/domain/Transcript"
import { deflateRawSync } from "node:zlib"
import type { Interval } from "./Speech.ts"
import type { Recognition } from "./SpeechEngine.ts"

export interface Guarded {
  readonly words: ReadonlyArray<TranscriptWord>
  /** What was left out, and why. */
  readonly notes: ReadonlyArray<string>
}

/** Text whose deflated form is this much smaller repeats itself. */
const compressed = 2.4
/** Characters a second; the fastest speakers reach 25. */
const fastest = 35
/** A word this far from any sound, in seconds, was not heard. */
const apart = 0.3

/** Seconds count from the start of the piece, intervals in frames of 100 ms from there too. */
export const guard = (
  words: ReadonlyArray<TranscriptWord>,
  recognition: Recognition,
  speech: ReadonlyArray<Interval>,
): Guarded => {
  const notes: Array<string> = []
  const drop = (reason: string, kept: ReadonlyArray<TranscriptWord>, left: ReadonlyArray<TranscriptWord>) => {
    const gone = new Set(left)
    if (gone.size === 0) return kept
    notes.push(
      `${reason}: “${[...gone]
        .map(({ text }) => text)
        .join(" ")
        .slice(0, 80)}”`,
    )
    return kept.filter((word) => !gone.has(word))
  }
  let kept = drop("left out, said in silence", words, words.filter(inSilence(speech)))
  const doubted = recognition.segments.filter(
    ({ averageLogProbability = 0, noSpeechProbability = 0, compressionRatio = 0 }) =>
      compressionRatio > compressed || (averageLogProbability < -1 && noSpeechProbability > 0.6),
  )
  kept = drop(
    "left out, the engine doubts it",
    kept,
    kept.filter(({ start, end }) =>
      doubted.some((segment) => segment.start <= (start + end) / 2 && (start + end) / 2 < segment.end),
    ),
  )
  kept = drop("left out, repeated", kept, loops(kept))
  for (const phrase of phrases(kept)) {
    const text = phrase.map((word) => word.text).join(" ")
    const seconds = (phrase.at(-1)?.end ?? 0) - (phrase[0]?.start ?? 0)
    if (text.length >= 20 && text.length / Math.max(seconds, 0.01) > fastest) {
      kept = drop("left out, too fast to be said", kept, phrase)
    } else if (text.length >= 100 && compressionOf(text) > compressed) {
      kept = drop("left out, repeats itself", kept, phrase)
    }
  }
  return { words: kept, notes }
}

const inSilence =
  (speech: ReadonlyArray<Interval>) =>
  ({ start, end }: TranscriptWord): boolean =>
    !speech.some(({ from, to }) => start < to / 10 + apart && end > from / 10 - apart)

const compressionOf = (text: string): number => {
  const bytes = Buffer.from(text)
  return bytes.byteLength / deflateRawSync(bytes).byteLength
}

/** Any long text repeats itself; a phrase of natural speech this long does not. */
const longestPhrase = 40

/** Words between pauses of more than 0.6 s, at most so many. */
const phrases = (words: ReadonlyArray<TranscriptWord>): ReadonlyArray<ReadonlyArray<TranscriptWord>> => {
  const found: Array<Array<TranscriptWord>> = []
  for (const word of words) {
    const last = found.at(-1)
    const before = last?.at(-1)
    const full = last !== undefined && last.length >= longestPhrase
    if (last === undefined || before === undefined || full || word.start - before.end > 0.6) found.push([word])
    else last.push(word)
  }
  return found
}

const longestLoop = 8
/** "No, no, no, no!" is speech; once more is a loop. */
const repeats = (length: number): number => (length === 1 ? 6 : 4)

/** All but the first of phrases that follow one another unchanged. */
const loops = (words: ReadonlyArray<TranscriptWord>): ReadonlyArray<TranscriptWord> => {
  const texts = words.map(({ text }) => normalized(text))
  const gone: Array<TranscriptWord> = []
  let at = 0
  while (at < texts.length) {
    let skipped = 0
    for (let length = 1; length <= longestLoop && skipped === 0; length++) {
      let same = at + length
      while (same < texts.length && texts[same] === texts[same - length]) same++
      const times = Math.floor((same - at) / length)
      if (times >= repeats(length)) {
        gone.push(...words.slice(at + length, at + times * length))
        skipped = times * length
      }
    }
    at += Math.max(1, skipped)
  }
  return gone
}

/** For comparing words: case and punctuation do not count. */
export const normalized = (text: string): string =>
  text
    .toLowerCase()
    .normalize("NFKC")
    .replace(/[^\p{L}\p{N}]+/gu, "")
