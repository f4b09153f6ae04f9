/** A decoded Phoenix message, independent of the serializer: join ref, ref, topic, event and payload. */

/**
 * Replies echo a ref with its type: the official client compares with `!==`, and some ports send numbers. A `bigint` is a
 * number that JavaScript would round.
 */
export type Ref = string | number | bigint | null

export interface Message {
  /** The `ref` of the join that this message belongs to; `null` means the current membership. */
  readonly joinRef: Ref
  /** The ref of the reply; `null`: the client expects no reply. */
  readonly ref: Ref
  readonly topic: string
  readonly event: string
  /** A JSON value, by convention an object; a `Uint8Array` when the frame was binary. */
  readonly payload: unknown
}

/** A payload that the server sends: a JSON object, or bytes. */
export type Payload = Uint8Array | object

export type Status = "ok" | "error"

/** A message encoded by a serializer: text or binary. */
export type EncodedMessage = string | Uint8Array

export interface Serializer {
  readonly version: "1.0.0" | "2.0.0"
  /** Returns `undefined` for a frame that is not a message. */
  readonly decodeText: (text: string) => Message | undefined
  readonly decodeBinary: (bytes: Uint8Array) => Message | undefined
  /** Decodes a text frame over the size limit without its payload. */
  readonly decodeHeader?: (bytes: Buffer) => Message | undefined
  readonly reply: (
    message: Pick<Message, "joinRef" | "ref" | "topic">,
    status: Status,
    response: Payload,
  ) => EncodedMessage
  /** A message to one member of a topic. */
  readonly push: (joinRef: Ref, topic: string, event: string, payload: Payload) => EncodedMessage
  /** The end of a membership: join ref and ref are both the ref of its join. */
  readonly end: (joinRef: Ref, topic: string, event: "phx_close" | "phx_error", payload: object) => EncodedMessage
  /** A message to all subscribers of a topic: the same bytes for all sockets of a serializer. */
  readonly broadcast: (topic: string, event: string, payload: Payload) => EncodedMessage
}

/**
 * The longest topic and the longest ref of a binary frame in UTF-8 bytes: the format has one byte for each length. A text
 * frame may name a longer event; the reply is `unknown_event`.
 */
export const maxNameBytes = 255

export const isRef = (value: unknown): value is Ref =>
  value === null ||
  typeof value === "number" ||
  typeof value === "bigint" ||
  (typeof value === "string" && fitsNameLimit(value))

/** Checks the length first, because UTF-8 needs at most three bytes per UTF-16 unit and most names are short. */
export const fitsNameLimit = (text: string): boolean =>
  text.length * 3 <= maxNameBytes || Buffer.byteLength(text) <= maxNameBytes

/** The longest topic of a text frame in UTF-8 bytes: `user:` and an id of 128 characters. */
const maxTopicBytes = 520

/** A longer topic gets the reply `unmatched topic`. */
export const fitsTopicLimit = (topic: string): boolean =>
  topic.length * 3 <= maxTopicBytes || Buffer.byteLength(topic) <= maxTopicBytes
