/**
 * A title, a summary and chapters of a transcript. The model names a chapter by the number of a cue, so its time can only be one of
 * the transcript. A long transcript is read in sections, whose summaries become the summary of the whole.
 */
import type { Transcript, TranscriptOutline } from "@armoricore/domain/Transcript"
import { Effect, Schema } from "effect"
import type { Ask } from "./AnswerCache.ts"

/** Characters of one question. */
const sectionLength = 24_000
const maxChapters = 40
/** Chapters are at least so far apart, in seconds. */
const minChapterSeconds = 10

const bounded = (length: number) => Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(length))
const Section = Schema.Struct({
  title: bounded(120),
  summary: bounded(1200),
  chapters: Schema.Array(Schema.Struct({ cue: Schema.Int, title: bounded(120) })),
})
const Whole = Schema.Struct({ title: bounded(120), summary: bounded(1200) })

const limits = "The title has at most 80 characters, the summary at most three sentences and 600 characters."

export const outline = Effect.fn("Outline.outline")(function* (
  ask: Ask,
  { cues, language }: Pick<Transcript, "cues" | "language">,
) {
  const lines = cues.map(({ lines: text }, cue) => ({ cue, text: text.join(" ") }))
  const sections: Array<Array<(typeof lines)[number]>> = [[]]
  let length = 0
  for (const line of lines) {
    if (length + line.text.length > sectionLength) {
      sections.push([])
      length = 0
    }
    sections.at(-1)?.push(line)
    length += line.text.length + 20
  }
  const parts = yield* Effect.forEach(sections, (section) =>
    ask({
      task: "outline",
      instruction: `Read a part of the transcript of a recording and write in its language (${language}): a title, a summary, and up to ${Math.max(2, Math.floor(maxChapters / sections.length))} chapters where the topic changes, each with the number of its first cue and a title of at most 60 characters. ${limits}`,
      input: { transcript: section },
      answer: Section,
      maxTokens: 4000,
    }),
  )
  const [first] = parts
  if (first === undefined) return undefined
  const whole =
    parts.length === 1
      ? first
      : yield* ask({
          task: "outline",
          instruction: `Read the summaries of the parts of one recording and write, in its language (${language}), a title and a summary of the whole. ${limits}`,
          input: { parts: parts.map(({ summary, title }) => ({ title, summary })) },
          answer: Whole,
          maxTokens: 1000,
        })
  const numbers = new Map(parts.flatMap(({ chapters }) => chapters.map(({ cue, title }) => [cue, oneLine(title)])))
  const chapters: Array<{ start: number; title: string }> = []
  for (const [cue, title] of [...numbers].sort(([a], [b]) => a - b)) {
    const start = cues[cue]?.start
    const last = chapters.at(-1)
    if (start === undefined || title === "" || chapters.length >= maxChapters) continue
    if (last === undefined || start - last.start >= minChapterSeconds) chapters.push({ start, title })
  }
  return { title: oneLine(whole.title), summary: oneLine(whole.summary), chapters } satisfies TranscriptOutline
})

const oneLine = (text: string): string => text.replace(/\s+/gu, " ").trim()
