/** What a handler wants told once its work is done: events for everybody, work for the workers of its own service. */
import { event, work } from "@armoricore/bus/Address"
import { deriveId, resultEventId } from "@armoricore/domain/DeterministicId"
import type { EventType, PayloadOf } from "@armoricore/domain/EventRegistry"
import { Clock, Effect } from "effect"
import type { OutboundMessage } from "./ledger/Ledger.ts"

export interface ResultEvent {
  readonly _tag: "Event"
  readonly type: EventType
  readonly payload: unknown
  /** Tells several results of one type apart. */
  readonly discriminator: string
}

export interface FollowUpWork {
  readonly _tag: "Work"
  readonly kind: string
  /** Unique among the work that follows from one cause. */
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

/** What results carry on from their cause. */
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

/** The id of work that follows from a cause, for those who look for it before it comes. */
export const workMessageId = (causeId: string, service: string, kind: string, discriminator: string): string =>
  deriveId("work", causeId, service, kind, discriminator)

/** The exact message that will be published for an outcome: same cause, same id. */
export const toOutboundMessage = (
  service: string,
  cause: CausingEvent,
  message: ResultMessage,
): Effect.Effect<OutboundMessage> =>
  Effect.gen(function* () {
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
      timestamp: new Date(yield* Clock.currentTimeMillis).toISOString(),
      source: service,
      schema_version: 1,
      ...propagatedFields(cause),
      payload: message.payload,
    }
    return { address: event(message.type), id, body: JSON.stringify(envelope) }
  })
