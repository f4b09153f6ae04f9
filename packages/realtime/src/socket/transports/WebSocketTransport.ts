/**
 * The WebSocket transport. Outgoing frames bypass `ws` (see `SocketWriter`); `ws` handles incoming frames and the closing
 * handshake.
 */
import type { RawData, WebSocket } from "ws"
import type { CloseCode } from "../../protocol/CloseCode.ts"
import { type Flusher, SocketWriter, type WritableSocket } from "../SocketWriter.ts"
import { PingFrame } from "../OutgoingFrame.ts"
import type { Receiver, Transport } from "./Transport.ts"

export class WebSocketTransport extends SocketWriter implements Transport {
  readonly #ws: WebSocket

  constructor(ws: WebSocket, wire: WritableSocket, flusher: Flusher, maxQueuedBytes: number, stallMillis: number) {
    super(wire, flusher, maxQueuedBytes, stallMillis)
    this.#ws = ws
  }

  override attach(receiver: Receiver): void {
    super.attach(receiver)
    const ws = this.#ws
    ws.on("message", (data, isBinary) => receiver.receive(toBuffer(data), isBinary))
    ws.on("ping", () => receiver.onActivity())
    ws.on("pong", () => receiver.onPong())
    // `ws` closes with the right code (1002, 1007, 1009); without a listener Node would throw the error.
    ws.on("error", () => this.discard())
    ws.on("close", () => receiver.onClosed())
    if (ws.readyState === ws.CLOSED) receiver.onClosed()
  }

  ping(): void {
    this.send(new PingFrame())
  }

  pause(): void {
    this.#ws.pause()
  }

  resume(): void {
    this.#ws.resume()
  }

  /** `ws` enforces the close timeout. */
  close({ code, reason }: CloseCode): void {
    this.flush()
    this.discard()
    this.#ws.close(code, reason)
  }
}

/** With the default `binaryType` a message is one buffer; the type of `ws` allows other forms too. */
const toBuffer = (data: RawData): Buffer =>
  Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
