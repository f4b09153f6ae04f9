/**
 * Where in a recording somebody may be speaking, by loudness. It is conservative: what is called silence is silence,
 * what is called speech may be music. Used to cut at pauses, to skip what holds nothing, and to catch text that an
 * engine invented for silence.
 */

/** Frames of 100 ms: from, and up to but without. */
export interface SpeechInterval {
  readonly startFrame: number
  readonly endFrame: number
}

/** Below this everything is silence, whatever the contrast: hum of a microphone that nobody speaks into. */
const minSpeechDbfs = -58

/** Stretches of sound; pauses shorter than 0.3 s do not divide them. Ascending. */
export const detectSpeech = (loudness: Float32Array): ReadonlyArray<SpeechInterval> => {
  const threshold = speechThreshold(loudness)
  const intervals: Array<{ startFrame: number; endFrame: number }> = []
  for (let frame = 0; frame < loudness.length; frame++) {
    if ((loudness[frame] ?? -100) < threshold) continue
    const last = intervals.at(-1)
    if (last !== undefined && frame - last.endFrame < 3) last.endFrame = frame + 1
    else intervals.push({ startFrame: frame, endFrame: frame + 1 })
  }
  return intervals
}

/**
 * 30 dB below the loudest, but at most 10 dB above the floor: over a steady noise only what stands out counts, and where
 * nothing is quiet nothing is called silence.
 */
export const speechThreshold = (loudness: Float32Array): number => {
  if (loudness.length === 0) return minSpeechDbfs
  const sorted = Float32Array.from(loudness).sort()
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? -100
  return Math.max(minSpeechDbfs, Math.min(at(1) - 30, at(0.1) + 10))
}

/** Frames of sound between two frames. */
export const countSpeechFrames = (
  speech: ReadonlyArray<SpeechInterval>,
  startFrame: number,
  endFrame: number,
): number =>
  speech.reduce(
    (sum, interval) =>
      sum + Math.max(0, Math.min(endFrame, interval.endFrame) - Math.max(startFrame, interval.startFrame)),
    0,
  )
