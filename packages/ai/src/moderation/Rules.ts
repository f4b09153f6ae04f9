/**
 * Moderation by rules, on the spot and without a network: words, links, floods. There is no list of words by default;
 * what hurts depends on who talks.
 *
 * Floods are counted in this process: with several workers each sees its share, so the limits then are looser.
 */
import { Clock, Duration, Effect } from "effect"
import { fold, foldSigns } from "./Confusables.ts"
import type { Message, Verdict } from "./Verdict.ts"

export interface Options {
  /** Words and phrases that are removed; `*` at the end stands for any ending. */
  readonly words?: ReadonlyArray<string>
  /** Those that a person should look at. */
  readonly reviewWords?: ReadonlyArray<string>
  /** What becomes of messages with links. Default `allow`. */
  readonly links?: "allow" | "review" | "remove"
  /** Sites that may be linked to anyway, with all their subdomains. */
  readonly allowedSites?: ReadonlyArray<string>
  /** So many messages of one user in one place within `floodWindow` are a flood. Default 10 in 5 s. */
  readonly floodMessages?: number
  readonly floodWindow?: Duration.Duration
  /** What becomes of a flood. Default `review`: what a quick writer wrote is not taken away unseen. */
  readonly floodAction?: "review" | "remove"
  /** So many times the same text within six windows. Default 4. */
  readonly repeats?: number
}

export interface Rules {
  /** Undefined: nothing against it. Looking at the same message again changes nothing. */
  readonly check: (message: Message) => Effect.Effect<Verdict | undefined>
}

/** Users who are remembered for floods; the ones silent for longest are forgotten first. */
const remembered = 10_000

interface Sent {
  readonly id: string
  readonly at: number
  readonly text: string
}

export const make = (options: Options = {}): Rules => {
  const remove = matcher(options.words ?? [])
  const review = matcher(options.reviewWords ?? [])
  const window = Duration.toMillis(options.floodWindow ?? Duration.seconds(5))
  const most = options.floodMessages ?? 10
  const repeats = options.repeats ?? 4
  const allowed = (options.allowedSites ?? []).map((site) => site.toLowerCase())
  const recent = new Map<string, ReadonlyArray<Sent>>()

  const floods = (message: Message, text: string, now: number): ReadonlyArray<string> => {
    const key = `${message.kind} ${message.place} ${message.userId}`
    const before = (recent.get(key) ?? []).filter(({ at, id }) => Math.abs(now - at) < window * 6 && id !== message.id)
    const sent = [...before, { id: message.id, at: now, text }].slice(-Math.max(most, repeats) * 2)
    recent.delete(key)
    recent.set(key, sent)
    const oldest = recent.keys().next()
    if (recent.size > remembered && oldest.done !== true) recent.delete(oldest.value)
    return [
      ...(sent.filter(({ at }) => Math.abs(now - at) < window).length >= most ? ["flood"] : []),
      // Short answers are the same as everybody's.
      ...(text.length > 3 && sent.filter((one) => one.text === text).length >= repeats ? ["repeated"] : []),
    ]
  }

  return {
    check: (message) =>
      Effect.map(Clock.currentTimeMillis, (clock) => {
        // A backlog comes at once and is no flood: what counts is when it was written.
        const now = message.at ?? clock
        const tokens = tokensOf(message.content)
        const readings = [tokens, tokensOf(message.content, true)]
        const links = sitesIn(message.content).filter(
          (site) => !allowed.some((one) => site === one || site.endsWith(`.${one}`)),
        )
        const flooding = floods(message, tokens.join(" "), now)
        const removing = [
          ...(readings.some(remove) ? ["word"] : []),
          ...(options.links === "remove" && links.length > 0 ? ["link"] : []),
          ...(options.floodAction === "remove" ? flooding : []),
        ]
        const reviewing = [
          ...(options.floodAction === "remove" ? [] : flooding),
          ...(readings.some(review) ? ["word"] : []),
          ...(options.links === "review" && links.length > 0 ? ["link"] : []),
        ]
        const reasons = [...new Set([...removing, ...reviewing])]
        return reasons.length === 0 ? undefined : { action: removing.length > 0 ? "remove" : "review", reasons }
      }),
  }
}

/**
 * Folded words; letters written apart (`b a d`, `b.a.d`) are one word. A `plain` reading takes signs around a word as
 * signs (`¡bad!`, `$bad`), and `a` and `I` as words of their own (`a b a d`).
 */
const tokensOf = (content: string, plain = false): ReadonlyArray<string> => {
  const parts = fold(content)
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
    if (letters !== "") tokens.push(foldSigns(letters))
    letters = ""
    // A sign at the end ends a sentence.
    if (part !== "") tokens.push(foldSigns(part.replace(/[!|¡]+$/u, "") || part))
  }
  return tokens
}

/** `baaad` is `bad`, but `god` is not `good`: a letter may stand more often than on the list, never less. */
const drawnOut = (word: string, open: boolean): RegExp => {
  const runs = [...word.matchAll(/(.)\1*/gu)].map(([run, letter = ""]) => `${escape(letter)}{${[...run].length},}`)
  return new RegExp(`^${runs.join("")}${open ? "" : "$"}`, "u")
}

const escape = (letter: string): string => letter.replace(/[$()*+.?[\\\]^{|}/]/, "\\$&")

const matcher = (entries: ReadonlyArray<string>): ((tokens: ReadonlyArray<string>) => boolean) => {
  const wanted = entries
    .map((entry) => {
      const open = entry.trim().endsWith("*")
      const words = tokensOf(entry.trim().replace(/\*$/, ""))
      return words.map((word, index) => drawnOut(word, open && index === words.length - 1))
    })
    .filter((words) => words.length > 0)
  return (said) =>
    wanted.some((words) =>
      said.some((_, from) =>
        words.every((word, index) => {
          const token = said[from + index]
          return token !== undefined && word.test(token)
        }),
      ),
    )
}

/** Hosts of what a client would make a link of, with or without `https://`. */
const sitesIn = (content: string): ReadonlyArray<string> =>
  [
    ...content
      .normalize("NFKC")
      .toLowerCase()
      .matchAll(
        /(?:https?:\/\/(?:[^\s/?#]*@)?|www\.)([\p{L}\p{N}.-]+)|\b((?:[\p{L}\p{N}-]+\.)+(?:com|net|org|io|ru|info|biz|xyz|link|shop|top|me|tv|gg|ly|co|be|de|fr|uk|eu|app|dev|site|online|store|live|click|cc))\b/gu,
      ),
  ].map((match) => (match[1] ?? match[2] ?? "").replace(/^www\.|\.+$/g, ""))
