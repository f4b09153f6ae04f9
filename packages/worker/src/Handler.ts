/** How a service says what it handles: `on(type, …)` for an event, `onWork(kind, …)` for an internal job. */
import type { ConsumerOptions } from "@armoricore/bus/EventBus"
import { event, work } from "@armoricore/bus/Address"
import { type ConfigurationError, type PermanentError, Rejected, type TransientError } from "@armoricore/domain/Errors"
import * as EventCodec from "@armoricore/domain/EventCodec"
import type { AnyEvent, EventOf, EventType, PayloadOf } from "@armoricore/domain/Events"
import type { Failure } from "@armoricore/domain/events/failure"
import type { Stored } from "@armoricore/bus/EventBus"
import { type Duration, Effect, Result, Schema } from "effect"
import { judge, type Rights, rightsOf } from "./Authorization.ts"
import type { Cause, Outcome } from "./Outcome.ts"
import type { RetryPolicy } from "./Retry.ts"
import * as Trace from "./Trace.ts"

/** What a handler is told about the try it makes. */
export interface Job {
  readonly cause: Cause
  /** Grows with each owner of this message; put it into whatever must not be overwritten by a late worker. */
  readonly token: number
  /** Failed tries before this one. */
  readonly attempts: number
  /** The message exactly as it came, unknown fields included, for those who pass it on. */
  readonly message: Stored
  /** Sends a live-only event (`media.progress`) to whoever listens now. */
  readonly broadcast: <T extends EventType>(type: T, payload: PayloadOf<T>) => Effect.Effect<void>
  /**
   * Tells a result before the job ends, once the bus has it. Its id is the one that it would have at the end, so an
   * outcome that a handler cannot know to be told may be returned too. Whoever lost the claim or was cancelled tells
   * nothing: that is a `TransientError` with code `claim_lost`.
   */
  readonly tell: (outcome: Outcome) => Effect.Effect<void, HandlerError>
}

export type HandlerError = TransientError | PermanentError | ConfigurationError

/** How a handler wants to be run. */
export interface Settings extends Pick<ConsumerOptions, "gate" | "ackWait" | "maxDeliveries"> {
  /** Handlers at once in this process. Default 1. */
  readonly concurrency?: number
  /** One try's limit; over it the try counts as a transient failure `timeout`. Default 1 h. */
  readonly timeLimit?: Duration.Duration
  /** Where it differs from the service's policy. */
  readonly retry?: Partial<RetryPolicy>
  /**
   * Doing the work again harms nobody, at the same time or later: no ledger record is made, which spares two writes an
   * event. Results still have their derived ids. Every delivery counts as a try, and the job cannot be cancelled.
   */
  readonly repeatable?: boolean
}

/** Messages of one key are never worked on at once, over all processes, and in the order of their arrival. */
type KeyOf<A> = (of: A) => string

/** A message made ready to be handled. */
export interface Incoming<R> {
  readonly type: string
  /** Names the message in the ledger. */
  readonly key: string
  readonly cause: Cause
  /** Its ids, for logs and spans. */
  readonly about: () => Trace.About
  /** The lane of its service that it queues in; see `Lanes`. */
  readonly lane: string | undefined
  /** Failed tries of this work that were made before the message was sent. */
  readonly tried?: number
  readonly handle: (job: Job) => Effect.Effect<ReadonlyArray<Outcome>, HandlerError, R>
  /** What is told when it fails for good; `at` is RFC 3339. */
  readonly failed: (failure: Failure, at: string) => ReadonlyArray<Outcome>
}

export interface Handler<R> extends Settings {
  readonly name: string
  readonly from: (service: string) => ConsumerOptions["from"]
  /** With `rights`, what is sound and needs no more than a look is an Exit: nothing has to be run. */
  readonly read: (message: Stored, rights?: Rights) => Effect.Effect<Incoming<R>, Rejected>
}

