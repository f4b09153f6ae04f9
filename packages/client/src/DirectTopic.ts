const escapeId = (id: string): string => id.replaceAll("%", "%25").replaceAll(":", "%3A")

/** By code point, which is the order of UTF-8 bytes in which other languages sort. */
const isBefore = (one: string, other: string): boolean => {
  const [a, b] = [Array.from(one), Array.from(other)]
  const at = a.findIndex((character, index) => character !== b[index])
  return at === -1 ? a.length < b.length : (a[at]?.codePointAt(0) ?? 0) < (b[at]?.codePointAt(0) ?? -1)
}

/** The topic of the direct messages of two users: `dm:{a}:{b}` with their ids in ascending order. */
export const directTopic = (one: string, other: string): `dm:${string}` => {
  const [first, second] = isBefore(one, other) ? [one, other] : [other, one]
  return `dm:${escapeId(first)}:${escapeId(second)}`
}
