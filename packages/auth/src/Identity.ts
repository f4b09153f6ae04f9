/**
 * Who a token speaks for, and what it may do. Roles that Armoricore itself asks about: `publisher` (may POST events),
 * `operator` (sees everything), `guest` (may join and read). Everybody else is a plain user.
 */

export interface Identity {
  readonly userId: string
  readonly roles: ReadonlyArray<string>
  /** Topic patterns the token is limited to, such as `chat:room:*`; absent: not limited. */
  readonly channels?: ReadonlyArray<string>
  /** When the token ends, epoch milliseconds. */
  readonly expiresAt: number
  /** When it was made, epoch milliseconds; absent where the token does not say. */
  readonly issuedAt?: number
  /** The token's own id (`jti`), where it has one. */
  readonly tokenId?: string
}

export const hasRole = (identity: Identity, role: string): boolean => identity.roles.includes(role)

/** Whether the token's `channels` claim admits this topic. `*` stands for any text. */
export const allowsTopic = (identity: Identity, topic: string): boolean =>
  identity.channels === undefined || identity.channels.some((pattern) => matches(pattern, topic))

/** Walks the pieces between the stars: no regular expression is ever made from a claim. */
const matches = (pattern: string, topic: string): boolean => {
  const [head = "", ...rest] = pattern.split("*")
  const tail = rest.pop()
  if (tail === undefined) return pattern === topic
  if (!topic.startsWith(head) || !topic.endsWith(tail) || topic.length < head.length + tail.length) return false
  let at = head.length
  const end = topic.length - tail.length
  for (const piece of rest) {
    const found = topic.indexOf(piece, at)
    if (found === -1 || found + piece.length > end) return false
    at = found + piece.length
  }
  return true
}
