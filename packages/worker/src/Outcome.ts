/** What a handler wants told once its work is done: events for everybody, work for the workers of its own service. */
import { event, work } from "@armoricore/bus/Address"
import { derivedId, resultEventId } from "@armoricore/domain/Causation"
import type { EventType, PayloadOf } from "@armoricore/domain/Events"
import { Clock, Effect } from "effect"
import type { Outbound } from "./Ledger.ts"

export interface EventOutcome {
  readonly _tag: "Event"
  readonly type: EventType
  readonly payload: unknown
  /** Tells several results of one type apart. */
  readonly which: string
}

export interface WorkOutcome {
  readonly _tag: "Work"
  readonly kind: string
  /** Unique among the work that follows from one cause. */
  readonly which: string
  readonly payload: unknown
}

export type Outcome = EventOutcome | WorkOutcome

export const emit = <T extends EventType>(type: T, payload: PayloadOf<T>, which = ""): Outcome => ({
  _tag: "Event",
  type,
  payload,
  which,
})

export const enqueue = (kind: string, which: string, payload: unknown): Outcome => ({
  _tag: "Work",
  kind,
  which,
  payload,
})

/** What results carry on from their cause. */
export interface Cause {
  readonly eventId: string
  readonly requestId?: string | undefined
  readonly traceparent?: string | undefined
}

const carried = (cause: Cause) => ({
  ...(cause.requestId === undefined ? {} : { request_id: cause.requestId }),
  ...(cause.traceparent === undefined ? {} : { traceparent: cause.traceparent }),
})

/** The body of a work message. */
export interface WorkBody {
  readonly cause_id: string
  readonly request_id?: string
  readonly traceparent?: string
  readonly payload: unknown
}

/** The id of work that follows from a cause, for those who look for it before it comes. */
export const workId = (causeId: string, service: string, kind: string, which: string): string =>
  derivedId("work", causeId, service, kind, which)

/** The exact message that will be published for an outcome: same cause, same id. */
export const toOutbound = (service: string, cause: Cause, outcome: Outcome): Effect.Effect<Outbound> =>
  Effect.gen(function* () {
    if (outcome._tag === "Work") {
      const body: WorkBody = { cause_id: cause.eventId, ...carried(cause), payload: outcome.payload }
      return {
        address: work(service, outcome.kind),
        id: workId(cause.eventId, service, outcome.kind, outcome.which),
        body: JSON.stringify(body),
      }
    }
    const id = resultEventId(cause.eventId, outcome.type, outcome.which)
    const envelope = {
      event_type: outcome.type,
      event_id: id,
      timestamp: new Date(yield* Clock.currentTimeMillis).toISOString(),
      source: service,
      schema_version: 1,
      ...carried(cause),
      payload: outcome.payload,
    }
    return { address: event(outcome.type), id, body: JSON.stringify(envelope) }
  })
