/**
 * Cuts a recording into pieces that engines take: at a pause near the wanted length, else at the quietest 100 ms with
 * an overlap that `Stitch` resolves. All positions are counted samples, so that nothing drifts over hours.
 *
 * Silence at the ends of a piece is left out (engines invent text for it), and so are pieces of silence alone.
 */
import { frameSamples, type Measured, sampleRate } from "./Pcm.ts"
import type { Interval } from "./Speech.ts"

/** A piece of the recording: samples from, and up to but without. */
export interface Piece {
  readonly index: number
  readonly from: number
  readonly to: number
  /** The cut before it fell into sound: its first second and a half is also the end of the piece before. */
  readonly overlapsPrevious: boolean
}

/** Seconds of sound that stand on both sides of a forced cut. */
export const overlapSeconds = 1.5
/** Seconds of silence kept before and after what is said. */
const margin = 0.5

/** `longest` in seconds, at least ten times the overlap. */
export const plan = (measured: Measured, speech: ReadonlyArray<Interval>, longest: number): ReadonlyArray<Piece> => {
  const frames = measured.loudness.length
  const most = Math.floor(Math.max(longest, overlapSeconds * 10) * 10)
  const pieces: Array<Piece> = []
  let start = 0
  let forced = false
  while (start < frames) {
    // The overlap belongs to the piece, so a forced cut comes earlier by it.
    const cut = frames - start <= most ? { at: frames, forced: false } : cutAfter(measured, speech, start, most)
    const inside = speech.filter(({ from, to }) => to > start && from < cut.at)
    const first = inside[0]
    const last = inside.at(-1)
    if (first !== undefined && last !== undefined) {
      const from = forced ? start : Math.max(start, first.from - margin * 10)
      const to = cut.forced ? cut.at + overlapSeconds * 10 : Math.min(cut.at, last.to + margin * 10)
      pieces.push({
        index: pieces.length,
        from: Math.round(from) * frameSamples,
        to: Math.min(measured.samples, Math.round(to) * frameSamples),
        overlapsPrevious: forced,
      })
    }
    start = cut.at
    forced = cut.forced
  }
  return pieces
}

export const secondsOf = (samples: number): number => samples / sampleRate

/** The middle of the longest pause in the last two fifths of what fits, else the quietest frame there. */
const cutAfter = ({ loudness }: Measured, speech: ReadonlyArray<Interval>, start: number, most: number) => {
  const earliest = start + Math.floor(most * 0.6)
  const latest = start + most - overlapSeconds * 10
  let best: { readonly at: number; readonly length: number } | undefined
  speech.forEach(({ to }, index) => {
    const next = speech[index + 1]?.from ?? loudness.length
    const from = Math.max(to, earliest)
    const until = Math.min(next, latest)
    const length = until - from
    if (length >= 3 && (best === undefined || length > best.length)) {
      best = { at: from + Math.floor(length / 2), length }
    }
  })
  if (best !== undefined) return { at: best.at, forced: false }
  let quietest = latest
  for (let frame = earliest; frame < latest; frame++) {
    if ((loudness[frame] ?? 0) < (loudness[quietest] ?? 0)) quietest = frame
  }
  return { at: quietest, forced: true }
}
