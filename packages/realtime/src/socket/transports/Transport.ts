/** A transport carries the messages of one socket: a WebSocket or a long-poll session. */
import type { StateSnapshot, OutgoingFrame } from "../OutgoingFrame.ts"
import type { CloseCode } from "../../protocol/CloseCode.ts"

export interface Transport {
  /** Called once, before the first message can arrive. */
  readonly attach: (receiver: Receiver) => void
  /** Queues a frame; the queue is bounded, see `FrameQueue`. */
  readonly send: (frame: OutgoingFrame) => void
  /** Queues a frame before the others if the client reads slowly. */
  readonly sendFirst: (frame: OutgoingFrame) => void
  /** Sends a ping behind the queued frames; `onPong` follows once the client has read them. Absent for long poll. */
  readonly ping?: () => void
  readonly queuedBytes: number
  /** Bytes that left the queue since the connection opened. */
  readonly takenBytes: number
  /** Calls the listener once, as soon as at most `below` bytes are queued. Replaces an earlier listener. */
  readonly onceBelow: (below: number, listener: () => void) => void
  /** Stops reading from the client until `resume`. */
  readonly pause: () => void
  readonly resume: () => void
  /** Sends queued frames as far as the client reads them, then closes. `onClosed` follows within the close timeout. */
  readonly close: (closeCode: CloseCode) => void
  /** Called periodically; `now` is monotonic time. */
  readonly sweep: (now: number) => void
}

/** The socket, as its transport calls it. */
export interface Receiver {
  readonly receive: (bytes: Buffer, isBinary: boolean) => void
  /** The client is alive but sent no message. */
  readonly onActivity: () => void
  readonly onPong: () => void
  /** Messages of a topic with a history were dropped, because the client reads slowly; it must join the topic again. */
  readonly onMissed: (topic: string) => void
  /** The client stopped reading and its queue was discarded; the socket must close. */
  readonly onOverflow: () => void
  /** The snapshot as a frame; `undefined` if its topic is no longer joined. */
  readonly snapshotFrame: (snapshot: StateSnapshot) => OutgoingFrame | undefined
  /** The connection closed, for any reason. Called once. */
  readonly onClosed: () => void
}
