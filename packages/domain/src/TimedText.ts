/**
 * Caption files as text: parses WebVTT and SubRip, and writes WebVTT. A file is read as strictly as its cues need: every fault
 * names its line. Regions, styles and comments are left out.
 */
import { Result } from "effect"

export interface Cue {
  /** Seconds. */
  readonly start: number
  readonly end: number
  /** WebVTT settings such as `line:0 align:start`; empty for none. */
  readonly settings: string
  /** WebVTT text: escaped, with tags for bold, italics, underline, voices, languages and ruby only. */
  readonly text: string
}

export interface TimedTextFault {
  /** From 1. */
  readonly line: number
  readonly message: string
}

/** More cues than a day of speech has. */
export const maxCues = 20_000
/** Characters of one cue. */
const maxCueLength = 2_000

/** The cues in the order of their start. With `leaveOut`, which gets each fault, a faulty cue does not fail the file. */
export const parse = (
  file: string,
  leaveOut?: (fault: TimedTextFault) => void,
): Result.Result<ReadonlyArray<Cue>, TimedTextFault> => {
  const text = file.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n")
  const isWebVtt = /^WEBVTT(?=[ \t\n]|$)/.test(text)
  const lines = text.split("\n")
  const cues: Array<Cue> = []
  let at = isWebVtt ? skipBlock(lines, 0) : 0
  while (at < lines.length) {
    if (isBlank(lines[at])) {
      at++
      continue
    }
    if (isWebVtt && /^(NOTE|STYLE|REGION)(?=\s|$)/.test(lines[at] ?? "")) {
      at = skipBlock(lines, at)
      continue
    }
    // An identifier may precede the times.
    const timing = isTiming(lines[at]) ? at : at + 1
    const end = skipBlock(lines, isTiming(lines[timing]) ? timing : at)
    const read = readCue(lines, at, timing, end, isWebVtt)
    if (Result.isFailure(read)) {
      if (leaveOut === undefined) return Result.fail(read.failure)
      leaveOut(read.failure)
    } else if (read.success.text !== "") cues.push(read.success)
    if (cues.length > maxCues) return fault(timing, `the file has more than ${maxCues} cues`)
    at = end
  }
  if (cues.length === 0) return fault(0, "the file has no cues")
  return Result.succeed(cues.sort((a, b) => a.start - b.start))
}

/** The cue in the lines from `at` to `end`, with its times in the line `timing`. */
const readCue = (
  lines: ReadonlyArray<string>,
  at: number,
  timing: number,
  end: number,
  isWebVtt: boolean,
): Result.Result<Cue, TimedTextFault> => {
  if (!isTiming(lines[timing])) {
    return fault(
      at,
      `"${short(lines[at])}" is no cue; a cue begins with its times, such as 00:00:01.000 --> 00:00:04.000`,
    )
  }
  const times = parseTiming(lines[timing] ?? "")
  if (times === undefined)
    return fault(timing, `"${short(lines[timing])}" has no valid times; write them as 00:00:01.000`)
  if (times.end <= times.start) return fault(timing, "the cue ends before it begins")
  const raw = lines
    .slice(timing + 1, end)
    .join("\n")
    .trim()
  if (raw.length > maxCueLength) return fault(timing, `the cue has ${raw.length} characters, at most ${maxCueLength}`)
  const cue = isWebVtt ? { settings: times.settings, text: cleanTags(raw) } : fromSubRip(raw)
  return Result.succeed({ start: times.start, end: times.end, ...cue })
}

/** The file, or a segment of it. `header` follows the first line. */
export const render = (cues: ReadonlyArray<Cue>, header = ""): string =>
  `WEBVTT\n${header}${cues
    .map(({ end, settings, start, text }) => {
      const times = `${formatTime(start)} --> ${formatTime(end)}${settings === "" ? "" : ` ${settings}`}`
      return `\n${times}\n${text}\n`
    })
    .join("")}`

