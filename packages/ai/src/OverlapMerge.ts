/**
 * Merges the words of all chunks. After a cut in a pause the words are appended. After a forced cut both chunks have the
 * words of the overlap: the merge takes the words of the first chunk up to a word that both have at the same time, and the
 * words of the second chunk after it. So a word that a cut has split is taken from the chunk that has all of it.
 */
import type { TranscriptWord } from "@armoricore/domain/Transcript"
import { normalizeWord } from "./HallucinationFilter.ts"
import { overlapSeconds, type AudioChunk, toSeconds } from "./AudioChunks.ts"
import { roundToMillis } from "./WordTiming.ts"

/** Seconds. The start of the same word may differ by this much between two chunks. */
const maxTimeDifference = 0.3

export interface ChunkWords {
  readonly chunk: AudioChunk
  /** Seconds from the start of the chunk. */
  readonly words: ReadonlyArray<TranscriptWord>
}

/** `chunks` are in order. The result has seconds from the start of the recording. */
export const mergeOverlaps = (chunks: ReadonlyArray<ChunkWords>): ReadonlyArray<TranscriptWord> => {
  const merged: Array<TranscriptWord> = []
  for (const { chunk, words } of chunks) {
    const offset = toSeconds(chunk.startSample)
    const current = words.map((word) => ({
      ...word,
      start: roundToMillis(word.start + offset),
      end: roundToMillis(word.end + offset),
    }))
    if (!chunk.overlapsPrevious) {
      merged.push(...current)
      continue
    }
    const overlap = merged.findIndex(({ end }) => end > offset)
    const previous = overlap < 0 ? [] : merged.slice(overlap)
    const seam = findSeam(previous, current, offset)
    merged.splice(
      merged.length - previous.length,
      previous.length,
      ...previous.slice(0, seam.before),
      ...current.slice(seam.after),
    )
  }
  return merged
}

/** `before`: words of the first chunk's end to keep. `after`: words of the second chunk's beginning to drop. */
const findSeam = (
  before: ReadonlyArray<TranscriptWord>,
  after: ReadonlyArray<TranscriptWord>,
  offset: number,
): { readonly before: number; readonly after: number } => {
  const middle = offset + overlapSeconds / 2
  let best: { readonly before: number; readonly after: number; readonly distance: number } | undefined
  before.forEach((first, index) => {
    after.forEach((second, position) => {
      if (second.start > offset + overlapSeconds) return
      const same =
        normalizeWord(first.text) === normalizeWord(second.text) &&
        Math.abs(first.start - second.start) <= maxTimeDifference
      const distance = Math.abs((first.start + first.end) / 2 - middle)
      if (same && (best === undefined || distance < best.distance)) {
        best = { before: index + 1, after: position + 1, distance }
      }
    })
  })
  if (best !== undefined) return best
  const isLate = ({ start, end }: TranscriptWord) => (start + end) / 2 >= middle
  const firstLate = before.findIndex(isLate)
  const secondLate = after.findIndex(isLate)
  return { before: firstLate < 0 ? before.length : firstLate, after: secondLate < 0 ? after.length : secondLate }
}