/** Handles an event from outside or from another service. */
export const on = <T extends EventType, R>(
  type: T,
  options: Settings & {
    readonly key?: KeyOf<EventOf<T>>
    readonly handle: (event: EventOf<T>, job: Job) => Effect.Effect<ReadonlyArray<Outcome>, HandlerError, R>
    readonly failed: (event: EventOf<T>, failure: Failure, at: string) => ReadonlyArray<Outcome>
  },
): Handler<R> => ({
  ...options,
  name: type.replaceAll(".", "-").replaceAll("_", "-"),
  from: () => event(type),
  read: (message, rights) =>
    rights === undefined
      ? Effect.withFiber((fiber) => readEvent(type, options, message, rightsOf(fiber)))
      : readEvent(type, options, message, rights),
})

type EventOptions<T extends EventType, R> = Parameters<typeof on<T, R>>[1]

const readEvent = <T extends EventType, R>(
  type: T,
  options: EventOptions<T, R>,
  message: Stored,
  rights: Rights,
): Effect.Effect<Incoming<R>, Rejected> => {
  const received = EventCodec.decodeResult(message.body)
  if (Result.isFailure(received)) return Effect.fail(received.failure)
  const { event: given } = received.success
  const allowed = judge(rights, given, message)
  if (allowed === Effect.void) return readyFor(type, options, given)
  return Effect.flatMap(allowed, () => readyFor(type, options, given))
}

const readyFor = <T extends EventType, R>(
  type: T,
  options: EventOptions<T, R>,
  given: AnyEvent,
): Effect.Effect<Incoming<R>, Rejected> => {
  if (given.event_type !== type) {
    return Effect.fail(
      new Rejected({
        reason: "invalid",
        path: "event_type",
        message: `an event of type ${given.event_type} came on the subject of ${type}`,
      }),
    )
  }
  // The check above narrows AnyEvent to the member T; TypeScript does not carry that into the generic.
  const mine = given as unknown as EventOf<T>
  return Effect.succeed({
    type,
    key: mine.event_id,
    cause: { eventId: mine.event_id, requestId: mine.request_id, traceparent: mine.traceparent },
    about: () => Trace.aboutEvent(given),
    lane: options.key?.(mine),
    handle: (job) => options.handle(mine, job),
    failed: (failure, at) => options.failed(mine, failure, at),
  })
}

const workFields = {
  cause_id: Schema.String,
  request_id: Schema.optionalKey(Schema.String),
  traceparent: Schema.optionalKey(Schema.String),
}

/** Handles work that the same service enqueued (see `Outcome.enqueue`). */
export const onWork = <S extends Schema.ConstraintDecoder<unknown>, R>(
  kind: string,
  payload: S,
  options: Settings & {
    readonly key?: KeyOf<S["Type"]>
    /** Failed tries of this work that were made before its message was sent; they count. */
    readonly tried?: (payload: S["Type"]) => number
    readonly handle: (payload: S["Type"], job: Job) => Effect.Effect<ReadonlyArray<Outcome>, HandlerError, R>
    readonly failed: (payload: S["Type"], failure: Failure, at: string) => ReadonlyArray<Outcome>
  },
): Handler<R> => {
  const decode = Schema.decodeUnknownEffect(Schema.Struct({ ...workFields, payload: Schema.Unknown }))
  const decodePayload = Schema.decodeUnknownEffect(payload)
  const invalid = (error: Schema.SchemaError) => new Rejected({ reason: "invalid", ...EventCodec.describeFault(error) })
  return {
    ...options,
    name: `work-${kind}`,
    from: (service) => work(service, kind),
    read: Effect.fnUntraced(function* (message) {
      const body = yield* Effect.mapError(Effect.flatMap(EventCodec.parseJson(message.body), decode), (error) =>
        error._tag === "Rejected" ? error : invalid(error),
      )
      const decoded = yield* Effect.mapError(decodePayload(body.payload), invalid)
      return {
        type: `work.${kind}`,
        key: message.id,
        cause: { eventId: body.cause_id, requestId: body.request_id, traceparent: body.traceparent },
        about: () => Trace.aboutPayload(`work.${kind}`, body.cause_id, body.request_id, decoded),
        lane: options.key?.(decoded),
        tried: options.tried?.(decoded) ?? 0,
        handle: (job) => options.handle(decoded, job),
        failed: (failure, at) => options.failed(decoded, failure, at),
      }
    }),
  }
}
