/**
 * Where in a recording somebody may be speaking, by loudness. It is conservative: what is called silence is silence,
 * what is called speech may be music. Used to cut at pauses, to skip what holds nothing, and to catch text that an
 * engine invented for silence.
 */

/** Frames of 100 ms: from, and up to but without. */
export interface Interval {
  readonly from: number
  readonly to: number
}

/** Below this everything is silence, whatever the contrast: hum of a microphone that nobody speaks into. */
const faintest = -58

/** Stretches of sound; pauses shorter than 0.3 s do not divide them. Ascending. */
export const intervals = (loudness: Float32Array): ReadonlyArray<Interval> => {
  const threshold = thresholdOf(loudness)
  const found: Array<{ from: number; to: number }> = []
  for (let frame = 0; frame < loudness.length; frame++) {
    if ((loudness[frame] ?? -100) < threshold) continue
    const last = found.at(-1)
    if (last !== undefined && frame - last.to < 3) last.to = frame + 1
    else found.push({ from: frame, to: frame + 1 })
  }
  return found
}

/**
 * 30 dB below the loudest, but at most 10 dB above the floor: over a steady noise only what stands out counts, and where
 * nothing is quiet nothing is called silence.
 */
export const thresholdOf = (loudness: Float32Array): number => {
  if (loudness.length === 0) return faintest
  const sorted = Float32Array.from(loudness).sort()
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? -100
  return Math.max(faintest, Math.min(at(1) - 30, at(0.1) + 10))
}

/** Frames of sound between two frames. */
export const amount = (speech: ReadonlyArray<Interval>, from: number, to: number): number =>
  speech.reduce((sum, one) => sum + Math.max(0, Math.min(to, one.to) - Math.max(from, one.from)), 0)
