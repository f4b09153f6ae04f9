/** Holds cues to the rules and says which they do not keep; speech that is faster than reading cannot keep them all. */
import type { CueFault, TranscriptCue } from "@armoricore/domain/Transcript"
import { lengthOf, rules } from "./Rules.ts"

export const lint = (cues: ReadonlyArray<TranscriptCue>): ReadonlyArray<CueFault> =>
  cues.flatMap((one, cue) => {
    const faults: Array<CueFault> = []
    const start = Math.round(one.start * 1000)
    const end = Math.round(one.end * 1000)
    const longest = Math.max(0, ...one.lines.map(lengthOf))
    if (longest > rules.line) faults.push({ cue, rule: "line_length", measured: longest })
    if (one.lines.length > rules.lines) faults.push({ cue, rule: "lines", measured: one.lines.length })
    const speed = (lengthOf(one.lines.join(" ")) * 1000) / Math.max(1, end - start)
    if (speed > rules.speed + 0.001) faults.push({ cue, rule: "reading_speed", measured: Math.round(speed * 10) / 10 })
    if (end - start < rules.shortest) faults.push({ cue, rule: "too_short", measured: (end - start) / 1000 })
    if (end - start > rules.longest) faults.push({ cue, rule: "too_long", measured: (end - start) / 1000 })
    const next = cues[cue + 1]
    if (next !== undefined && Math.round(next.start * 1000) - end < rules.gap) {
      faults.push({ cue, rule: "gap", measured: Math.round(next.start * 1000 - end) / 1000 })
    }
    return faults
  })
