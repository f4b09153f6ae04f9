/** What a frame says, whatever its serializer: the four addresses of a Phoenix message and its payload. */

/** Echoed exactly as it came: the official client compares with `!==`, and some ports send numbers. */
export type Ref = string | number | null

export interface Message {
  /** The `ref` of the join that this message belongs to; `null` is valid and means "the current one". */
  readonly joinRef: Ref
  /** What a reply must carry; `null`: no reply is wanted. */
  readonly ref: Ref
  readonly topic: string
  readonly event: string
  /** A JSON value, by convention an object; a `Uint8Array` when the frame was binary. */
  readonly payload: unknown
}

/** What the server sends: a JSON object, or bytes. */
export type Payload = Uint8Array | object

export type Status = "ok" | "error"

/** A whole message of the serializer: text, or binary. */
export type EncodedMessage = string | Uint8Array

export interface Serializer {
  readonly version: "1.0.0" | "2.0.0"
  /** `undefined`: not a message. */
  readonly decodeText: (text: string) => Message | undefined
  readonly decodeBinary: (bytes: Uint8Array) => Message | undefined
  /** The addresses of a text frame too large to be read whole; its payload is not there. */
  readonly decodeHeader?: (bytes: Buffer) => Message | undefined
  readonly reply: (
    message: Pick<Message, "joinRef" | "ref" | "topic">,
    status: Status,
    response: Payload,
  ) => EncodedMessage
  /** To one member of a topic. */
  readonly push: (joinRef: Ref, topic: string, event: string, payload: Payload) => EncodedMessage
  /** `phx_close` and `phx_error` of one join: the join's ref stands in both places. */
  readonly end: (joinRef: Ref, topic: string, event: "phx_close" | "phx_error", payload: object) => EncodedMessage
  /** To everybody on a topic: the same bytes for all sockets of one serializer. */
  readonly broadcast: (topic: string, event: string, payload: Payload) => EncodedMessage
}

/**
 * Longest topic of a channel and longest ref, in UTF-8 bytes: the binary form has one byte for each length. A text may
 * name a longer topic or event, and is told that there is none.
 */
export const maxNameBytes = 255

export const isRef = (value: unknown): value is Ref =>
  value === null || typeof value === "number" || (typeof value === "string" && fitsNameLimit(value))

/** Length first: most names are far below the limit, and UTF-8 needs at most three bytes for a UTF-16 unit. */
export const fitsNameLimit = (text: string): boolean =>
  text.length * 3 <= maxNameBytes || Buffer.byteLength(text) <= maxNameBytes
