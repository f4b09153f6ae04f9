/** Declares the handlers of a service: `on(type, …)` for an event, `onWork(kind, …)` for internal work. */
import * as ConsumerName from "@armoricore/bus/ConsumerName"
import type { ConsumerOptions } from "@armoricore/bus/EventBus"
import { event, work } from "@armoricore/bus/Address"
import {
  type ConfigurationError,
  type PermanentError,
  type PortError,
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
import type { LaneHandler } from "./WorkerLane.ts"
import * as WorkSchemas from "./WorkSchemas.ts"

/** The context of one attempt. */
export interface HandlerContext {
  readonly cause: CausingEvent
  /** Grows with each owner of the message. Store it with data that a stale worker must not overwrite. */
  readonly fencingToken: number
  /** Failed attempts before this one. */
  readonly attempts: number
  /** The message as received, including unknown fields, for handlers that forward it. */
  readonly message: StoredMessage
  /** Sends an ephemeral event (`media.progress`) to the current subscribers. */
  readonly broadcast: <T extends EventType>(type: T, payload: PayloadOf<T>) => Effect.Effect<void>
  /**
   * Publishes a result while the job is running; completes once the bus has it. The id is the same as at the end of the
   * job, so a handler may also return the result if it is unsure. A worker that lost its lease, or whose job was
   * cancelled, publishes nothing and gets a `TransientError` with the code `lease_lost`.
   */
  readonly publishEarly: (outcome: ResultMessage) => Effect.Effect<void, PortError>
}

/** `InvalidEvent`: the handler found, in its state, that the message is not permitted. It becomes a dead letter at once. */
export type HandlerError = TransientError | PermanentError | ConfigurationError | InvalidEvent

export interface HandlerOptions extends Pick<ConsumerOptions, "sharedPermits" | "ackWait" | "maxDeliveries"> {
  /** Concurrent messages in this process. Default 1. */
  readonly concurrency?: number
  /** Limit of one attempt, which then fails with the transient error `timeout`. Default 1 h. */
  readonly timeout?: Duration.Duration
  /** Overrides of the service's policy. */
  readonly retry?: Partial<RetryPolicy>
  /**
   * The work may be repeated, even concurrently. The loop then writes no ledger record, which saves two writes per
   * event. Results still have derived ids. Every delivery counts as an attempt, and the job cannot be cancelled.
   */
  readonly idempotent?: boolean
  /**
   * The handler's own first write excludes a second run, and a repetition finds it. The loop then writes no lease for the
   * first delivery of a message until the handler returns or has run for a third of the lease, which saves one write per
   * event. Only one decision is published in any case.
   */
  readonly claimsItself?: boolean
}

/** Messages with the same key are handled one at a time over all processes, in the order of their arrival. */
type PartitionKey<A> = (message: A) => string

/** A message that is ready to be handled. */
export interface DecodedMessage<R> {
  readonly type: string
  /** Names the message in the ledger. */
  readonly messageKey: string
  readonly cause: CausingEvent
  /** Its ids, for logs and spans. */
  readonly logAttributes: () => TraceContext.LogAttributes
  /** The partition of the service that it queues in; see `KeyedQueue`. */
  readonly partition: string | undefined
  /** Failed attempts at this work before the message was published. */
  readonly priorAttempts?: number
  readonly handle: (job: HandlerContext) => Effect.Effect<ReadonlyArray<ResultMessage>, HandlerError, R>
  /** The results of a permanent failure; `at` is RFC 3339. */
  readonly onFailure: (failure: Failure, at: string) => ReadonlyArray<ResultMessage>
}

export interface Handler<R> extends HandlerOptions {
  /** Handles events in arrays, for a handler that `claimsItself` and has no partition. */
  readonly lane?: LaneHandler | undefined
  readonly name: string
  readonly from: (service: string) => ConsumerOptions["from"]
  /** With `policy`, a valid event without a signature check decodes to an `Exit`, so no effect has to run. */
  readonly decode: (message: StoredMessage, policy?: PublishPolicy) => Effect.Effect<DecodedMessage<R>, InvalidEvent>
}

/** Handles an event from outside or from another service. */
export const on = <T extends EventType, R>(
  type: T,
  {
    lane,
    ...options
  }: HandlerOptions & {
    readonly partitionKey?: PartitionKey<EventOf<T>>
    readonly lane?: LaneHandler<EventOf<T>>
    readonly handle: (
      event: EventOf<T>,
      job: HandlerContext,
    ) => Effect.Effect<ReadonlyArray<ResultMessage>, HandlerError, R>
    readonly onFailure: (event: EventOf<T>, failure: Failure, at: string) => ReadonlyArray<ResultMessage>
  },
): Handler<R> => ({
  ...options,
  // The lane receives only events of this type; TypeScript does not carry that into the generic.
  ...(lane === undefined ? {} : { lane: lane as unknown as LaneHandler }),
  name: ConsumerName.suffix(event(type)),
  from: () => event(type),
  decode: (message, policy) =>
    policy === undefined
      ? Effect.withFiber((fiber) => decodeEvent(type, options, message, publishPolicyOf(fiber)))
      : decodeEvent(type, options, message, policy),
})

type EventOptions<T extends EventType, R> = Omit<Parameters<typeof on<T, R>>[1], "lane">

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
  decoded: AnyEvent,
): Effect.Effect<DecodedMessage<R>, InvalidEvent> => {
  if (decoded.event_type !== type) {
    return Effect.fail(
      new InvalidEvent({
        reason: "invalid",
        path: "event_type",
        message: `an event of type ${decoded.event_type} arrived on the subject of ${type}`,
      }),
    )
  }
  // The check above narrows AnyEvent to the member T; TypeScript does not carry that into the generic.
  const ownEvent = decoded as unknown as EventOf<T>
  return Effect.succeed({
    type,
    messageKey: ownEvent.event_id,
    cause: { eventId: ownEvent.event_id, requestId: ownEvent.request_id, traceparent: ownEvent.traceparent },
    logAttributes: () => TraceContext.eventAttributes(decoded),
    partition: options.partitionKey?.(ownEvent),
    handle: (job) => options.handle(ownEvent, job),
    onFailure: (failure, at) => options.onFailure(ownEvent, failure, at),
  })
}

/** Handles work that the same service enqueued with `ResultMessage.enqueue`. */
export const onWork = <S extends Schema.ConstraintDecoder<unknown>, R>(
  kind: string,
  payload: S,
  options: HandlerOptions & {
    readonly partitionKey?: PartitionKey<S["Type"]>
    /** Failed attempts at this work before its message was published; they count. */
    readonly priorAttempts?: (payload: S["Type"]) => number
    readonly handle: (
      payload: S["Type"],
      job: HandlerContext,
    ) => Effect.Effect<ReadonlyArray<ResultMessage>, HandlerError, R>
    readonly onFailure: (payload: S["Type"], failure: Failure, at: string) => ReadonlyArray<ResultMessage>
  },
): Handler<R> => {
  return {
    ...options,
    name: ConsumerName.suffix(work("", kind)),
    from: (service) => work(service, kind),
    decode: Effect.fnUntraced(function* (message) {
      const { payload: decoded, ...body } = yield* WorkSchemas.decode(message.body, payload)
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
