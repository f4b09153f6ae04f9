/**
 * Converts the result of an engine to words with times, from all three forms: words, segments without words, and text
 * without times. Corrects wrong times. Seconds count from the start of the chunk.
 */
import type { TranscriptWord } from "@armoricore/domain/Transcript"
import type { Recognition, RecognitionSegment } from "./SpeechEngine.ts"
import type { SpeechInterval } from "./VoiceActivity.ts"

/** Ascending, within the chunk, each at least 10 ms long. */
export const toTimedWords = (
  recognition: Recognition,
  seconds: number,
  speech: ReadonlyArray<SpeechInterval>,
): ReadonlyArray<TranscriptWord> => {
  const rawWords =
    recognition.words.length > 0 ? recognition.words : recognition.segments.flatMap(distributeWords(seconds, speech))
  const words = rawWords
    .map((word) => ({ ...word, text: word.text.trim() }))
    .filter(({ start, end, text }) => text !== "" && Number.isFinite(start) && Number.isFinite(end))
    .map((word) => ({ ...word, start: Math.max(0, word.start) }))
    .sort((a, b) => a.start - b.start)
  const lastEnd = Math.max(0, ...words.map(({ end }) => end))
  // A word after the end of the audio means that the engine's clock runs fast. The drift is assumed to be constant.
  const speechEnd = Math.min(seconds, (speech.at(-1)?.endFrame ?? seconds * 10) / 10)
  const timeScale = lastEnd > seconds + 0.3 ? speechEnd / lastEnd : 1
  return words.map((word, index) => {
    const start = speechOnset(
      Math.min(word.start * timeScale, seconds),
      Math.min(word.end * timeScale, seconds),
      speech,
    )
    const next = words[index + 1]
    const until = Math.min(seconds, word.end * timeScale, next === undefined ? seconds : next.start * timeScale)
    return { ...word, start: roundToMillis(start), end: roundToMillis(Math.max(start + 0.01, until)) }
  })
}

export const roundToMillis = (seconds: number): number => Math.round(seconds * 1000) / 1000

/** Moves the start of a word in silence to the start of the speech: a caption must not precede the voice. */
const speechOnset = (start: number, end: number, speech: ReadonlyArray<SpeechInterval>): number => {
  if (speech.some(({ startFrame, endFrame }) => startFrame / 10 <= start && start < endFrame / 10)) return start
  const next = speech.find(({ startFrame }) => startFrame / 10 > start)
  return next !== undefined && next.startFrame / 10 < end - 0.05 ? next.startFrame / 10 : start
}

/** Distributes the words of a segment by their letters: over its time, or over the speech of the chunk. */
const distributeWords =
  (seconds: number, speech: ReadonlyArray<SpeechInterval>) =>
  (segment: RecognitionSegment): ReadonlyArray<TranscriptWord> => {
    const texts = segment.text.split(/\s+/).filter((text) => text !== "")
    const totalLetters = texts.reduce((sum, text) => sum + text.length + 1, 0)
    const hasTimes = segment.end > segment.start
    const intervals = hasTimes
      ? [{ startFrame: segment.start * 10, endFrame: segment.end * 10 }]
      : speech.length > 0
        ? speech
        : [{ startFrame: 0, endFrame: seconds * 10 }]
    const total = intervals.reduce((sum, { startFrame, endFrame }) => sum + endFrame - startFrame, 0)
    /** The time after a fraction (0 to 1) of the speech; at a pause its end (`after`) or its start (`before`). */
    const timeAt = (fraction: number, atPause: "after" | "before"): number => {
      let remaining = fraction * total
      for (const { startFrame, endFrame } of intervals) {
        if (remaining < endFrame - startFrame || (atPause === "before" && remaining <= endFrame - startFrame + 1e-9))
          return (startFrame + remaining) / 10
        remaining -= endFrame - startFrame
      }
      return (intervals.at(-1)?.endFrame ?? 0) / 10
    }
    let passedLetters = 0
    return texts.map((text) => {
      const start = timeAt(passedLetters / totalLetters, "after")
      passedLetters += text.length + 1
      const end = timeAt(passedLetters / totalLetters, "before")
      return { start, end, text, ...(segment.speaker === undefined ? {} : { speaker: segment.speaker }) }
    })
  }
