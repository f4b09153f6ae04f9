/**
 * Format of a broadcast between nodes: a JSON header line, then the payload in the form in which it goes into the frame. A
 * receiver parses only the header and copies the payload.
 */
import type { Payload } from "../protocol/Message.ts"
import { RawJson } from "../protocol/RawJson.ts"

export interface BroadcastMessage {
  /** The sender, and the message's number there. */
  readonly node: string
  readonly id: number
  /** The sender delivers it to its own sockets when it receives its own message. */
  readonly isEchoed: boolean
  readonly event: string
  readonly payload: Payload
  readonly droppable: boolean
  readonly seq: number | undefined
  readonly subtopic: string | undefined
}

const newline = 0x0a
const echoed = 1
const droppable = 2
const binary = 4

export const encode = (message: BroadcastMessage): Uint8Array => {
  const { node, id, event, payload, seq, subtopic } = message
  const isBinary = payload instanceof Uint8Array
  const flags = (message.isEchoed ? echoed : 0) | (message.droppable ? droppable : 0) | (isBinary ? binary : 0)
  const head = `${JSON.stringify([node, id, flags, event, seq ?? null, subtopic ?? null])}\n`
  if (isBinary) return Buffer.concat([Buffer.from(head), payload])
  return Buffer.from(head + (payload instanceof RawJson ? payload.text : JSON.stringify(payload)))
}

/** `undefined` if the format is unknown. */
export const decode = (body: Uint8Array): BroadcastMessage | undefined => {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const end = bytes.indexOf(newline)
  const head = end === -1 ? undefined : parse(bytes.toString("utf8", 0, end))
  if (!Array.isArray(head)) return undefined
  const [node, id, flags, event, seq, subtopic]: ReadonlyArray<unknown> = head
  if (typeof node !== "string" || typeof id !== "number" || typeof flags !== "number" || typeof event !== "string") {
    return undefined
  }
  return {
    node,
    id,
    event,
    isEchoed: (flags & echoed) !== 0,
    droppable: (flags & droppable) !== 0,
    seq: typeof seq === "number" ? seq : undefined,
    subtopic: typeof subtopic === "string" ? subtopic : undefined,
    payload:
      (flags & binary) === 0 ? new RawJson(bytes.toString("utf8", end + 1)) : new Uint8Array(bytes.subarray(end + 1)),
  }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
