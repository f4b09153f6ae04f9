/** The limits of the endpoint with their defaults (settings: `REALTIME_…`). */
import { Duration } from "effect"

/** A sustained rate, and the burst that may exceed it. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

export interface Limits {
  /** Sockets of one user over all nodes, as `ClusterRateLimits` counts them; more are rejected with 429. */
  readonly maxSocketsPerUser: number
  /** Sockets of one address (IPv6: one /64) on this node; more are rejected with 429. */
  readonly maxSocketsPerAddress: number
  /** Messages of one user over all sockets and, after a short delay, all nodes; more receive `rate_limit`. */
  readonly userMessages: Rate
  /**
   * Joins of one user; more receive `rate_limit`. The burst covers a reconnect, which joins all topics again at once.
   */
  readonly userJoins: Rate
  /** Joins of one address. */
  readonly addressJoins: Rate
  /**
   * Replies `rate_limit` of one socket between two sweeps; at this number the socket is not read until the next sweep.
   */
  readonly maxRateLimitReplies: number
  /** Topics that one socket may join. */
  readonly maxTopics: number
  /** The largest message in bytes; a larger one receives `too_large`. */
  readonly maxMessageBytes: number
  /** The largest WebSocket frame in bytes; a larger one closes the socket (1009). */
  readonly maxFrameBytes: number
  /**
   * The most bytes that are queued for a client that reads slowly. Beyond it, the client misses droppable messages and
   * joins topics with a history again; where that is not possible, its socket is closed (4008).
   */
  readonly maxQueuedBytes: number
  /** A socket whose queue was full is closed (4008) if the client reads nothing for this long. */
  readonly stallTimeout: Duration.Duration
  /** Messages of one socket that may wait for a reply; at this number the socket is not read until half are done. */
  readonly maxPendingMessages: number
  /**
   * A socket that receives no frame for this long, not even a ping, is closed (1002). Clients send a heartbeat every 30 s:
   * one lost heartbeat and a delay are tolerated.
   */
  readonly idleTimeout: Duration.Duration
  /** The interval of the sweep, which closes idle sockets and sockets with an expired token. */
  readonly sweepInterval: Duration.Duration
  /** A long poll without messages ends after this time. */
  readonly pollWindow: Duration.Duration
  /** A long-poll session without a poll for this long ends. */
  readonly pollTimeout: Duration.Duration
  /** How long the server waits for the client's close frame before it destroys the connection. */
  readonly closeTimeout: Duration.Duration
  /** The time over which a shutdown closes all sockets, in batches, because clients reconnect within milliseconds. */
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
  stallTimeout: Duration.seconds(10),
  maxPendingMessages: 256,
  idleTimeout: Duration.seconds(75),
  sweepInterval: Duration.seconds(1),
  pollWindow: Duration.seconds(10),
  pollTimeout: Duration.seconds(15),
  closeTimeout: Duration.seconds(5),
  drainDuration: Duration.seconds(5),
}

/** A payload that is nested deeper is rejected, because decoders recurse. */
export const maxDepth = 64

/** Whether `value` has more than `maxLevels` nested objects and arrays. */
export const isTooDeep = (value: unknown, maxLevels: number): boolean => {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return false
  if (maxLevels === 0) return true
  for (const child of Object.values(value)) if (isTooDeep(child, maxLevels - 1)) return true
  return false
}
