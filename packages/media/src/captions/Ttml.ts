/**
 * TTML (IMSC 1.1) as WebVTT. ffmpeg has no decoder for it, so the samples of a track are copied, each a whole document with
 * times of the track. Paragraphs become cues; of their styles italics and bold stay.
 */
import * as TimedText from "@armoricore/domain/TimedText"
import { Result } from "effect"
import imsc, { type Node } from "imsc/src/main/js/doc.js"

/** The samples one behind the other. A failure is a sentence of the parser. */
export const toWebVtt = (samples: string): Result.Result<string, string> => {
  const cues: Array<TimedText.Cue> = []
  for (const [xml] of samples.matchAll(/<(\w+:)?tt[\s>][^]*?<\/\1tt\s*>/g)) {
    const parsed = Result.try({
      try: () => imsc.fromXML(xml, errors),
      catch: (cause) => (cause instanceof Error ? cause.message : String(cause)),
    })
    if (Result.isFailure(parsed)) return Result.fail(parsed.failure)
    const body = parsed.success?.body
    if (body !== undefined && body !== null) cues.push(...paragraphs(body))
    if (cues.length > TimedText.maxCues) return Result.fail(`it has more than ${TimedText.maxCues} cues`)
  }
  return Result.succeed(TimedText.render(cues))
}

/** Faults of details are left out; the parser throws what it cannot read. */
const errors = { info: () => false, warn: () => false, error: () => false, fatal: () => false }

const paragraphs = (node: Node): ReadonlyArray<TimedText.Cue> => {
  if (node.kind !== "p") return (node.contents ?? []).flatMap(paragraphs)
  const { begin = 0, end = 0 } = node
  const text = textOf(node)
    .split("\n")
    .map((line) => line.replaceAll(/\s+/g, " ").trim())
    .filter((line) => line !== "")
    .join("\n")
  return Number.isFinite(end) && end > begin && text !== "" ? [{ start: begin, end, settings: "", text }] : []
}

const styling = "http://www.w3.org/ns/ttml#styling"

const textOf = ({ contents = [], kind, styleAttrs = {}, text }: Node): string => {
  if (kind === "br") return "\n"
  const inner = text === undefined ? contents.map(textOf).join("") : escape(text)
  if (kind !== "span" || inner.trim() === "") return inner
  const italic = styleAttrs[`${styling} fontStyle`] === "italic" ? `<i>${inner}</i>` : inner
  return styleAttrs[`${styling} fontWeight`] === "bold" ? `<b>${italic}</b>` : italic
}

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll(/\s+/g, " ")
