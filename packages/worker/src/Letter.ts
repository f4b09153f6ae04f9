/**
 * A dead letter: the message exactly as it was received as body, and why it is dead in one header, so that even the
 * largest event fits into one message.
 */
import { dead } from "@armoricore/bus/Address"
import type { Headers, Outgoing, StoredLetter } from "@armoricore/bus/EventBus"
import { Effect, Option, Schema } from "effect"

export const letterHeader = "Armoricore-Letter"

/** On a replayed message: the id of the letter it was replayed from. */
export const replayHeader = "Armoricore-Replay-Of"

export const LetterInfo = Schema.Struct({
  service: Schema.String,
  consumer: Schema.String,
  /** As far as it could be read; `unknown` otherwise. */
  event_type: Schema.String,
  event_id: Schema.optionalKey(Schema.String),
  /** The subject it was received on. */
  subject: Schema.String,
  message_id: Schema.String,
  /** `undecodable`, `invalid`, `unknown_type`, `unauthorized`, `bad_signature`, `too_large`, or the code of a transient error. */
  reason: Schema.String,
  message: Schema.String,
  /** The field at fault, dotted; empty for the whole. */
  path: Schema.String,
  attempts: Schema.Int,
  /** RFC 3339. */
  first_at: Schema.String,
  last_at: Schema.String,
  traceparent: Schema.optionalKey(Schema.String),
  /** The letter that this message was a replay of. */
  replay_of: Schema.optionalKey(Schema.String),
})
export type LetterInfo = typeof LetterInfo.Type

/** Header values are ASCII on every bus. */
const ascii = (text: string): string =>
  text.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)

export const toMessage = (info: LetterInfo, body: Uint8Array, headers: Headers): Omit<Outgoing, "id"> => ({
  address: dead(info.service, info.event_type),
  body,
  headers: { ...headers, [letterHeader]: ascii(JSON.stringify(info)) },
})

const decodeInfo = Schema.decodeUnknownEffect(Schema.fromJsonString(LetterInfo))

/** None where a message on the dead-letter channel was not written by us. */
export const infoOf = (stored: StoredLetter): Effect.Effect<Option.Option<LetterInfo>> =>
  Effect.option(decodeInfo(stored.headers[letterHeader] ?? ""))
