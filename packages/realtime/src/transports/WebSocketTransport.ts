/** One WebSocket. What goes out goes past `ws`, see `Outbound`; what comes in, and the closing, is its business. */
import type { RawData, WebSocket } from "ws"
import { type Flusher, Outbound, type Owner, type Wire } from "../Outbound.ts"
import type { Latest, OutgoingFrame } from "../OutgoingFrame.ts"
import type { CloseCode } from "../protocol/CloseCode.ts"
import type { Receiver, Transport } from "../Transport.ts"

export class WebSocketTransport implements Transport, Owner {
  readonly #ws: WebSocket
  readonly #outbound: Outbound
  #receiver: Receiver | undefined

  constructor(ws: WebSocket, wire: Wire, flusher: Flusher, maxQueuedBytes: number) {
    this.#ws = ws
    this.#outbound = new Outbound(wire, flusher, maxQueuedBytes, this)
  }

  attach(receiver: Receiver): void {
    this.#receiver = receiver
    const ws = this.#ws
    ws.on("message", (data, isBinary) => receiver.receive(toBuffer(data), isBinary))
    // `ws` closes by itself with the right code (1002, 1007, 1009); without a listener the error would be thrown.
    ws.on("error", () => this.#outbound.giveUp())
    ws.on("close", () => receiver.gone())
    if (ws.readyState === ws.CLOSED) receiver.gone()
  }

  send(frame: OutgoingFrame): void {
    this.#outbound.push(frame)
  }

  overflowed(): void {
    this.#receiver?.overflowed()
  }

  latest(latest: Latest): OutgoingFrame | undefined {
    return this.#receiver?.latest(latest)
  }

  pause(): void {
    this.#ws.pause()
  }

  resume(): void {
    this.#ws.resume()
  }

  /** The connection is cut after the close timeout, which `ws` keeps. */
  close({ code, reason }: CloseCode): void {
    this.#outbound.flush()
    this.#outbound.giveUp()
    this.#ws.close(code, reason)
  }

  sweep(): void {}
}

/** With the default `binaryType` a message is one buffer; the other forms are there for the type's sake. */
const toBuffer = (data: RawData): Buffer =>
  Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
