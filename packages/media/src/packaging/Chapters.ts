/** Chapters as the JSON file that Apple's players read: an array with a start, a duration and titles by language. */
import type { Chapter } from "../probe/MediaInfo.ts"

export const fileName = "chapters.json"

export const render = (chapters: ReadonlyArray<Chapter>): string =>
  `${JSON.stringify(
    chapters.map(({ end, start, title }, index) => ({
      chapter: index + 1,
      "start-time": round(start),
      duration: round(end - start),
      titles: [{ language: "und", title }],
    })),
  )}\n`

const round = (seconds: number): number => Math.round(seconds * 1000) / 1000
