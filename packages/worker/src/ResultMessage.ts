/** The results of a handler: events for all subscribers, and follow-up work for the workers of its own service. */
import { event, work } from "@armoricore/bus/Address"
import { deriveId, resultEventId } from "@armoricore/domain/DeterministicId"
import type { EventType, PayloadOf } from "@armoricore/domain/EventRegistry"
import { Clock, Effect } from "effect"
import type { OutboundMessage } from "./ledger/Ledger.ts"

export interface ResultEvent {
  readonly _tag: "Event"
  readonly type: EventType
  readonly payload: unknown
  /** Distinguishes several results of one type. */
  readonly discriminator: string
}

export interface FollowUpWork {
  readonly _tag: "Work"
  readonly kind: string
  /** Unique among the work of one cause. */
  readonly discriminator: string
  readonly payload: unknown
}

export type ResultMessage = ResultEvent | FollowUpWork

export const emit = <T extends EventType>(type: T, payload: PayloadOf<T>, discriminator = ""): ResultMessage => ({
  _tag: "Event",
  type,
  payload,
  discriminator,
})

export const enqueue = (kind: string, discriminator: string, payload: unknown): ResultMessage => ({
  _tag: "Work",
  kind,
  discriminator,
  payload,
})

/** The fields that results inherit from the event that caused them. */
export interface CausingEvent {
  readonly eventId: string
  readonly requestId?: string | undefined
  readonly traceparent?: string | undefined
}

const propagatedFields = (cause: CausingEvent) => ({
  ...(cause.requestId === undefined ? {} : { request_id: cause.requestId }),
  ...(cause.traceparent === undefined ? {} : { traceparent: cause.traceparent }),
})

/** The body of a work message. */
export interface WorkEnvelope {
  readonly cause_id: string
  readonly request_id?: string
  readonly traceparent?: string
  readonly payload: unknown
}

/** The message id of follow-up work; known in advance, so that the work can be cancelled before it arrives. */
export const workMessageId = (causeId: string, service: string, kind: string, discriminator: string): string =>
  deriveId("work", causeId, service, kind, discriminator)

/** The message that will be published for a result. The same cause always gives the same id. */
export const toOutboundMessage = (
  service: string,
  cause: CausingEvent,
  message: ResultMessage,
): Effect.Effect<OutboundMessage> =>
  Effect.map(Clock.currentTimeMillis, (now) => outboundMessageAt(now, service, cause, message))

/** {@link toOutboundMessage} without an effect, for the hot path. `now` is epoch milliseconds. */
export const outboundMessageAt = (
  now: number,
  service: string,
  cause: CausingEvent,
  message: ResultMessage,
): OutboundMessage => {
  if (message._tag === "Work") {
    const body: WorkEnvelope = { cause_id: cause.eventId, ...propagatedFields(cause), payload: message.payload }
    return {
      address: work(service, message.kind),
      id: workMessageId(cause.eventId, service, message.kind, message.discriminator),
      body: JSON.stringify(body),
    }
  }
  const id = resultEventId(cause.eventId, message.type, message.discriminator)
  const envelope = {
    event_type: message.type,
    event_id: id,
    timestamp: new Date(now).toISOString(),
    source: service,
    schema_version: 1,
    ...propagatedFields(cause),
    payload: message.payload,
  }
  return { address: event(message.type), id, body: JSON.stringify(envelope) }
}
