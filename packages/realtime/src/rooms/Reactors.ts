/**
 * Who reacted to a message, as its stored entry has it: for each emoji the users as one text of hashes with 8 characters each.
 * Clients receive counts, so the ids themselves are not stored; 48 bits of a hash identify a user within one message.
 */
import { sha256 } from "@armoricore/domain/DeterministicId"

export type Reactors = Readonly<Record<string, string>>

const hashLength = 8

/** `constructor` and `__proto__` are emojis like any other text: only own properties count. */
const hashesOf = (reactors: Reactors, emoji: string): string =>
  Object.hasOwn(reactors, emoji) ? (reactors[emoji] ?? "") : ""

export const maxEmojis = 20
/** Reactions of a message together. Their entry stays below the size limit of the history. */
export const maxReactions = 20_000

const hashOf = (userId: string): string =>
  Buffer.from(sha256(userId).slice(0, (hashLength * 6) / 4), "hex").toString("base64url")

const indexOf = (hashes: string, hash: string): number => {
  for (let index = hashes.indexOf(hash); index !== -1; index = hashes.indexOf(hash, index + 1))
    if (index % hashLength === 0) return index
  return -1
}

/** By emoji, in the order of the first reaction. */
export const counts = (reactors: Reactors = {}): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(reactors).map(([emoji, hashes]) => [emoji, hashes.length / hashLength]))

/** The emojis with which the user reacted. */
export const own = (reactors: Reactors | undefined, userId: string): ReadonlyArray<string> => {
  if (reactors === undefined) return []
  const hash = hashOf(userId)
  return Object.keys(reactors).filter((emoji) => indexOf(hashesOf(reactors, emoji), hash) !== -1)
}

/** `full`: the message has its most emojis or reactions. The same value if nothing changes. */
export const add = (reactors: Reactors, emoji: string, userId: string): Reactors | "full" => {
  const hashes = hashesOf(reactors, emoji)
  const hash = hashOf(userId)
  if (indexOf(hashes, hash) !== -1) return reactors
  const total = Object.values(reactors).reduce((sum, { length }) => sum + length / hashLength, 0)
  if (total >= maxReactions) return "full"
  if (hashes === "" && Object.keys(reactors).length >= maxEmojis) return "full"
  return { ...reactors, [emoji]: hashes + hash }
}

/** The same value if nothing changes. */
export const remove = (reactors: Reactors, emoji: string, userId: string): Reactors => {
  const hashes = hashesOf(reactors, emoji)
  const index = indexOf(hashes, hashOf(userId))
  if (index === -1) return reactors
  const rest = hashes.slice(0, index) + hashes.slice(index + hashLength)
  if (rest !== "") return { ...reactors, [emoji]: rest }
  const { [emoji]: _, ...others } = reactors
  return others
}
