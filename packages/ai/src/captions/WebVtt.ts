/** Cues as a WebVTT file. */
import type { TranscriptCue } from "@armoricore/domain/Transcript"
import { formatTimestamp } from "./CueTimestamp.ts"

export const contentType = "text/vtt; charset=utf-8"

/** Without cues: a valid file that shows nothing. */
export const render = (cues: ReadonlyArray<TranscriptCue>): string =>
  `WEBVTT\n${cues
    .map(({ end, lines, speaker, start }) => {
      const voice = speaker === undefined ? "" : `<v ${escape(speaker.replace(/\s+/g, " "))}>`
      return `\n${formatTimestamp(start, ".")} --> ${formatTimestamp(end, ".")}\n${voice}${lines.map(escape).join("\n")}\n`
    })
    .join("")}`

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
