/**
 * Matches subjects against patterns: tokens are separated by dots, `*` stands for one token, a final `>` for one or
 * more.
 */
import type { ConsumerOptions } from "./EventBus.ts"
import { type Address, prefixes, subject } from "./Address.ts"

export const allEvents = `${prefixes.event}>`

/** The subject, or subject pattern, of an address or of `all-events`. */
export const pattern = (from: Address | "all-events"): string => (from === "all-events" ? allEvents : subject(from))

export const matcher = (wanted: string): ((subject: string) => boolean) => {
  const tokens = wanted.split(".")
  if (!tokens.includes("*") && tokens.at(-1) !== ">") return (candidate) => candidate === wanted
  return (candidate) => {
    const parts = candidate.split(".")
    for (const [index, token] of tokens.entries()) {
      if (token === ">") return parts.length > index
      if (index >= parts.length || (token !== "*" && token !== parts[index])) return false
    }
    return parts.length === tokens.length
  }
}

export const isConsumerName = (name: ConsumerOptions["name"]): boolean => /^[a-z0-9-]{1,128}$/.test(name)
