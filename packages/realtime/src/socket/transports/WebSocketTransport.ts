/** One WebSocket. What goes out goes past `ws`, see `Outbound`; what comes in, and the closing, is its business. */
import type { RawData, WebSocket } from "ws"
import { type Flusher, SocketWriter, type WriterOwner, type WritableSocket } from "../SocketWriter.ts"
import type { StateSnapshot, OutgoingFrame } from "../OutgoingFrame.ts"
import type { CloseCode } from "../../protocol/CloseCode.ts"
import type { Receiver, Transport } from "./Transport.ts"

export class WebSocketTransport implements Transport, WriterOwner {
  readonly #ws: WebSocket
  readonly #writer: SocketWriter
  #receiver: Receiver | undefined

  constructor(ws: WebSocket, wire: WritableSocket, flusher: Flusher, maxQueuedBytes: number) {
    this.#ws = ws
    this.#writer = new SocketWriter(wire, flusher, maxQueuedBytes, this)
  }

  attach(receiver: Receiver): void {
    this.#receiver = receiver
    const ws = this.#ws
    ws.on("message", (data, isBinary) => receiver.receive(toBuffer(data), isBinary))
    // `ws` closes by itself with the right code (1002, 1007, 1009); without a listener the error would be thrown.
    ws.on("error", () => this.#writer.discard())
    ws.on("close", () => receiver.onClosed())
    if (ws.readyState === ws.CLOSED) receiver.onClosed()
  }

  send(frame: OutgoingFrame): void {
    this.#writer.push(frame)
  }

  onOverflow(): void {
    this.#receiver?.onOverflow()
  }

  snapshotFrame(snapshot: StateSnapshot): OutgoingFrame | undefined {
    return this.#receiver?.snapshotFrame(snapshot)
  }

  pause(): void {
    this.#ws.pause()
  }

  resume(): void {
    this.#ws.resume()
  }

  /** The connection is cut after the close timeout, which `ws` keeps. */
  close({ code, reason }: CloseCode): void {
    this.#writer.flush()
    this.#writer.discard()
    this.#ws.close(code, reason)
  }

  sweep(): void {}
}

/** With the default `binaryType` a message is one buffer; the other forms are there for the type's sake. */
const toBuffer = (data: RawData): Buffer =>
  Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
