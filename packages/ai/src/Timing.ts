/**
 * What an engine said, as words in their places: whatever form it came in (words, segments without words, text without
 * any times), and whatever is wrong with its times. Seconds count from the start of the piece.
 */
import type { TranscriptWord } from "@armoricore/domain/Transcript"
import type { Recognition, Segment } from "./SpeechEngine.ts"
import type { Interval } from "./Speech.ts"

/** Ascending, none longer than the piece, each at least a hundredth of a second. */
export const wordsOf = (
  recognition: Recognition,
  seconds: number,
  speech: ReadonlyArray<Interval>,
): ReadonlyArray<TranscriptWord> => {
  const said = recognition.words.length > 0 ? recognition.words : recognition.segments.flatMap(spread(seconds, speech))
  const words = said
    .map((word) => ({ ...word, text: word.text.trim() }))
    .filter(({ start, end, text }) => text !== "" && Number.isFinite(start) && Number.isFinite(end))
    .map((word) => ({ ...word, start: Math.max(0, word.start) }))
    .sort((a, b) => a.start - b.start)
  const last = Math.max(0, ...words.map(({ end }) => end))
  // Past the end of the sound nothing was said: the engine's clock runs fast, evenly as far as anybody can tell.
  const spoken = Math.min(seconds, (speech.at(-1)?.to ?? seconds * 10) / 10)
  const pace = last > seconds + 0.3 ? spoken / last : 1
  return words.map((word, index) => {
    const start = onset(Math.min(word.start * pace, seconds), Math.min(word.end * pace, seconds), speech)
    const next = words[index + 1]
    const until = Math.min(seconds, word.end * pace, next === undefined ? seconds : next.start * pace)
    return { ...word, start: rounded(start), end: rounded(Math.max(start + 0.01, until)) }
  })
}

export const rounded = (seconds: number): number => Math.round(seconds * 1000) / 1000

/** A word that begins in silence begins when the sound does: captions must not come before the voice. */
const onset = (start: number, end: number, speech: ReadonlyArray<Interval>): number => {
  if (speech.some(({ from, to }) => from / 10 <= start && start < to / 10)) return start
  const next = speech.find(({ from }) => from / 10 > start)
  return next !== undefined && next.from / 10 < end - 0.05 ? next.from / 10 : start
}

/** Words of a segment by their share of its letters; where it has no times of its own, over the sound of the piece. */
const spread =
  (seconds: number, speech: ReadonlyArray<Interval>) =>
  (segment: Segment): ReadonlyArray<TranscriptWord> => {
    const texts = segment.text.split(/\s+/).filter((text) => text !== "")
    const letters = texts.reduce((sum, text) => sum + text.length + 1, 0)
    const timed = segment.end > segment.start
    const stretches = timed
      ? [{ from: segment.start * 10, to: segment.end * 10 }]
      : speech.length > 0
        ? speech
        : [{ from: 0, to: seconds * 10 }]
    const total = stretches.reduce((sum, { from, to }) => sum + to - from, 0)
    /** The moment at which a part (0 to 1) of the sound has passed; at a pause its end, or its beginning. */
    const momentOf = (part: number, atPause: "after" | "before"): number => {
      let left = part * total
      for (const { from, to } of stretches) {
        if (left < to - from || (atPause === "before" && left <= to - from + 1e-9)) return (from + left) / 10
        left -= to - from
      }
      return (stretches.at(-1)?.to ?? 0) / 10
    }
    let passed = 0
    return texts.map((text) => {
      const start = momentOf(passed / letters, "after")
      passed += text.length + 1
      const end = momentOf(passed / letters, "before")
      return { start, end, text, ...(segment.speaker === undefined ? {} : { speaker: segment.speaker }) }
    })
  }
