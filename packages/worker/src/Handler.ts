/** How a service says what it handles: `on(type, …)` for an event, `onWork(kind, …)` for an internal job. */
import * as ConsumerName from "@armoricore/bus/ConsumerName"
import type { ConsumerOptions } from "@armoricore/bus/EventBus"
import { event, work } from "@armoricore/bus/Address"
import {
  type ConfigurationError,
  type PermanentError,
  InvalidEvent,
  type TransientError,
} from "@armoricore/domain/Errors"
import * as EventCodec from "@armoricore/domain/EventCodec"
import type { AnyEvent, EventOf, EventType, PayloadOf } from "@armoricore/domain/EventRegistry"
import type { Failure } from "@armoricore/domain/events/failure"
import type { StoredMessage } from "@armoricore/bus/EventBus"
import { type Duration, Effect, Result, Schema } from "effect"
import { authorizeWith, type PublishPolicy, publishPolicyOf, rejectionOf, requiresSignature } from "./PublishPolicy.ts"
import type { CausingEvent, ResultMessage } from "./ResultMessage.ts"
import type { RetryPolicy } from "./RetryPolicy.ts"
import * as TraceContext from "./TraceContext.ts"

/** What a handler is told about the try it makes. */
export interface HandlerContext {
  readonly cause: CausingEvent
  /** Grows with each owner of this message; put it into whatever must not be overwritten by a late worker. */
  readonly fencingToken: number
  /** Failed tries before this one. */
  readonly attempts: number
  /** The message exactly as it came, unknown fields included, for those who pass it on. */
  readonly message: StoredMessage
  /** Sends a live-only event (`media.progress`) to whoever listens now. */
  readonly broadcast: <T extends EventType>(type: T, payload: PayloadOf<T>) => Effect.Effect<void>
  /**
   * Tells a result before the job ends, once the bus has it. Its id is the one that it would have at the end, so an
   * outcome that a handler cannot know to be told may be returned too. Whoever lost the claim or was cancelled tells
   * nothing: that is a `TransientError` with code `lease_lost`.
   */
  readonly publishEarly: (outcome: ResultMessage) => Effect.Effect<void, HandlerError>
}

export type HandlerError = TransientError | PermanentError | ConfigurationError

/** How a handler wants to be run. */
export interface HandlerOptions extends Pick<ConsumerOptions, "sharedPermits" | "ackWait" | "maxDeliveries"> {
  /** Handlers at once in this process. Default 1. */
  readonly concurrency?: number
  /** One try's limit; over it the try counts as a transient failure `timeout`. Default 1 h. */
  readonly timeout?: Duration.Duration
  /** Where it differs from the service's policy. */
  readonly retry?: Partial<RetryPolicy>
  /**
   * Doing the work again harms nobody, at the same time or later: no ledger record is made, which spares two writes an
   * event. Results still have their derived ids. Every delivery counts as a try, and the job cannot be cancelled.
   */
  readonly idempotent?: boolean
}

/** Messages of one key are never worked on at once, over all processes, and in the order of their arrival. */
type PartitionKey<A> = (of: A) => string

/** A message made ready to be handled. */
export interface DecodedMessage<R> {
  readonly type: string
  /** Names the message in the ledger. */
  readonly messageKey: string
  readonly cause: CausingEvent
  /** Its ids, for logs and spans. */
  readonly logAttributes: () => TraceContext.LogAttributes
  /** The lane of its service that it queues in; see `Lanes`. */
  readonly partition: string | undefined
  /** Failed tries of this work that were made before the message was sent. */
  readonly priorAttempts?: number
  readonly handle: (job: HandlerContext) => Effect.Effect<ReadonlyArray<ResultMessage>, HandlerError, R>
  /** What is told when it fails for good; `at` is RFC 3339. */
  readonly onFailure: (failure: Failure, at: string) => ReadonlyArray<ResultMessage>
}

export interface Handler<R> extends HandlerOptions {
  readonly name: string
  readonly from: (service: string) => ConsumerOptions["from"]
  /** With `rights`, what is sound and needs no more than a look is an Exit: nothing has to be run. */
  readonly decode: (message: StoredMessage, rights?: PublishPolicy) => Effect.Effect<DecodedMessage<R>, InvalidEvent>
}

