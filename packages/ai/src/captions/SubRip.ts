/** Cues as an SRT file: numbered from 1, lines ended by CR LF, times with a comma. */
import type { TranscriptCue } from "@armoricore/domain/Transcript"
import { formatTimestamp } from "./CueTimestamp.ts"

export const contentType = "application/x-subrip; charset=utf-8"

export const render = (cues: ReadonlyArray<TranscriptCue>): string =>
  cues
    .map(({ end, lines, start }, index) =>
      // There is no way to escape an arrow, and one in the text would end the cue.
      [
        String(index + 1),
        `${formatTimestamp(start, ",")} --> ${formatTimestamp(end, ",")}`,
        ...lines.map((line) => line.replaceAll("-->", "→")),
        "",
        "",
      ].join("\r\n"),
    )
    .join("")
