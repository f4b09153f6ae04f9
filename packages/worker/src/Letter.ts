/**
 * A dead letter: the message exactly as it was received as body, and why it is dead in one header, so that even the
 * largest event fits into one message.
 */
import { dead } from "@armoricore/bus/Address"
import type { Delivery, Disposition, Headers, Outgoing, StoredLetter } from "@armoricore/bus/EventBus"
import { Clock, Effect, Option, Result, Schema } from "effect"
import * as Metrics from "./WorkerMetrics.ts"

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

const toMessage = (info: LetterInfo, body: Uint8Array, headers: Headers): Omit<Outgoing, "id"> => ({
  address: dead(info.service, info.event_type),
  body,
  headers: { ...headers, [letterHeader]: ascii(JSON.stringify(info)) },
})

const decodeInfo = Schema.decodeUnknownEffect(Schema.fromJsonString(LetterInfo))

/** None where a message on the dead-letter channel was not written by us. */
export const infoOf = (stored: StoredLetter): Effect.Effect<Option.Option<LetterInfo>> =>
  Effect.option(decodeInfo(stored.headers[letterHeader] ?? ""))

/** Makes a delivery a dead letter, counted and logged. `firstAt` in epoch milliseconds. */
export const disposition = (
  service: string,
  consumer: string,
  delivery: Delivery,
  about: Pick<LetterInfo, "reason" | "message" | "path" | "attempts"> & { readonly firstAt: number },
): Effect.Effect<Disposition> =>
  Effect.gen(function* () {
    const { eventId, eventType } = peek(delivery.body)
    const traceparent = headerOf(delivery, "traceparent")
    const replayOf = headerOf(delivery, replayHeader)
    const info: LetterInfo = {
      service,
      consumer,
      event_type: eventType ?? "unknown",
      ...(eventId === undefined ? {} : { event_id: eventId }),
      subject: delivery.subject,
      message_id: delivery.id,
      reason: about.reason,
      message: about.message,
      path: about.path,
      attempts: about.attempts,
      first_at: new Date(about.firstAt).toISOString(),
      last_at: new Date(yield* Clock.currentTimeMillis).toISOString(),
      ...(traceparent === undefined ? {} : { traceparent }),
      ...(replayOf === undefined ? {} : { replay_of: replayOf }),
    }
    yield* Metrics.count(Metrics.deadLettered, service, { type: info.event_type, reason: about.reason })
    yield* Effect.logWarning(`dead letter: ${about.message}`, { reason: about.reason, path: about.path })
    return { _tag: "DeadLetter", letter: toMessage(info, delivery.body, delivery.headers) }
  })

/** Header names are compared without case: buses and proxies change it. */
export const headerOf = (message: { readonly headers: Headers }, name: string): string | undefined =>
  Object.entries(message.headers).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1]

const textField = (value: object, name: string): string | undefined => {
  const field: unknown = Reflect.get(value, name)
  return typeof field === "string" ? field.slice(0, 128) : undefined
}

/** What can be told of a message that may not even be JSON. */
const peek = (body: Uint8Array): { readonly eventId: string | undefined; readonly eventType: string | undefined } => {
  const json = Result.try((): unknown => JSON.parse(new TextDecoder().decode(body)))
  return Result.isFailure(json) || typeof json.success !== "object" || json.success === null
    ? { eventId: undefined, eventType: undefined }
    : { eventId: textField(json.success, "event_id"), eventType: textField(json.success, "event_type") }
}
