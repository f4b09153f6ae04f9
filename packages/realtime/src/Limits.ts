/** What the endpoint takes and gives, with the values that hold where nothing else is said. */
import { Duration } from "effect"

export interface Limits {
  /** Topics a socket may have joined at once. */
  readonly maxTopics: number
  /** A message over this is answered with `too_large`, in bytes. */
  readonly maxMessageBytes: number
  /** A frame over this closes the socket (1009), in bytes. */
  readonly maxFrameBytes: number
  /** What may wait for a slow reader before its socket is closed (4008), in bytes. */
  readonly maxQueuedBytes: number
  /** Messages of one socket that wait for its channels before no more are read from it. */
  readonly maxWaiting: number
  /** A socket that was not heard for so long is closed (1002). Clients send a heartbeat every 30 s. */
  readonly idleTimeout: Duration.Duration
  /** How often idle sockets and ended tokens are looked for. */
  readonly sweepEvery: Duration.Duration
  /** How long a client may take to answer a close before its connection is cut. */
  readonly closeTimeout: Duration.Duration
  /** Over how long sockets are closed at shutdown: clients reconnect within milliseconds, so they are let go bit by bit. */
  readonly drainOver: Duration.Duration
}

export const defaults: Limits = {
  maxTopics: 100,
  maxMessageBytes: 65_536,
  maxFrameBytes: 1_048_576,
  maxQueuedBytes: 1_048_576,
  maxWaiting: 256,
  idleTimeout: Duration.seconds(60),
  sweepEvery: Duration.seconds(1),
  closeTimeout: Duration.seconds(5),
  drainOver: Duration.seconds(5),
}

/** Payloads nested deeper are refused: walking them costs stack. */
export const maxDepth = 64
