/** Holds cues to the rules and says which they do not keep; speech that is faster than reading cannot keep them all. */
import type { CueViolation, TranscriptCue } from "@armoricore/domain/Transcript"
import { characterCount, captionRules } from "./CaptionRules.ts"

export const lintCues = (cues: ReadonlyArray<TranscriptCue>): ReadonlyArray<CueViolation> =>
  cues.flatMap((one, cue) => {
    const faults: Array<CueViolation> = []
    const start = Math.round(one.start * 1000)
    const end = Math.round(one.end * 1000)
    const longestLine = Math.max(0, ...one.lines.map(characterCount))
    if (longestLine > captionRules.maxLineLength) faults.push({ cue, rule: "line_length", measured: longestLine })
    if (one.lines.length > captionRules.maxLines) faults.push({ cue, rule: "lines", measured: one.lines.length })
    const charactersPerSecond = (characterCount(one.lines.join(" ")) * 1000) / Math.max(1, end - start)
    if (charactersPerSecond > captionRules.maxCharactersPerSecond + 0.001)
      faults.push({ cue, rule: "reading_speed", measured: Math.round(charactersPerSecond * 10) / 10 })
    if (end - start < captionRules.minDurationMillis)
      faults.push({ cue, rule: "too_short", measured: (end - start) / 1000 })
    if (end - start > captionRules.maxDurationMillis)
      faults.push({ cue, rule: "too_long", measured: (end - start) / 1000 })
    const next = cues[cue + 1]
    if (next !== undefined && Math.round(next.start * 1000) - end < captionRules.minGapMillis) {
      faults.push({ cue, rule: "gap", measured: Math.round(next.start * 1000 - end) / 1000 })
    }
    return faults
  })
