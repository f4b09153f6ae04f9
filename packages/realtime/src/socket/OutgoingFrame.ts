/**
 * An outgoing message, encoded once for any number of sockets. The bytes of the WebSocket frame (RFC 6455, server to
 * client, unmasked, uncompressed, unfragmented) are built when the first socket needs them.
 */
import type { EncodedMessage, Payload } from "../protocol/Message.ts"

/** The current state of a topic, as one event that replaces the changes which a slow client lost. */
export interface StateSnapshot {
  readonly topic: string
  readonly event: string
  readonly payload: () => Payload
}

export class OutgoingFrame {
  readonly body: EncodedMessage
  /** Dropped first for a slow client. */
  readonly droppable: boolean
  /** Sent in place of this frame if it was dropped, once the queue has room. */
  readonly snapshot: StateSnapshot | undefined
  /** The topic whose history has this message. For a slow client it may be dropped; the client joins the topic again. */
  readonly replayableTopic: string | undefined
  #wireBytes: Buffer | undefined

  constructor(body: EncodedMessage, droppable: boolean, snapshot?: StateSnapshot, replayableTopic?: string) {
    this.body = body
    this.droppable = droppable
    this.snapshot = snapshot
    this.replayableTopic = replayableTopic
  }

  get wireBytes(): Buffer {
    return (this.#wireBytes ??= encodeWebSocketFrame(this.body))
  }
}

/** A WebSocket ping, for transports that send `wireBytes`. */
export class PingFrame extends OutgoingFrame {
  constructor() {
    super("", false)
  }

  override get wireBytes(): Buffer {
    return pingBytes
  }
}

const pingBytes = Buffer.of(0x89, 0)
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
