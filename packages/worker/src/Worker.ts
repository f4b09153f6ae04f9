/**
 * The one worker loop, for media, notify, ai and whatever comes:
 *
 *     decode → authorise → (lane) → claim → handle → decide → publish what was decided → ack
 *
 * Concurrency scenarios it answers:
 * - The process dies anywhere: the message comes again. Before `decide` the work is done again under a new token;
 *   after it the same bytes are published again under the same ids. A message whose owners keep dying ends as a dead
 *   letter `crashed`.
 * - Two processes hold one message (a lease ran out while its owner was stopped): both may work, one decides; the
 *   other's `decide` fails with `Conflict` and it tells nothing.
 * - Two messages touch one thing: a handler with a `key` works on one of them at a time, in the order of arrival.
 * - Somebody cancels a running job: its handler is interrupted, and the next to claim it tells that it was cancelled.
 * - SIGTERM: pulling stops, running handlers get `grace` to finish, the rest is interrupted, its claims are released
 *   without counting a try, and the bus hands the messages to others at once.
 * - A poison message holds no slot while it waits for its next try.
 */
import { type Delivery, type Disposition, EventBus } from "@armoricore/bus/EventBus"
import { type ConfigurationError, Conflict, TransientError } from "@armoricore/domain/Errors"
import type { InternalSource } from "@armoricore/domain/EventRegistry"
import type { StateError } from "@armoricore/state/KeyValue"
import { Clock, Context, Duration, Effect, Exit, Option, Schedule, type Scope } from "effect"
import * as Attempt from "./Attempt.ts"
import { publishPolicyOf } from "./PublishPolicy.ts"
import * as Cancellation from "./control/Cancellation.ts"
import type { Handler, HandlerError, DecodedMessage, HandlerContext } from "./Handler.ts"
import { type Lease, Ledger } from "./ledger/Ledger.ts"
import * as DeadLetterRecord from "./dead-letters/DeadLetterRecord.ts"
import type { ResultMessage } from "./ResultMessage.ts"
import { retryDelay, retryPolicyOf } from "./RetryPolicy.ts"
import { ConsumerRegistry } from "./control/ConsumerRegistry.ts"
import * as ResultPublisher from "./ResultPublisher.ts"
import * as TraceContext from "./TraceContext.ts"
import * as Metrics from "./WorkerMetrics.ts"

/** Times of the loop. */
export interface WorkerTimeouts {
  /** How long a claim lives without a sign of its owner. */
  readonly leaseDuration: Duration.Duration
  /** How long running handlers may go on after the service was told to stop. */
  readonly drainTimeout: Duration.Duration
  /** How long a message waits whose handler found a configuration fault. */
  readonly misconfigurationDelay: Duration.Duration
}
export const WorkerTimeouts = Context.Reference<WorkerTimeouts>("@armoricore/worker/WorkerTimeouts", {
  defaultValue: () => ({
    leaseDuration: Duration.seconds(30),
    drainTimeout: Duration.seconds(20),
    misconfigurationDelay: Duration.seconds(60),
  }),
})

/** Owners in a row that may vanish from a message before it counts as their murderer. */
export const MaxExpiredLeases = Context.Reference<number>("@armoricore/worker/MaxExpiredLeases", {
  defaultValue: () => 20,
})

const ack: Disposition = { _tag: "Ack" }
const ackEffect = Effect.succeed(ack)
const defaultTimeout = Duration.hours(1)
const redeliverAfter = (after: Duration.Duration): Disposition => ({ _tag: "Retry", after })

/** A service that this program is made of, or `webhook` and `operator`, which publish nothing by themselves. */
export type ServiceName = InternalSource | "webhook" | "operator"

/**
 * Runs a service's handlers until the scope closes; then drains. `service` is the source of the events it publishes
 * and part of its consumers' names.
 */
