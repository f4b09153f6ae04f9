/**
 * A message on its way out, made once however many sockets get it. The bytes of the WebSocket frame (RFC 6455, server
 * to client, unmasked, uncompressed, unfragmented) are built when the first socket asks for them.
 */
import type { EncodedMessage, Payload } from "../protocol/Message.ts"

/** What there is to say of a topic now, so that a reader who lost the changes before need not know them. */
export interface StateSnapshot {
  readonly topic: string
  readonly event: string
  readonly payload: () => Payload
}

export class OutgoingFrame {
  readonly body: EncodedMessage
  /** A slow reader loses these first. */
  readonly droppable: boolean
  /** What a reader who lost this is told instead, as soon as there is room. */
  readonly snapshot: StateSnapshot | undefined
  #wireBytes: Buffer | undefined

  constructor(body: EncodedMessage, droppable: boolean, snapshot?: StateSnapshot) {
    this.body = body
    this.droppable = droppable
    this.snapshot = snapshot
  }

  get wireBytes(): Buffer {
    return (this.#wireBytes ??= encodeWebSocketFrame(this.body))
  }
}

const finalText = 0x81
const finalBinary = 0x82

/** One WebSocket frame. */
export const encodeWebSocketFrame = (body: EncodedMessage): Buffer => {
  const length = typeof body === "string" ? Buffer.byteLength(body) : body.length
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const bytes = Buffer.allocUnsafe(header + length)
  bytes[0] = typeof body === "string" ? finalText : finalBinary
  if (header === 2) bytes[1] = length
  else if (header === 4) {
    bytes[1] = 126
    bytes.writeUInt16BE(length, 2)
  } else {
    bytes[1] = 127
    bytes.writeUInt32BE(Math.floor(length / 2 ** 32), 2)
    bytes.writeUInt32BE(length % 2 ** 32, 6)
  }
  if (typeof body === "string") bytes.write(body, header, "utf8")
  else bytes.set(body, header)
  return bytes
}
