/**
 * The identity that a token proves. Armoricore checks these roles: `publisher` (may POST events), `operator` (sees
 * everything), `moderator` (edits and deletes messages of others) and `guest` (may join and read). All other users have no
 * special rights.
 */

export interface Identity {
  readonly userId: string
  readonly roles: ReadonlyArray<string>
  /** Topic patterns that the token is limited to, such as `chat:room:*`; absent: all topics. */
  readonly channels?: ReadonlyArray<string>
  /**
   * When the identity ends, epoch milliseconds: `exp`. A token that is accepted after its `exp`, within the leeway, ends with
   * the leeway.
   */
  readonly expiresAt: number
  /** Issue time (`iat`), epoch milliseconds. */
  readonly issuedAt?: number
  /** The token id (`jti`). */
  readonly tokenId?: string
}

/** The roles that Armoricore checks. Tokens of a backend may contain others. */
export const builtInRoles = ["publisher", "operator", "moderator", "guest"] as const

export const hasRole = (identity: Identity, role: string): boolean => identity.roles.includes(role)

/** Whether the token's `channels` claim allows this topic. `*` matches any text. */
export const allowsTopic = (identity: Identity, topic: string): boolean =>
  identity.channels === undefined || identity.channels.some((pattern) => matchesTopic(pattern, topic))

/** `*` in the pattern matches any text. Compares literal pieces, so that a claim never becomes a regular expression. */
export const matchesTopic = (pattern: string, topic: string): boolean => {
  const [head = "", ...rest] = pattern.split("*")
  const tail = rest.pop()
  if (tail === undefined) return pattern === topic
  if (!topic.startsWith(head) || !topic.endsWith(tail) || topic.length < head.length + tail.length) return false
  let position = head.length
  const end = topic.length - tail.length
  for (const piece of rest) {
    const index = topic.indexOf(piece, position)
    if (index === -1 || index + piece.length > end) return false
    position = index + piece.length
  }
  return true
}
