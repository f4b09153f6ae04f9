/**
 * Puts the pieces' words together. After a cut in a pause they simply follow; over a forced cut both pieces heard the
 * overlap, so the words are laid over one another and each is taken once: up to a word that both heard at the same time
 * from the first, behind it from the second. Neither a word that one of them heard only half is kept.
 */
import type { TranscriptWord } from "@armoricore/domain/Transcript"
import { normalizeWord } from "./HallucinationFilter.ts"
import { overlapSeconds, type AudioChunk, toSeconds } from "./AudioChunks.ts"
import { roundToMillis } from "./WordTiming.ts"

/** Seconds by which the two may differ on the same word. */
const maxTimeDifference = 0.3

export interface ChunkWords {
  readonly chunk: AudioChunk
  /** Seconds from the start of the piece. */
  readonly words: ReadonlyArray<TranscriptWord>
}

/** In the order of the pieces; seconds from the start of the recording. */
export const mergeOverlaps = (chunks: ReadonlyArray<ChunkWords>): ReadonlyArray<TranscriptWord> => {
  const all: Array<TranscriptWord> = []
  for (const { chunk, words } of chunks) {
    const offset = toSeconds(chunk.startSample)
    const current = words.map((word) => ({
      ...word,
      start: roundToMillis(word.start + offset),
      end: roundToMillis(word.end + offset),
    }))
    if (!chunk.overlapsPrevious) {
      all.push(...current)
      continue
    }
    const overlap = all.findIndex(({ end }) => end > offset)
    const previous = overlap < 0 ? [] : all.slice(overlap)
    const seam = findSeam(previous, current, offset)
    all.splice(
      all.length - previous.length,
      previous.length,
      ...previous.slice(0, seam.before),
      ...current.slice(seam.after),
    )
  }
  return all
}

/** How many words of the first piece's end count, and how many of the second's beginning do not. */
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