/** Moves all cues, and leaves out what is before 0 or after `seconds`. */
export const fit = (cues: ReadonlyArray<Cue>, shift: number, seconds: number): ReadonlyArray<Cue> =>
  cues.flatMap((cue) => {
    const start = Math.max(0, cue.start + shift)
    const end = Math.min(seconds, cue.end + shift)
    return end - start < 0.001 ? [] : [{ ...cue, start, end }]
  })

const fault = (index: number, message: string) => Result.fail({ line: index + 1, message })

const isBlank = (line = ""): boolean => line.trim() === ""
const isTiming = (line = ""): boolean => line.includes("-->")
const short = (line = ""): string => (line.length > 60 ? `${line.slice(0, 60)}…` : line)

/** The index after the block of lines at `from`. */
const skipBlock = (lines: ReadonlyArray<string>, from: number): number => {
  const end = lines.findIndex((line, index) => index > from && isBlank(line))
  return end === -1 ? lines.length : end
}

const timePattern = "(?:(\\d{1,3}):)?(\\d{1,2}):(\\d{2})[.,](\\d{1,3})"
const timingPattern = new RegExp(`^\\s*${timePattern}\\s+-->\\s+${timePattern}(?:\\s+(.*))?$`)
const settingPattern =
  /^(vertical:(rl|lr)|line:-?[\d.]+%?(,(start|center|end))?|position:[\d.]+%(,[a-z-]+)?|size:[\d.]+%|align:(start|center|end|left|right))$/

const parseTiming = (line: string) => {
  const match = timingPattern.exec(line)
  if (match === null) return undefined
  const [start, end] = [secondsOf(match, 1), secondsOf(match, 5)]
  if (start === undefined || end === undefined) return undefined
  const settings = (match[9] ?? "").split(/\s+/).filter((setting) => settingPattern.test(setting))
  return { start, end, settings: settings.join(" ") }
}

const secondsOf = (match: RegExpExecArray, at: number): number | undefined => {
  const [hours = "0", minutes = "", seconds = "", fraction = ""] = match.slice(at, at + 4)
  if (Number(minutes) > 59 || Number(seconds) > 59) return undefined
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds) + Number(fraction.padEnd(3, "0")) / 1000
}

const formatTime = (seconds: number): string => {
  const millis = Math.round(seconds * 1000)
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0")
  return `${two(millis / 3_600_000)}:${two((millis / 60_000) % 60)}:${two((millis / 1000) % 60)}.${String(millis % 1000).padStart(3, "0")}`
}

/** Line breaks in a cue, but no blank line, which would end it, and no arrow, which would begin another. */
const withoutBreaks = (text: string): string => text.replace(/\n\s*\n+/g, "\n").replaceAll("-->", "→")

const allowedTag = /^<\/?(b|i|u|ruby|rt)>$|^<\/?(c|v|lang)([. ][^<>\n]*)?>$|^<(\d{1,3}:)?\d{2}:\d{2}\.\d{3}>$/

/** Leaves out all other tags and escapes what is no tag. */
const cleanTags = (raw: string): string =>
  withoutBreaks(raw)
    .replace(/<[^<>]*>/g, (tag) => (allowedTag.test(tag) ? `\u0001${tag.slice(1, -1)}\u0002` : ""))
    .replace(/&(?!(amp|lt|gt|lrm|rlm|nbsp|#\d+);)/g, "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("\u0001", "<")
    .replaceAll("\u0002", ">")
    .trim()

/** SubRip has the tags of HTML, and `{\an8}` for text at the top. */
const fromSubRip = (raw: string): Pick<Cue, "settings" | "text"> => {
  const isTop = /\{\\an[789]\}/.test(raw)
  const text = raw
    .replace(/\{\\[^}]*\}/g, "")
    .replace(/<\/?([bius])\b[^<>]*>/gi, (tag, name: string) =>
      name.toLowerCase() === "s" ? "" : `${tag.startsWith("</") ? "</" : "<"}${name.toLowerCase()}>`,
    )
  return { settings: isTop ? "line:0" : "", text: cleanTags(text) }
}
