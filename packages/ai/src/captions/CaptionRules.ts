/** What makes captions readable, after the timed text guides of broadcasters. Times in milliseconds. */
export const captionRules = {
  /** Characters of a line. */
  maxLineLength: 42,
  /** Lines of a cue. */
  maxLines: 2,
  /** Characters a second. */
  maxCharactersPerSecond: 20,
  minDurationMillis: 833,
  maxDurationMillis: 7000,
  /** Between two cues: two frames of 24. */
  minGapMillis: 83,
} as const

/** Characters as readers count them, near enough: code points. */
export const characterCount = (text: string): number => {
  let count = 0
  for (const _ of text) count++
  return count
}
