/**
 * Moderation by rules, on the spot and without a network: words, links, floods. There is no list of words by default;
 * what hurts depends on who talks.
 *
 * Floods are counted in this process: with several workers each sees its share, so the limits then are looser.
 */
import { Clock, Duration, Effect } from "effect"
import { foldConfusables, foldLeetspeak } from "./Confusables.ts"
import type { ModeratedMessage, Verdict } from "./Verdict.ts"

export interface Options {
  /** Words and phrases that are removed; `*` at the end stands for any ending. */
  readonly blockedWords?: ReadonlyArray<string>
  /** Those that a person should look at. */
  readonly reviewWords?: ReadonlyArray<string>
  /** What becomes of messages with links. Default `allow`. */
  readonly linkAction?: "allow" | "review" | "remove"
  /** Sites that may be linked to anyway, with all their subdomains. */
  readonly allowedDomains?: ReadonlyArray<string>
  /** So many messages of one user in one place within `floodWindow` are a flood. Default 10 in 5 s. */
  readonly floodThreshold?: number
  readonly floodWindow?: Duration.Duration
  /** What becomes of a flood. Default `review`: what a quick writer wrote is not taken away unseen. */
  readonly floodAction?: "review" | "remove"
  /** So many times the same text within six windows. Default 4. */
  readonly repeatThreshold?: number
}

export interface ModerationRules {
  /** Undefined: nothing against it. Looking at the same message again changes nothing. */
  readonly check: (message: ModeratedMessage) => Effect.Effect<Verdict | undefined>
}

/** Users who are remembered for floods; the ones silent for longest are forgotten first. */
const maxTrackedUsers = 10_000

interface RecentMessage {
  readonly id: string
  readonly at: number
  readonly text: string
}

export const make = (options: Options = {}): ModerationRules => {
  const isBlocked = wordMatcher(options.blockedWords ?? [])
  const needsReview = wordMatcher(options.reviewWords ?? [])
  const window = Duration.toMillis(options.floodWindow ?? Duration.seconds(5))
  const floodThreshold = options.floodThreshold ?? 10
  const repeatThreshold = options.repeatThreshold ?? 4
  const allowedDomains = (options.allowedDomains ?? []).map((site) => site.toLowerCase())
  const recentByUser = new Map<string, ReadonlyArray<RecentMessage>>()

  const detectFlood = (message: ModeratedMessage, text: string, now: number): ReadonlyArray<string> => {
    const key = `${message.kind} ${message.conversationId} ${message.userId}`
    const previous = (recentByUser.get(key) ?? []).filter(
      ({ at, id }) => Math.abs(now - at) < window * 6 && id !== message.id,
    )
    const sent = [...previous, { id: message.id, at: now, text }].slice(-Math.max(floodThreshold, repeatThreshold) * 2)
    recentByUser.delete(key)
    recentByUser.set(key, sent)
    const oldest = recentByUser.keys().next()
    if (recentByUser.size > maxTrackedUsers && oldest.done !== true) recentByUser.delete(oldest.value)
    return [
      ...(sent.filter(({ at }) => Math.abs(now - at) < window).length >= floodThreshold ? ["flood"] : []),
      // Short answers are the same as everybody's.
      ...(text.length > 3 && sent.filter((one) => one.text === text).length >= repeatThreshold ? ["repeated"] : []),
    ]
  }

  return {
    check: (message) =>
      Effect.map(Clock.currentTimeMillis, (clock) => {
        // A backlog comes at once and is no flood: what counts is when it was written.
        const now = message.writtenAtMillis ?? clock
        const tokens = tokenize(message.content)
        const tokenizations = [tokens, tokenize(message.content, true)]
        const linkedDomains = findLinkedDomains(message.content).filter(
          (site) => !allowedDomains.some((one) => site === one || site.endsWith(`.${one}`)),
        )
        const floodReasons = detectFlood(message, tokens.join(" "), now)
        const removeReasons = [
          ...(tokenizations.some(isBlocked) ? ["word"] : []),
          ...(options.linkAction === "remove" && linkedDomains.length > 0 ? ["link"] : []),
          ...(options.floodAction === "remove" ? floodReasons : []),
        ]
        const reviewReasons = [
          ...(options.floodAction === "remove" ? [] : floodReasons),
          ...(tokenizations.some(needsReview) ? ["word"] : []),
          ...(options.linkAction === "review" && linkedDomains.length > 0 ? ["link"] : []),
        ]
        const reasons = [...new Set([...removeReasons, ...reviewReasons])]
        return reasons.length === 0 ? undefined : { action: removeReasons.length > 0 ? "remove" : "review", reasons }
      }),
  }
}

