/**
 * A dead letter: the message exactly as it was received as body, and why it is dead in one header, so that even the
 * largest event fits into one message.
 */
import { deadLetter } from "@armoricore/bus/Address"
import type {
  Delivery,
  Disposition,
  Headers,
  OutgoingMessage,
  StoredMessage,
  StoredDeadLetter,
} from "@armoricore/bus/EventBus"
import { Clock, Effect, Option, Result, Schema } from "effect"
import * as Metrics from "../WorkerMetrics.ts"

export const deadLetterHeader = "Armoricore-Letter"

/** On a replayed message: the id of the letter it was replayed from. */
export const replayOfHeader = "Armoricore-Replay-Of"

/** On a message replayed as it was: the one consumer that it is for; every other one has handled it (see `Replays`). */
export const replayForHeader = "Armoricore-Replay-For"

export const DeadLetterRecord = Schema.Struct({
  service: Schema.String,
  consumer: Schema.String,
  /** Every consumer of the message finds this fault in it, not this one alone: no one has handled it. */
  shared: Schema.optionalKey(Schema.Literal(true)),
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
export type DeadLetterRecord = typeof DeadLetterRecord.Type

/** Header values are ASCII on every bus. */
const ascii = (text: string): string =>
  text.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)

const toMessage = (info: DeadLetterRecord, body: Uint8Array, headers: Headers): Omit<OutgoingMessage, "id"> => ({
  address: deadLetter(info.service, info.event_type),
  body,
  headers: { ...truncateHeaders(headers), [deadLetterHeader]: ascii(JSON.stringify(info)) },
})

/** Headers fit into no letter by reference, as a body does: a publisher who fills a message with them keeps the first. */
const maxHeaderBytes = 64 * 1024

const truncateHeaders = (headers: Headers): Headers => {
  let left = maxHeaderBytes
  return Object.fromEntries(
    Object.entries(headers).filter(([name, value]) => {
      const size = Buffer.byteLength(name) + Buffer.byteLength(value)
      const fits = size <= left
      if (fits) left -= size
      return fits
    }),
  )
}

const decodeRecord = Schema.decodeUnknownEffect(Schema.fromJsonString(DeadLetterRecord))

/** None where a message on the dead-letter channel was not written by us. */
export const recordOf = (stored: StoredDeadLetter): Effect.Effect<Option.Option<DeadLetterRecord>> =>
  Effect.option(decodeRecord(stored.headers[deadLetterHeader] ?? ""))

type FailureDetails = Pick<DeadLetterRecord, "reason" | "message" | "path" | "attempts" | "shared"> & {
  /** Epoch milliseconds. */
  readonly firstAt: number
}

/** Letters; what is longer was made to be. */
const maxFieldLength = 1_000

/** What the letter says; counted and logged. */
const makeRecord = Effect.fnUntraced(function* (
  service: string,
  consumer: string,
  message: StoredMessage,
  about: FailureDetails,
) {
  const { eventId, eventType } = peekIds(message.body)
  const traceparent = headerOf(message, "traceparent")
  const replayOf = headerOf(message, replayOfHeader)
  const info: DeadLetterRecord = {
    service,
    consumer,
    ...(about.shared === true ? { shared: true } : {}),
    event_type: eventType ?? "unknown",
    ...(eventId === undefined ? {} : { event_id: eventId }),
    subject: message.subject,
    message_id: message.id.slice(0, maxFieldLength),
    reason: about.reason,
    message: about.message.slice(0, maxFieldLength),
    path: about.path.slice(0, maxFieldLength),
    attempts: about.attempts,
    first_at: new Date(about.firstAt).toISOString(),
    last_at: new Date(yield* Clock.currentTimeMillis).toISOString(),
    ...(traceparent === undefined ? {} : { traceparent: traceparent.slice(0, maxFieldLength) }),
    ...(replayOf === undefined ? {} : { replay_of: replayOf.slice(0, maxFieldLength) }),
  }
  yield* Metrics.increment(Metrics.deadLettered, service, { type: info.event_type, reason: about.reason })
  yield* Effect.logWarning(`dead letter: ${about.message}`, { reason: about.reason, path: about.path })
  return info
})

/** Makes a delivery a dead letter. */
export const disposition = (
  service: string,
  consumer: string,
  delivery: Delivery,
  about: FailureDetails,
): Effect.Effect<Disposition> =>
  Effect.map(makeRecord(service, consumer, delivery, about), (info) => ({
    _tag: "DeadLetter",
    deadLetter: toMessage(info, delivery.body, delivery.headers),
    ...(about.shared === true ? { shared: true } : {}),
  }))

/** The letter of a message that the bus gave up: it was delivered too often, and no worker came to settle it. */
export const onMaxDeliveries =
  (service: string, consumer: string) =>
  (message: StoredMessage): Effect.Effect<Omit<OutgoingMessage, "id">> =>
    Effect.map(
      makeRecord(service, consumer, message, {
        reason: "max_deliveries",
        message: "it was delivered too often without being settled: its workers crash, or the bus lost their answers",
        path: "",
        attempts: 0,
        firstAt: message.arrivedAt,
      }),
      (info) => toMessage(info, message.body, message.headers),
    )

/** Header names are compared without case: buses and proxies change it. */
export const headerOf = (message: { readonly headers: Headers }, name: string): string | undefined => {
  for (const key in message.headers) {
    if (key.length === name.length && key.toLowerCase() === name.toLowerCase()) return message.headers[key]
  }
  return undefined
}

const textField = (value: object, name: string): string | undefined => {
  const field: unknown = Reflect.get(value, name)
  return typeof field === "string" ? field.slice(0, 128) : undefined
}

/** What can be told of a message that may not even be JSON. */
const peekIds = (
  body: Uint8Array,
): { readonly eventId: string | undefined; readonly eventType: string | undefined } => {
  const json = Result.try((): unknown => JSON.parse(new TextDecoder().decode(body)))
  return Result.isFailure(json) || typeof json.success !== "object" || json.success === null
    ? { eventId: undefined, eventType: undefined }
    : { eventId: textField(json.success, "event_id"), eventType: textField(json.success, "event_type") }
}
