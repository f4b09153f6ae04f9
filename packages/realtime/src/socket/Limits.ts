/** What the endpoint takes and gives, with the values that hold where nothing else is said (settings: `REALTIME_…`). */
import { Duration } from "effect"

/** So many a second in the long run, and `burst` at once. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

export interface Limits {
  /** Sockets of one user, over all nodes as `SharedUsage` knows them; one more is refused with 429. */
  readonly maxSocketsPerUser: number
  /** Sockets of one address (IPv6: one /64) on this node; one more is refused with 429. */
  readonly maxSocketsPerAddress: number
  /** Messages of one user over all sockets, and over all nodes in the long run; more are answered with `rate_limit`. */
  readonly userMessages: Rate
  /** Joins of one user; more are answered with `rate_limit`. A socket that comes back joins all its topics at once. */
  readonly userJoins: Rate
  /** Joins of one address. */
  readonly addressJoins: Rate
  /** Answers with `rate_limit` within a sweep, after which the socket is not read until the next sweep. */
  readonly maxRateLimitReplies: number
  /** Topics a socket may have joined at once. */
  readonly maxTopics: number
  /** A message over this is answered with `too_large`, in bytes. */
  readonly maxMessageBytes: number
  /** A frame over this closes the socket (1009), in bytes. */
  readonly maxFrameBytes: number
  /** What may wait for a slow reader before its socket is closed (4008), in bytes. */
  readonly maxQueuedBytes: number
  /** Messages of one socket that wait for its channels before no more are read from it. */
  readonly maxPendingMessages: number
  /** A socket that was not heard for so long is closed (1002). Clients send a heartbeat every 30 s. */
  readonly idleTimeout: Duration.Duration
  /** How often idle sockets and ended tokens are looked for. */
  readonly sweepInterval: Duration.Duration
  /** A long poll without messages is answered after this. */
  readonly pollWindow: Duration.Duration
  /** A long-poll session that asks for nothing for so long is over. */
  readonly pollTimeout: Duration.Duration
  /** How long a client may take to answer a close before its connection is cut. */
  readonly closeTimeout: Duration.Duration
  /** Over how long sockets are closed at shutdown: clients reconnect within milliseconds, so they are let go bit by bit. */
  readonly drainDuration: Duration.Duration
}

export const defaults: Limits = {
  maxSocketsPerUser: 100,
  maxSocketsPerAddress: 10_000,
  userMessages: { perSecond: 100, burst: 1000 },
  userJoins: { perSecond: 50, burst: 500 },
  addressJoins: { perSecond: 2000, burst: 40_000 },
  maxRateLimitReplies: 256,
  maxTopics: 100,
  maxMessageBytes: 65_536,
  maxFrameBytes: 1_048_576,
  maxQueuedBytes: 1_048_576,
  maxPendingMessages: 256,
  idleTimeout: Duration.seconds(60),
  sweepInterval: Duration.seconds(1),
  pollWindow: Duration.seconds(10),
  pollTimeout: Duration.seconds(15),
  closeTimeout: Duration.seconds(5),
  drainDuration: Duration.seconds(5),
}

/** Payloads nested deeper are refused: walking them costs stack. */
export const maxDepth = 64

/** Deeper than that many levels of objects and lists. */
export const isTooDeep = (value: unknown, left: number): boolean => {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return false
  if (left === 0) return true
  for (const child of Object.values(value)) if (isTooDeep(child, left - 1)) return true
  return false
}