/**
 * Folded words; letters written apart (`b a d`, `b.a.d`) are one word. A `plain` reading takes signs around a word as
 * signs (`¡bad!`, `$bad`), and `a` and `I` as words of their own (`a b a d`).
 */
const tokenize = (content: string, plain = false): ReadonlyArray<string> => {
  const parts = foldConfusables(content)
    .split(/[^\p{L}\p{N}@$!|€£¡]+/u)
    .filter((part) => part !== "")
  const tokens: Array<string> = []
  let letters = ""
  for (const raw of [...parts, ""]) {
    const part = plain ? raw.replace(/^[@$!|€£¡]+|[@$!|€£¡]+$/gu, "") : raw
    if (plain && part === "" && raw !== "") continue
    if ([...part].length === 1) {
      if (plain && letters === "" && /^[ai]$/.test(part)) tokens.push(part)
      else letters += part
      continue
    }
    if (letters !== "") tokens.push(foldLeetspeak(letters))
    letters = ""
    // A sign at the end ends a sentence.
    if (part !== "") tokens.push(foldLeetspeak(part.replace(/[!|¡]+$/u, "") || part))
  }
  return tokens
}

/** `baaad` is `bad`, but `god` is not `good`: a letter may stand more often than on the list, never less. */
const stretchedPattern = (word: string, isPrefix: boolean): RegExp => {
  const runs = [...word.matchAll(/(.)\1*/gu)].map(
    ([run, letter = ""]) => `${escapeRegExp(letter)}{${[...run].length},}`,
  )
  return new RegExp(`^${runs.join("")}${isPrefix ? "" : "$"}`, "u")
}

const escapeRegExp = (letter: string): string => letter.replace(/[$()*+.?[\\\]^{|}/]/, "\\$&")

const wordMatcher = (entries: ReadonlyArray<string>): ((tokens: ReadonlyArray<string>) => boolean) => {
  const patterns = entries
    .map((entry) => {
      const isPrefix = entry.trim().endsWith("*")
      const words = tokenize(entry.trim().replace(/\*$/, ""))
      return words.map((word, index) => stretchedPattern(word, isPrefix && index === words.length - 1))
    })
    .filter((words) => words.length > 0)
  return (tokens) =>
    patterns.some((words) =>
      tokens.some((_, from) =>
        words.every((word, index) => {
          const token = tokens[from + index]
          return token !== undefined && word.test(token)
        }),
      ),
    )
}

/** Hosts of what a client would make a link of, with or without `https://`. */
const findLinkedDomains = (content: string): ReadonlyArray<string> =>
  [
    ...content
      .normalize("NFKC")
      .toLowerCase()
      .matchAll(
        /(?:https?:\/\/(?:[^\s/?#]*@)?|www\.)([\p{L}\p{N}.-]+)|\b((?:[\p{L}\p{N}-]+\.)+(?:com|net|org|io|ru|info|biz|xyz|link|shop|top|me|tv|gg|ly|co|be|de|fr|uk|eu|app|dev|site|online|store|live|click|cc))\b/gu,
      ),
  ].map((match) => (match[1] ?? match[2] ?? "").replace(/^www\.|\.+$/g, ""))
