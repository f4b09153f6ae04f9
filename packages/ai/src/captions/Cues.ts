/**
 * Words to cues: which words stand together, where a cue is broken into two lines, when it comes and goes.
 *
 * Cuts between cues are chosen for a whole run of speech at once (the cheapest way through all possible cuts), so that
 * a good cut early never forces a bad one later. Always kept: line length and count, order, no overlap, at most seven
 * seconds. Kept where the speech allows: reading speed, least duration, gaps; `Lint` says where it did not.
 */
import type { TranscriptCue, TranscriptWord } from "@armoricore/domain/Transcript"
import { breakCost } from "./Grammar.ts"
import { rules } from "./Rules.ts"
import { type Token, tokensOf } from "./Tokens.ts"

/** A pause after which a cue never goes on, in milliseconds. */
const pause = 1500
/** How long a cue stays after the last word where nothing follows at once. */
const linger = 500
/** Room that a cue gets at least, even if the words behind it have to come late. */
const leastRoom = 250

export const cuesOf = (words: ReadonlyArray<TranscriptWord>, language: string): ReadonlyArray<TranscriptCue> => {
  const tokens = tokensOf(words)
  const cost = breakCost(language)
  const ends: Array<number> = []
  let from = 0
  for (let index = 1; index <= tokens.length; index++) {
    const before = tokens[index - 1]
    const next = tokens[index]
    if (before === undefined) continue
    if (next === undefined || next.start - before.end > pause || next.speaker !== before.speaker) {
      ends.push(...cutRun(tokens, from, index, cost))
      from = index
    }
  }
  return timed(tokens, ends, cost)
}

type Cost = (word: string, next: string) => number

/** Characters of the tokens from `from` up to but without `to`, in one line. */
const width = (tokens: ReadonlyArray<Token>, from: number, to: number): number => {
  const first = tokens[from]
  const last = tokens[to - 1]
  return first === undefined || last === undefined ? 0 : last.until - first.at
}

/** Where the cues of one run end: positions behind their last tokens. */
const cutRun = (tokens: ReadonlyArray<Token>, from: number, to: number, cost: Cost): ReadonlyArray<number> => {
  const best = new Float64Array(to - from + 1).fill(Number.POSITIVE_INFINITY)
  const cameFrom = new Int32Array(to - from + 1).fill(-1)
  best[0] = 0
  for (let end = from + 1; end <= to; end++) {
    const last = tokens[end - 1]
    const next = tokens[end]
    if (last === undefined) break
    const ending = end === to || next === undefined ? 0 : cost(last.text, next.text)
    for (let start = end - 1; start >= from; start--) {
      const first = tokens[start]
      if (first === undefined) break
      const characters = width(tokens, start, end)
      if (start < end - 1 && (last.end - first.start > rules.longest || !fits(tokens, start, end))) break
      const room = Math.min(rules.longest, (next?.start ?? Number.POSITIVE_INFINITY) - rules.gap - first.start)
      const needed = Math.max(rules.shortest, (characters / rules.speed) * 1000)
      const missing = Math.max(0, needed - room) / 1000
      // A few letters alone are a flash, unless they are all that is said.
      const lonely = characters < 12 && (start > from || end < to) ? 2 : 0
      const total = (best[start - from] ?? 0) + 3 + ending + lonely + missing * 30
      if (total < (best[end - from] ?? 0)) {
        best[end - from] = total
        cameFrom[end - from] = start - from
      }
    }
  }
  const ends: Array<number> = []
  for (let at = to - from; at > 0; at = cameFrom[at] ?? 0) ends.push(at + from)
  return ends.reverse()
}

/** Whether they fit into two lines. */
const fits = (tokens: ReadonlyArray<Token>, from: number, to: number): boolean => {
  if (width(tokens, from, to) <= rules.line) return true
  // Filling the first line as far as it goes leaves the least for the second.
  let second = from
  while (second < to && width(tokens, from, second + 1) <= rules.line) second++
  return width(tokens, second, to) <= rules.line
}

const linesOf = (tokens: ReadonlyArray<Token>, from: number, to: number, cost: Cost): ReadonlyArray<string> => {
  if (width(tokens, from, to) <= rules.line) return [textOf(tokens, from, to)]
  let best = from + 1
  let least = Number.POSITIVE_INFINITY
  for (let second = from + 1; second < to; second++) {
    const upper = width(tokens, from, second)
    const lower = width(tokens, second, to)
    if (upper > rules.line || lower > rules.line) continue
    const last = tokens[second - 1]
    const next = tokens[second]
    const total = cost(last?.text ?? "", next?.text ?? "") * 2 + Math.abs(upper - lower) / 5 + (upper > lower ? 1 : 0)
    if (total < least) {
      least = total
      best = second
    }
  }
  return [textOf(tokens, from, best), textOf(tokens, best, to)]
}

const textOf = (tokens: ReadonlyArray<Token>, from: number, to: number): string => {
  let text = ""
  for (let index = from; index < to; index++) {
    const token = tokens[index]
    if (token !== undefined) text += (index > from && token.spaced ? " " : "") + token.text
  }
  return text
}

/** In whole milliseconds, rounded once, so that every format says the same. */
const timed = (tokens: ReadonlyArray<Token>, ends: ReadonlyArray<number>, cost: Cost): ReadonlyArray<TranscriptCue> => {
  const cues: Array<TranscriptCue> = []
  let from = 0
  let free = 0
  for (const to of ends) {
    const first = tokens[from]
    const last = tokens[to - 1]
    if (first === undefined || last === undefined) break
    const start = Math.max(first.start, free)
    const limit = (tokens[to]?.start ?? Number.POSITIVE_INFINITY) - rules.gap
    const needed = Math.ceil(Math.max(rules.shortest, (width(tokens, from, to) / rules.speed) * 1000))
    const wanted = Math.max(last.end + linger, start + needed)
    // A blink between two cues disturbs more than none.
    const joined = limit - wanted < 500 ? limit : wanted
    const end = Math.max(start + leastRoom, Math.min(joined, limit, start + rules.longest))
    cues.push({
      start: start / 1000,
      end: end / 1000,
      lines: linesOf(tokens, from, to, cost),
      ...(first.speaker === undefined ? {} : { speaker: first.speaker }),
    })
    free = end + rules.gap
    from = to
  }
  return cues
}
