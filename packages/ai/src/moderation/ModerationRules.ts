/**
 * Moderation by local rules: words, links, floods. The default word list is empty, because it depends on the community.
 *
 * Each process counts floods on its own: several workers see only a part of the messages, so the limits are looser.
 */
import { Clock, Duration, Effect } from "effect"
import { foldConfusables, foldLeetspeak } from "./Confusables.ts"
import type { ModeratedMessage, Verdict } from "./Verdict.ts"

export interface Options {
  /** Messages with these words and phrases are removed. A `*` at the end matches any ending. */
  readonly blockedWords?: ReadonlyArray<string>
  /** Messages with these words and phrases need a review. */
  readonly reviewWords?: ReadonlyArray<string>
  /** The action for messages with links. Default `allow`. */
  readonly linkAction?: "allow" | "review" | "remove"
  /** Links to these domains and their subdomains are always allowed. */
  readonly allowedDomains?: ReadonlyArray<string>
  /** This many messages of one user in one room within `floodWindow` are a flood. Default 10 in 5 s. */
  readonly floodThreshold?: number
  readonly floodWindow?: Duration.Duration
  /** Default `review`: a fast writer does not lose messages without a review. */
  readonly floodAction?: "review" | "remove"
  /** The same text this many times within six windows is `repeated`. Default 4. */
  readonly repeatThreshold?: number
}

export interface ModerationRules {
  /** Undefined: the message is acceptable. Idempotent for one message id. */
  readonly check: (message: ModeratedMessage) => Effect.Effect<Verdict | undefined>
}

/** Flood detection remembers this many users, least recently active ones are dropped first. */
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
  const allowedDomains = (options.allowedDomains ?? []).map((domain) => domain.toLowerCase())
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
      // Short replies such as `yes` repeat in normal conversations.
      ...(text.length > 3 && sent.filter((recent) => recent.text === text).length >= repeatThreshold
        ? ["repeated"]
        : []),
    ]
  }

  return {
    check: (message) =>
      Effect.map(Clock.currentTimeMillis, (clock) => {
        // A backlog arrives at once and is no flood, so the time of writing counts.
        const now = message.writtenAtMillis ?? clock
        const tokens = tokenize(message.content)
        const tokenizations = [tokens, tokenize(message.content, true)]
        const linkedDomains = findLinkedDomains(message.content).filter(
          (domain) => !allowedDomains.some((allowed) => domain === allowed || domain.endsWith(`.${allowed}`)),
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
 * Folded words. Separated letters (`b a d`, `b.a.d`) are one word. With `plain`, symbols around a word are not letters
 * (`¡bad!`, `$bad`), and `a` and `I` are words (`a b a d`).
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
    // A symbol at the end is punctuation.
    if (part !== "") tokens.push(foldLeetspeak(part.replace(/[!|¡]+$/u, "") || part))
  }
  return tokens
}

/** `baaad` matches `bad`, but `god` does not match `good`: a letter may repeat more often than in the list, not less. */
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

/** The hosts of all texts that a client would render as a link, with or without `https://`. */
const findLinkedDomains = (content: string): ReadonlyArray<string> =>
  [
    ...content
      .normalize("NFKC")
      .toLowerCase()
      .matchAll(
        /(?:https?:\/\/(?:[^\s/?#]*@)?|www\.)([\p{L}\p{N}.-]+)|\b((?:[\p{L}\p{N}-]+\.)+(?:com|net|org|io|ru|info|biz|xyz|link|shop|top|me|tv|gg|ly|co|be|de|fr|uk|eu|app|dev|site|online|store|live|click|cc))\b/gu,
      ),
  ].map((match) => (match[1] ?? match[2] ?? "").replace(/^www\.|\.+$/g, ""))
