/** What carries one socket's messages: a WebSocket, or a long-poll session. The socket knows nothing else of it. */
import type { StateSnapshot, OutgoingFrame } from "../OutgoingFrame.ts"
import type { CloseCode } from "../../protocol/CloseCode.ts"

export interface Transport {
  /** Called once, before anything can come. */
  readonly attach: (receiver: Receiver) => void
  /** Queued, and bounded: see `FrameQueue`. */
  readonly send: (frame: OutgoingFrame) => void
  /** No more is read from the client until `resume`. */
  readonly pause: () => void
  readonly resume: () => void
  /** What is queued goes out first, as far as the client takes it. `gone` follows, within the close timeout. */
  readonly close: (why: CloseCode) => void
  /** Called now and then. */
  readonly sweep: (now: number) => void
}

export interface Receiver {
  readonly receive: (bytes: Buffer, isBinary: boolean) => void
  /** A sign of life without a message. */
  readonly onActivity: () => void
  /** The client reads too slowly and its queue is given up: close. */
  readonly onOverflow: () => void
  /** What is owed after changes were dropped, as a frame; `undefined`: its topic is not joined any more. */
  readonly snapshotFrame: (snapshot: StateSnapshot) => OutgoingFrame | undefined
  /** The connection is over, however it ended. Called once. */
  readonly onClosed: () => void
}
