/**
 * Puts the pieces' words together. After a cut in a pause they simply follow; over a forced cut both pieces heard the
 * overlap, so the words are laid over one another and each is taken once: up to a word that both heard at the same time
 * from the first, behind it from the second. Neither a word that one of them heard only half is kept.
 */
import type { TranscriptWord } from "@armoricore/domain/Transcript"
import { normalized } from "./Guards.ts"
import { overlapSeconds, type Piece, secondsOf } from "./Pieces.ts"
import { rounded } from "./Timing.ts"

/** Seconds by which the two may differ on the same word. */
const tolerance = 0.3

export interface Heard {
  readonly piece: Piece
  /** Seconds from the start of the piece. */
  readonly words: ReadonlyArray<TranscriptWord>
}

/** In the order of the pieces; seconds from the start of the recording. */
export const stitch = (pieces: ReadonlyArray<Heard>): ReadonlyArray<TranscriptWord> => {
  const all: Array<TranscriptWord> = []
  for (const { piece, words } of pieces) {
    const offset = secondsOf(piece.from)
    const here = words.map((word) => ({
      ...word,
      start: rounded(word.start + offset),
      end: rounded(word.end + offset),
    }))
    if (!piece.overlapsPrevious) {
      all.push(...here)
      continue
    }
    const overlap = all.findIndex(({ end }) => end > offset)
    const before = overlap < 0 ? [] : all.slice(overlap)
    const seam = seamOf(before, here, offset)
    all.splice(all.length - before.length, before.length, ...before.slice(0, seam.before), ...here.slice(seam.after))
  }
  return all
}

/** How many words of the first piece's end count, and how many of the second's beginning do not. */
const seamOf = (
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
        normalized(first.text) === normalized(second.text) && Math.abs(first.start - second.start) <= tolerance
      const distance = Math.abs((first.start + first.end) / 2 - middle)
      if (same && (best === undefined || distance < best.distance)) {
        best = { before: index + 1, after: position + 1, distance }
      }
    })
  })
  if (best !== undefined) return best
  const late = ({ start, end }: TranscriptWord) => (start + end) / 2 >= middle
  const firstLate = before.findIndex(late)
  const secondLate = after.findIndex(late)
  return { before: firstLate < 0 ? before.length : firstLate, after: secondLate < 0 ? after.length : secondLate }
}
