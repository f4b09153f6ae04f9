/**
 * The topic of the direct messages of two users: `dm:{a}:{b}` with their ids in ascending order of code points, so that
 * both use the same topic. In an id, `%` is written as `%25` and `:` as `%3A`; all other characters stand as they are.
 */

const prefix = "dm:"

const escapeId = (id: string): string => id.replaceAll("%", "%25").replaceAll(":", "%3A")
const unescapeId = (text: string): string => text.replaceAll(/%3A/gi, ":").replaceAll("%25", "%")

/** By code point, which is the order of UTF-8 bytes in which other languages sort. */
const isBefore = (one: string, other: string): boolean => {
  const [a, b] = [Array.from(one), Array.from(other)]
  const at = a.findIndex((character, index) => character !== b[index])
  return at === -1 ? a.length < b.length : (a[at]?.codePointAt(0) ?? 0) < (b[at]?.codePointAt(0) ?? -1)
}

export const directTopic = (one: string, other: string): string => {
  const [first, second] = isBefore(one, other) ? [one, other] : [other, one]
  return `${prefix}${escapeId(first)}:${escapeId(second)}`
}

/** The two ids; `undefined` for a topic of another form. */
const idsIn = (topic: string): readonly [string, string] | undefined => {
  if (!topic.startsWith(prefix)) return undefined
  const [first = "", second = "", ...rest] = topic.slice(prefix.length).split(":")
  return first === "" || second === "" || rest.length > 0 ? undefined : [unescapeId(first), unescapeId(second)]
}

/** The two users; `undefined` unless {@link directTopic} returns this topic for them. */
export const usersOfDirectTopic = (topic: string): readonly [string, string] | undefined => {
  const ids = idsIn(topic)
  return ids !== undefined && directTopic(...ids) === topic ? ids : undefined
}

export const isDirectTopic = (text: string): boolean => usersOfDirectTopic(text) !== undefined
