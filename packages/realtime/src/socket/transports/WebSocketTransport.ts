/**
 * The WebSocket transport. Outgoing frames bypass `ws` (see `SocketWriter`); `ws` handles incoming frames and the closing
 * handshake.
 */
import { type RawData, WebSocket } from "ws"
import type { CloseCode } from "../../protocol/CloseCode.ts"
import { type Flusher, SocketWriter, type WritableSocket } from "../SocketWriter.ts"
import { PingFrame } from "../OutgoingFrame.ts"
import type { Receiver, Transport } from "./Transport.ts"

/** The WebSocket of a client. All share their listeners: closures of each would cost as much memory as its queue. */
export class ClientWebSocket extends WebSocket {
  receiver: Receiver | undefined = undefined
  transport: WebSocketTransport | undefined = undefined

  listen(receiver: Receiver, transport: WebSocketTransport): void {
    this.receiver = receiver
    this.transport = transport
    this.on("message", onMessage).on("ping", onPing).on("pong", onPong).on("error", onError).on("close", onClose)
  }
}

const receiverOf = (ws: WebSocket): Receiver | undefined => (ws instanceof ClientWebSocket ? ws.receiver : undefined)

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  receiverOf(this)?.receive(toBuffer(data), isBinary)
}
function onPing(this: WebSocket): void {
  receiverOf(this)?.onActivity()
}
function onPong(this: WebSocket): void {
  receiverOf(this)?.onPong()
}
/** `ws` closes with the right code (1002, 1007, 1009); without a listener Node would throw the error. */
function onError(this: WebSocket): void {
  if (this instanceof ClientWebSocket) this.transport?.discard()
}
function onClose(this: WebSocket): void {
  receiverOf(this)?.onClosed()
}

export class WebSocketTransport extends SocketWriter implements Transport {
  readonly #ws: ClientWebSocket

  constructor(
    ws: ClientWebSocket,
    wire: WritableSocket,
    flusher: Flusher,
    maxQueuedBytes: number,
    stallMillis: number,
  ) {
    super(wire, flusher, maxQueuedBytes, stallMillis)
    this.#ws = ws
  }

  override attach(receiver: Receiver): void {
    super.attach(receiver)
    const ws = this.#ws
    ws.listen(receiver, this)
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
