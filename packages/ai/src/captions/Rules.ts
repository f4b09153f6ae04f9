/** What makes captions readable, after the timed text guides of broadcasters. Times in milliseconds. */
export const rules = {
  /** Characters of a line. */
  line: 42,
  /** Lines of a cue. */
  lines: 2,
  /** Characters a second. */
  speed: 20,
  shortest: 833,
  longest: 7000,
  /** Between two cues: two frames of 24. */
  gap: 83,
} as const

/** Characters as readers count them, near enough: code points. */
export const lengthOf = (text: string): number => {
  let count = 0
  for (const _ of text) count++
  return count
}