export const run = Effect.fn("Worker.run")(function* <R>(
  service: ServiceName,
  handlers: ReadonlyArray<Handler<R>>,
): Effect.fn.Return<void, TransientError | ConfigurationError, R | EventBus | Ledger | Scope.Scope> {
  const bus = yield* EventBus
  const ledger = yield* Ledger
  const servicePolicy = yield* retryPolicyOf(service)
  const timeouts = yield* WorkerTimeouts
  const maxExpiredLeases = yield* MaxExpiredLeases
  const clock = yield* Clock.Clock
  const publishPolicy = yield* Effect.withFiber((fiber) => Effect.succeed(publishPolicyOf(fiber)))
  const owner = `${service}-${crypto.randomUUID()}`
  const runningJobs = yield* Cancellation.listen
  const consumerRegistry = yield* ConsumerRegistry

  const { broadcast, toDecision, publish, publishEarly } = ResultPublisher.make(service, bus)

  const contextFor = (
    incoming: DecodedMessage<R>,
    message: Delivery,
    fencingToken: number,
    attempts: number,
    renewLease: Effect.Effect<void, Conflict | StateError>,
  ): HandlerContext => ({
    cause: incoming.cause,
    message,
    fencingToken,
    attempts,
    broadcast: (type, payload) => broadcast(incoming.cause, type, payload),
    publishEarly: (outcome) => publishEarly(incoming.cause, renewLease, outcome),
  })

  const attemptOptionsFor = (handler: Handler<R>, attempts: number): Attempt.AttemptOptions => ({
    service,
    policy: handler.retry === undefined ? servicePolicy : { ...servicePolicy, ...handler.retry },
    misconfigurationDelay: timeouts.misconfigurationDelay,
    attempts,
  })

  const timeoutFor = (handler: Handler<R>) => Attempt.withTimeout(service, handler.timeout ?? defaultTimeout)

  /** The handler under its lease. What is done at once is over before anybody could renew, time or cancel it. */
  const runAttempt = (
    handler: Handler<R>,
    delivery: Delivery,
    incoming: DecodedMessage<R>,
    lease: Lease,
    key: string,
  ) => {
    const withTimeout = timeoutFor(handler)
    const handling = incoming.handle(contextFor(incoming, delivery, lease.fencingToken, lease.attempts, lease.renew))
    return Attempt.runInline(handling, (rest) =>
      runningJobs.cancellable(key)(
        Effect.raceFirst(withTimeout(rest), keepLease(lease)),
        Effect.suspend(() => Effect.fail(new Conflict({ key }))),
      ),
    ).pipe(
      Effect.onInterrupt(() =>
        lease.release({ countsAsAttempt: false }).pipe(
          // Without it the lease runs out by itself.
          Effect.catch((error) => Effect.logDebug(`a claim was not released: ${error.message}`)),
        ),
      ),
      Effect.exit,
      Effect.flatMap((exit) =>
        Attempt.classify(attemptOptionsFor(handler, lease.attempts + (incoming.priorAttempts ?? 0)), incoming, exit),
      ),
    )
  }

  /** Never ends by itself but by the loss of the lease. */
  const keepLease = (lease: Lease) =>
    lease.renew.pipe(
      Effect.retry({
        while: (error) => error._tag === "TransientError",
        schedule: Schedule.spaced(Duration.millis(Duration.toMillis(timeouts.leaseDuration) / 10)),
      }),
      Effect.delay(Duration.millis(Duration.toMillis(timeouts.leaseDuration) / 3)),
      Effect.forever,
    )

  const resultOf = (
    handler: Handler<R>,
    delivery: Delivery,
    incoming: DecodedMessage<R>,
    lease: Lease,
    key: string,
  ) => {
    if (lease.cancelReason !== undefined) return Attempt.cancelled(incoming, lease.cancelReason, lease.attempts)
    if (lease.expiredLeases < maxExpiredLeases) return runAttempt(handler, delivery, incoming, lease, key)
    const message = `${lease.expiredLeases} processes in a row ended while they worked on it`
    return Attempt.exhausted(incoming, { code: "crashed", message }, lease.attempts)
  }

  const processMessage = (consumer: string, handler: Handler<R>, delivery: Delivery, incoming: DecodedMessage<R>) => {
    const key = `${consumer}.${incoming.messageKey}`
    return incoming.partition === undefined
      ? processUnderLease(consumer, handler, delivery, incoming, key)
      : processInPartition(consumer, handler, delivery, incoming, key, `${service}.${incoming.partition}`)
  }

  const processInPartition = Effect.fnUntraced(function* (
    consumer: string,
    handler: Handler<R>,
    delivery: Delivery,
    incoming: DecodedMessage<R>,
    key: string,
    partition: string,
  ) {
    const { position } = yield* ledger.keyedQueue.enqueue(partition, key, delivery.arrivedAt)
    if (position > 0) return redeliverAfter(redeliveryDelay(position, delivery.deliveryCount))
    return yield* processUnderLease(consumer, handler, delivery, incoming, key, {
      dequeue: ledger.keyedQueue.dequeue(partition, key),
      extend: (after) => ledger.keyedQueue.extend(partition, key, after),
    })
  })

  /** Under a claim. */
  const processUnderLease = (
    consumer: string,
    handler: Handler<R>,
    delivery: Delivery,
    incoming: DecodedMessage<R>,
    key: string,
    turn?: QueueTurn,
  ) =>
    Effect.flatMap(ledger.acquire(key, owner, timeouts.leaseDuration), (claimed) => {
      switch (claimed._tag) {
        case "Held":
          return Effect.succeed(redeliverAfter(Duration.max(claimed.remaining, Duration.millis(50))))
        case "Decided": {
          const { attempts, decision, firstAt } = claimed
          return Metrics.increment(Metrics.finished, service, { type: incoming.type, result: "duplicate" }).pipe(
            Effect.andThen(publish(consumer, delivery, decision, attempts, firstAt)),
            Effect.tap(() => turn?.dequeue ?? Effect.void),
          )
        }
        case "Claimed": {
          const { lease } = claimed
          const started = clock.currentTimeMillisUnsafe()
          return Effect.flatMap(resultOf(handler, delivery, incoming, lease, key), (end) =>
            settle(consumer, delivery, incoming, lease, end, started, turn),
          )
        }
      }
    })

  const settle = (
    consumer: string,
    delivery: Delivery,
    incoming: DecodedMessage<R>,
    lease: Lease,
    result: Attempt.AttemptResult,
    started: number,
    turn: QueueTurn | undefined,
  ) =>
    Effect.withFiber(({ context }) => {
      const { type } = incoming
      const seconds = (clock.currentTimeMillisUnsafe() - started) / 1000
      Metrics.record(context, Metrics.duration, service, { type }, seconds)
      if (result._tag === "Again") {
        return lease
          .release({ countsAsAttempt: result.countsAsAttempt })
          .pipe(
            Effect.andThen(turn === undefined ? Effect.void : turn.extend(result.after)),
            Effect.as(redeliverAfter(result.after)),
          )
      }
      Metrics.record(context, Metrics.finished, service, { type, result: result.result })
      const published = Effect.flatMap(toDecision(incoming.cause, result.messages, result.deadLetter), (decision) =>
        Effect.flatMap(lease.decide(decision, result.attempts), () =>
          publish(consumer, delivery, decision, result.attempts, lease.firstAt),
        ),
      )
      return turn === undefined ? published : Effect.tap(published, () => turn.dequeue)
    })

  /** Without a ledger: what is told has the same ids each time. */
  const processIdempotent = (
    consumer: string,
    handler: Handler<R>,
    delivery: Delivery,
    incoming: DecodedMessage<R>,
  ) => {
    const attempts = delivery.deliveryCount - 1
    const handling = incoming.handle(contextFor(incoming, delivery, delivery.deliveryCount, attempts, Effect.void))
    return Effect.matchCauseEffect(Attempt.runInline(handling, timeoutFor(handler)), {
      onFailure: (cause) => settleIdempotent(consumer, handler, delivery, incoming, Exit.failCause(cause)),
      onSuccess: (outcomes) =>
        outcomes.length === 0
          ? Effect.as(Metrics.increment(Metrics.finished, service, { type: incoming.type, result: "succeeded" }), ack)
          : settleIdempotent(consumer, handler, delivery, incoming, Exit.succeed(outcomes)),
    })
  }

  const settleIdempotent = Effect.fnUntraced(function* (
    consumer: string,
    handler: Handler<R>,
    delivery: Delivery,
    incoming: DecodedMessage<R>,
    exit: Exit.Exit<ReadonlyArray<ResultMessage>, HandlerError>,
  ) {
    const result = yield* Attempt.classify(attemptOptionsFor(handler, delivery.deliveryCount - 1), incoming, exit)
    if (result._tag === "Again") return redeliverAfter(result.after)
    yield* Metrics.increment(Metrics.finished, service, { type: incoming.type, result: result.result })
    if (result.messages.length === 0 && result.deadLetter === undefined) return ack
    const decision = yield* toDecision(incoming.cause, result.messages, result.deadLetter)
    return yield* publish(consumer, delivery, decision, result.attempts, delivery.arrivedAt)
  })

  /** The bus or the state failed under us, or the lease is somebody else's now: nothing of it is the message's fault. */
  const nack = (error: HandlerError | Conflict | StateError) =>
    Effect.gen(function* () {
      // Whoever took the record (a successor, a cancellation) is found by looking again; a living lease says how long.
      if (error._tag === "Conflict") return redeliverAfter(Duration.millis(100))
      yield* Effect.logWarning(`handed back: ${error.message}`)
      if (error._tag === "TransientError")
        return redeliverAfter(yield* retryDelay(servicePolicy, 1, error.retryAfterMillis))
      return redeliverAfter(timeouts.misconfigurationDelay)
    })

  const receive = (consumer: string, handler: Handler<R>) => {
    const name = `${service} ${handler.name}`
    const processDelivery = handler.idempotent === true ? processIdempotent : processMessage
    const handle = (context: Context.Context<never>, delivery: Delivery, incoming: DecodedMessage<R>) => {
      Metrics.record(context, Metrics.consumed, service, { type: incoming.type })
      return Effect.suspend(() => processDelivery(consumer, handler, delivery, incoming)).pipe(
        Effect.catch(nack),
        TraceContext.withConsumerSpan(name, delivery, incoming.cause.traceparent, incoming.logAttributes),
      )
    }
    /** What cannot be read, no consumer of an event can; of work there is one alone. */
    const from = handler.from(service)
    const sharedFault = from === "all-events" || from.channel === "event" ? ({ shared: true } as const) : {}
    const decodeAndHandle = (delivery: Delivery) =>
      Effect.withFiber(({ context }): Effect.Effect<Disposition, never, R> =>
        Effect.matchEffect(handler.decode(delivery, publishPolicy), {
          onSuccess: (incoming) => handle(context, delivery, incoming),
          onFailure: ({ message, path, reason }) =>
            DeadLetterRecord.disposition(service, consumer, delivery, {
              reason,
              message,
              path,
              attempts: 1,
              firstAt: delivery.arrivedAt,
              ...sharedFault,
            }),
        }),
      )
    return (delivery: Delivery): Effect.Effect<Disposition, never, R> => {
      const replayTarget = DeadLetterRecord.headerOf(delivery, DeadLetterRecord.replayForHeader)
      if (replayTarget === undefined || replayTarget === consumer) return decodeAndHandle(delivery)
      // Whoever publishes can write a header; it must not make a message vanish.
      return ledger.replays.isRecorded(delivery, replayTarget).pipe(
        Effect.flatMap((noted) => (noted ? ackEffect : decodeAndHandle(delivery))),
        Effect.catch(nack),
      )
    }
  }

  const consumers = yield* Effect.forEach(handlers, (handler) => {
    const name = `${service}-${handler.name}`
    const { ackWait, sharedPermits, maxDeliveries } = handler
    const consumer = bus.consume(
      {
        name,
        from: handler.from(service),
        concurrency: handler.concurrency ?? 1,
        ...(sharedPermits === undefined ? {} : { sharedPermits }),
        ...(ackWait === undefined ? {} : { ackWait }),
        ...(maxDeliveries === undefined ? {} : { maxDeliveries }),
        onMaxDeliveries: DeadLetterRecord.onMaxDeliveries(service, name),
      },
      receive(name, handler),
    )
    return Effect.tap(consumer, ({ depth }) => consumerRegistry.register({ name, service, depth }))
    // Handlers inherit it: nothing is annotated for each event.
  }).pipe(Effect.annotateLogs({ service }))
  // Runs before the consumers' own finalizers: what finishes within the grace is told and acknowledged.
  yield* Effect.addFinalizer(() =>
    Effect.forEach(consumers, (consumer) => consumer.drain, { concurrency: "unbounded", discard: true }).pipe(
      Effect.timeoutOption(timeouts.drainTimeout),
      Effect.flatMap((drained) =>
        Option.isSome(drained)
          ? Effect.void
          : Effect.logWarning(`work of ${service} is handed back: it did not end within the grace`),
      ),
    ),
  )
})

/** A message's place at the head of its lane. */
interface QueueTurn {
  readonly dequeue: Effect.Effect<void, Conflict | StateError>
  readonly extend: (after: Duration.Duration) => Effect.Effect<void, Conflict | StateError>
}

/**
 * How soon a message that is not at the head of its lane asks again: the nearer, the sooner, and never so late that a
 * lane of quick work stands still; a head that takes its time is asked after less and less often.
 */
const redeliveryDelay = (position: number, attempt: number): Duration.Duration =>
  Duration.millis(Math.min(10_000, 50 * Math.min(position, 20) * 2 ** Math.min(4, attempt / 64)))