/** Handles an event from outside or from another service. */
export const on = <T extends EventType, R>(
  type: T,
  options: HandlerOptions & {
    readonly partitionKey?: PartitionKey<EventOf<T>>
    readonly handle: (
      event: EventOf<T>,
      job: HandlerContext,
    ) => Effect.Effect<ReadonlyArray<ResultMessage>, HandlerError, R>
    readonly onFailure: (event: EventOf<T>, failure: Failure, at: string) => ReadonlyArray<ResultMessage>
  },
): Handler<R> => ({
  ...options,
  name: ConsumerName.suffix(event(type)),
  from: () => event(type),
  decode: (message, rights) =>
    rights === undefined
      ? Effect.withFiber((fiber) => decodeEvent(type, options, message, publishPolicyOf(fiber)))
      : decodeEvent(type, options, message, rights),
})

type EventOptions<T extends EventType, R> = Parameters<typeof on<T, R>>[1]

const decodeEvent = <T extends EventType, R>(
  type: T,
  options: EventOptions<T, R>,
  message: StoredMessage,
  policy: PublishPolicy,
): Effect.Effect<DecodedMessage<R>, InvalidEvent> => {
  const received = EventCodec.decodeResult(message.body)
  if (Result.isFailure(received)) return Effect.fail(received.failure)
  const { event: decoded } = received.success
  // Hot path: most events need no signature check, so no effect is run for them.
  const rejection = rejectionOf(policy, decoded)
  if (rejection !== undefined) return Effect.fail(rejection)
  if (!requiresSignature(policy, decoded)) return toDecodedMessage(type, options, decoded)
  return Effect.flatMap(authorizeWith(policy, decoded, message), () => toDecodedMessage(type, options, decoded))
}

const toDecodedMessage = <T extends EventType, R>(
  type: T,
  options: EventOptions<T, R>,
  given: AnyEvent,
): Effect.Effect<DecodedMessage<R>, InvalidEvent> => {
  if (given.event_type !== type) {
    return Effect.fail(
      new InvalidEvent({
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
    messageKey: mine.event_id,
    cause: { eventId: mine.event_id, requestId: mine.request_id, traceparent: mine.traceparent },
    logAttributes: () => TraceContext.eventAttributes(given),
    partition: options.partitionKey?.(mine),
    handle: (job) => options.handle(mine, job),
    onFailure: (failure, at) => options.onFailure(mine, failure, at),
  })
}

const workEnvelopeFields = {
  cause_id: Schema.String,
  request_id: Schema.optionalKey(Schema.String),
  traceparent: Schema.optionalKey(Schema.String),
}

/** Handles work that the same service enqueued (see `Outcome.enqueue`). */
export const onWork = <S extends Schema.ConstraintDecoder<unknown>, R>(
  kind: string,
  payload: S,
  options: HandlerOptions & {
    readonly partitionKey?: PartitionKey<S["Type"]>
    /** Failed tries of this work that were made before its message was sent; they count. */
    readonly priorAttempts?: (payload: S["Type"]) => number
    readonly handle: (
      payload: S["Type"],
      job: HandlerContext,
    ) => Effect.Effect<ReadonlyArray<ResultMessage>, HandlerError, R>
    readonly onFailure: (payload: S["Type"], failure: Failure, at: string) => ReadonlyArray<ResultMessage>
  },
): Handler<R> => {
  const decode = Schema.decodeUnknownEffect(Schema.Struct({ ...workEnvelopeFields, payload: Schema.Unknown }))
  const decodePayload = Schema.decodeUnknownEffect(payload)
  const invalid = (error: Schema.SchemaError) =>
    new InvalidEvent({ reason: "invalid", ...EventCodec.describeSchemaError(error) })
  return {
    ...options,
    name: ConsumerName.suffix(work("", kind)),
    from: (service) => work(service, kind),
    decode: Effect.fnUntraced(function* (message) {
      const body = yield* Effect.mapError(Effect.flatMap(EventCodec.parseJson(message.body), decode), (error) =>
        error._tag === "InvalidEvent" ? error : invalid(error),
      )
      const decoded = yield* Effect.mapError(decodePayload(body.payload), invalid)
      return {
        type: `work.${kind}`,
        messageKey: message.id,
        cause: { eventId: body.cause_id, requestId: body.request_id, traceparent: body.traceparent },
        logAttributes: () => TraceContext.payloadAttributes(`work.${kind}`, body.cause_id, body.request_id, decoded),
        partition: options.partitionKey?.(decoded),
        priorAttempts: options.priorAttempts?.(decoded) ?? 0,
        handle: (job) => options.handle(decoded, job),
        onFailure: (failure, at) => options.onFailure(decoded, failure, at),
      }
    }),
  }
}
