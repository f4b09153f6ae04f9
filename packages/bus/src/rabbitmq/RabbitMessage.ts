/**
 * A message on RabbitMQ as the port sees it. What the broker does not keep travels in headers: the subject, once a message
 * left the exchange it was sent to; the deliveries before a wait; when it came.
 */
import { createHash } from "node:crypto"
import type { AsyncMessage, Envelope, SyncMessage } from "rabbitmq-client"
import type { Headers, LiveMessage, Stored } from "../EventBus.ts"
import { subjectOf } from "./RabbitNames.ts"

export type Received = AsyncMessage | SyncMessage

const subjectHeader = "armoricore-subject"
/** Deliveries before the last wait. */
const triesHeader = "armoricore-tries"
/** What is left of a wait that is longer than the longest queue's. */
const restHeader = "armoricore-rest"
const letterHeader = "armoricore-letter"
/** Also what the broker's own `message_interceptors.incoming.set_header_timestamp` and RabbitMQ's timestamp plugin set. */
const timeHeader = "timestamp_in_ms"

const own = new Set([subjectHeader, triesHeader, restHeader, letterHeader, timeHeader, "x-delivery-count", "CC", "BCC"])
const isOwn = (name: string) => own.has(name) || /^x-(death$|first-death-|last-death-|opt-|acquired-count$)/.test(name)

const raw = (message: Received): Readonly<Record<string, unknown>> => message.headers ?? {}
const numberIn = (message: Received, name: string): number => {
  const value = Number(raw(message)[name] ?? 0)
  return Number.isFinite(value) && value > 0 ? value : 0
}

const headersOf = (message: Received): Headers => {
  const plain: Record<string, string> = {}
  for (const [name, value] of Object.entries(raw(message))) {
    if (!isOwn(name)) plain[name] = typeof value === "string" ? value : (JSON.stringify(value) ?? "")
  }
  return plain
}

const bodyOf = (message: Received): Uint8Array =>
  Buffer.isBuffer(message.body) ? message.body : Buffer.from(String(message.body ?? ""))

/** An outside publisher that sets the header must not pass its event off as something else: exchanges come first. */
const subjectIn = (message: Received): string => {
  const carried = raw(message)[subjectHeader]
  return subjectOf(message.exchange, message.routingKey) ?? (typeof carried === "string" ? carried : message.routingKey)
}

const arrivedIn = (message: Received, now: number): number => {
  const millis = numberIn(message, timeHeader)
  return millis > 0 ? Math.min(millis, now) : message.timestamp ? Math.min(message.timestamp * 1_000, now) : now
}

export const stored = (message: Received, now: number): Stored => ({
  subject: subjectIn(message),
  id: message.messageId ?? "",
  headers: headersOf(message),
  body: bodyOf(message),
  arrivedAt: arrivedIn(message, now),
})

export const live = (message: Received): LiveMessage => ({
  subject: subjectIn(message),
  headers: headersOf(message),
  body: bodyOf(message),
  ...(message.messageId === undefined || message.messageId === "" ? {} : { id: message.messageId }),
})

/** Which delivery to this consumer it is, over waits and hand-backs. */
export const attempt = (message: Received): number =>
  (isForwarded(message) ? numberIn(message, triesHeader) : 0) + numberIn(message, "x-delivery-count") + 1

/** Milliseconds that a forwarded message still has to wait. */
export const rest = (message: Received): number => (isForwarded(message) ? numberIn(message, restHeader) : 0)

/** By us, not by an outside publisher that sets our headers. */
const isForwarded = (message: Received): boolean => subjectOf(message.exchange, message.routingKey) === undefined

/** Names the message within its consumer. */
export const name = (message: Received): string =>
  message.messageId === undefined || message.messageId === ""
    ? createHash("sha256").update(bodyOf(message)).digest("hex").slice(0, 32)
    : message.messageId

export const outgoing = (id: string, headers: Headers, now: number): Envelope => ({
  messageId: id,
  timestamp: Math.floor(now / 1_000),
  headers: { ...headers, [timeHeader]: now },
  durable: true,
})

/** The same message for another exchange, its subject and arrival kept. */
export const forwarded = (message: Received, now: number, tries: number, left: number): Envelope => ({
  ...outgoing(message.messageId ?? "", headersOf(message), arrivedIn(message, now)),
  headers: {
    ...headersOf(message),
    [timeHeader]: arrivedIn(message, now),
    [subjectHeader]: subjectIn(message),
    ...(tries > 0 ? { [triesHeader]: tries } : {}),
    ...(left > 0 ? { [restHeader]: left } : {}),
  },
})

export const letter = (envelope: Envelope, letterId: string): Envelope => ({
  ...envelope,
  headers: { ...envelope.headers, [letterHeader]: letterId },
})

export const letterId = (message: Received): string => {
  const value = raw(message)[letterHeader]
  return typeof value === "string" ? value : name(message)
}

export const body = bodyOf
