/**
 * The worker loop of every service. Each message of a durable consumer goes through these steps:
 *
 *     decode → authorize → enter the partition → acquire a lease → handle → decide → publish the decision → ack
 *
 * Hazards and how the loop meets them:
 * - A process dies at any point: the bus redelivers the message. Before `decide`, another worker runs the handler again
 *   under a new fencing token. After it, the stored decision is published again with the same ids. A message whose owners
 *   keep dying becomes the dead letter `crashed`.
 * - Two processes work on one message, because a lease expired while its owner was suspended: only one can decide. The
 *   `decide` of the other fails with `Conflict`, and it publishes nothing.
 * - Two messages change the same thing: a handler with a `partitionKey` works on one of them at a time, in the order of
 *   arrival.
 * - A running job is cancelled: its handler is interrupted, and the next owner of the lease publishes the cancellation.
 * - SIGTERM: the consumers stop pulling, and running handlers get `drainTimeout` to finish. Then they are interrupted and
 *   their leases are released without counting an attempt, so the bus redelivers the messages to other workers at once.
 * - A poison message occupies no concurrency slot while it waits for its next attempt.
 *
 * Hot path: the steps run once per message, so they are plain functions without spans, and a handler that completes
 * synchronously starts no fiber.
 */
import { type Delivery, type Disposition, EventBus } from "@armoricore/bus/EventBus"
import * as ConsumerName from "@armoricore/bus/ConsumerName"
import { ConfigurationError, Conflict, type InvalidEvent, type TransientError } from "@armoricore/domain/Errors"
import type { StateError } from "@armoricore/state/KeyValue"
import { Clock, Context, Duration, Effect, Exit, Layer, Option, type Scope } from "effect"
import * as Attempt from "./Attempt.ts"
import * as Cancellation from "./control/Cancellation.ts"
import { ConsumerRegistry } from "./control/ConsumerRegistry.ts"
import * as DeadLetterRecord from "./dead-letters/DeadLetterRecord.ts"
import type { DecodedMessage, Handler, HandlerContext, HandlerError } from "./Handler.ts"
import * as HandlerWatch from "./HandlerWatch.ts"
import { type AcquireResult, type Lease, Ledger } from "./ledger/Ledger.ts"
import { type PublishPolicy, publishPolicyOf, withoutProofs } from "./PublishPolicy.ts"
import type { ResultMessage } from "./ResultMessage.ts"
import * as ResultPublisher from "./ResultPublisher.ts"
import { retryDelay, type RetryPolicy, retryPolicyOf } from "./RetryPolicy.ts"
import * as TraceContext from "./TraceContext.ts"
import * as WorkerLane from "./WorkerLane.ts"
import * as Metrics from "./WorkerMetrics.ts"

export interface WorkerTimeouts {
  /** A lease expires after this time unless its owner renews it. */
  readonly leaseDuration: Duration.Duration
  /** Running handlers may finish within this time after the shutdown began. */
  readonly drainTimeout: Duration.Duration
  /** Delay before the next attempt at a message whose handler failed with a `ConfigurationError`. */
  readonly misconfigurationDelay: Duration.Duration
}
export const WorkerTimeouts = Context.Reference<WorkerTimeouts>("@armoricore/worker/WorkerTimeouts", {
  defaultValue: () => ({
    leaseDuration: Duration.seconds(30),
    drainTimeout: Duration.seconds(20),
    misconfigurationDelay: Duration.seconds(60),
  }),
})

/** After this many leases in a row expired, the message counts as the cause of the crashes. */
export const MaxExpiredLeases = Context.Reference<number>("@armoricore/worker/MaxExpiredLeases", {
  defaultValue: () => 20,
})

const ack: Disposition = { _tag: "Ack" }
const ackEffect = Effect.succeed(ack)
const defaultTimeout = Duration.hours(1)
const redeliverAfter = (after: Duration.Duration): Disposition => ({ _tag: "Retry", after })

/** The consumers of one process. Tests that stand for several processes give each its own. */
export class ProcessConsumers {
  private readonly names = new Set<string>()

  /** Registers the name until the scope closes. */
  claim(name: string): Effect.Effect<void, ConfigurationError, Scope.Scope> {
    return Effect.asVoid(
      Effect.acquireRelease(
        Effect.suspend(() => {
          if (this.names.has(name)) return Effect.fail(duplicateConsumer(name))
          this.names.add(name)
          return Effect.void
        }),
        () => Effect.sync(() => void this.names.delete(name)),
      ),
    )
  }
}

const duplicateConsumer = (name: string): ConfigurationError =>
  new ConfigurationError({
    setting: `consumer ${name}`,
    message: `Two workers of this process consume as ${name}: each would receive only some of the messages; give one of them another service name in Worker.run`,
  })

/** `undefined`: the consumers of all workers on the same bus of this process. */
export const CurrentProcessConsumers = Context.Reference<ProcessConsumers | undefined>(
  "@armoricore/worker/CurrentProcessConsumers",
  { defaultValue: () => undefined },
)
/** The workers of the layer count as a process of their own, for tests of several nodes in one process. */
export const layerOwnProcess: Layer.Layer<never> = Layer.fresh(
  Layer.sync(CurrentProcessConsumers, () => new ProcessConsumers()),
)

const consumersByBus = new WeakMap<EventBus["Service"], ProcessConsumers>()

const processConsumers = Effect.fnUntraced(function* () {
  const provided = yield* CurrentProcessConsumers
  if (provided !== undefined) return provided
  const bus = yield* EventBus
  const known = consumersByBus.get(bus) ?? new ProcessConsumers()
  consumersByBus.set(bus, known)
  return known
})

/** Shared by all consumers of one service. */
interface WorkerRuntime {
  readonly service: string
  /** `EventBus.system`. */
  readonly system: string
  readonly ledger: Ledger["Service"]
  readonly publisher: ResultPublisher.ResultPublisher
  readonly runningJobs: Cancellation.RunningJobs
  readonly retryPolicy: RetryPolicy
  readonly publishPolicy: PublishPolicy
  readonly timeouts: WorkerTimeouts
  readonly maxExpiredLeases: number
  readonly clock: Clock.Clock
  /** Names this worker in lease records. */
  readonly owner: string
}

/** Shared by all messages of one consumer. */
interface ConsumerRuntime<R> extends WorkerRuntime {
  /** The durable's name, for example `media-media-uploaded`. */
  readonly consumer: string
  readonly handler: Handler<R>
  readonly attemptPolicy: RetryPolicy
  readonly watch: HandlerWatch.HandlerWatch
}

/** One message on its way through the steps. */
interface MessageRun<R> {
  readonly runtime: ConsumerRuntime<R>
  readonly delivery: Delivery
  readonly message: DecodedMessage<R>
  /** Names the message in the ledger. */
  readonly key: string
}

/** The turn of a message at the head of its partition. */
interface QueueTurn {
  readonly dequeue: Effect.Effect<void, Conflict | StateError>
  readonly extend: (after: Duration.Duration) => Effect.Effect<void, Conflict | StateError>
}

type StepError = HandlerError | Conflict | StateError

/**
 * Runs the handlers of a service until the scope closes, then drains them. `service` consists of `a-z`, `0-9` and `-`. It is
 * the source of the events that the handlers publish, and the prefix of their consumers' names: two processes with one name
 * share the messages, and two runs with one consumer in one process are a `ConfigurationError`. `media`, `notify`, `ai`,
 * `realtime`, `webhook`, `operator` and `guard` are Armoricore's own names.
 */
export const run = Effect.fn("Worker.run")(function* <R>(
  service: string,
  handlers: ReadonlyArray<Handler<R>>,
): Effect.fn.Return<void, TransientError | ConfigurationError, R | EventBus | Ledger | Scope.Scope> {
  const bus = yield* EventBus
  const timeouts = yield* WorkerTimeouts
  const runtime: WorkerRuntime = {
    service,
    system: bus.system,
    ledger: yield* Ledger,
    publisher: ResultPublisher.make(service, bus),
    runningJobs: yield* Cancellation.listen,
    retryPolicy: yield* retryPolicyOf(service),
    publishPolicy: yield* Effect.withFiber((fiber) => Effect.succeed(publishPolicyOf(fiber))),
    timeouts,
    maxExpiredLeases: yield* MaxExpiredLeases,
    clock: yield* Clock.Clock,
    owner: `${service}-${crypto.randomUUID()}`,
  }
  const consumers = yield* Effect.forEach(handlers, (handler) => consume(runtime, handler)).pipe(
    // Handlers inherit the annotation, so no message has to add it.
    Effect.annotateLogs({ service }),
  )
  // Runs before the consumers' own finalizers, so a handler that finishes in time still publishes and acks.
  yield* Effect.addFinalizer(() =>
    Effect.forEach(consumers, (consumer) => consumer.drain, { concurrency: "unbounded", discard: true }).pipe(
      Effect.timeoutOption(timeouts.drainTimeout),
      Effect.flatMap((drained) =>
        Option.isSome(drained)
          ? Effect.void
          : Effect.logWarning(
              `Handlers of ${service} did not finish within the drain timeout; their messages are redelivered`,
              {
                drainTimeout: Duration.format(timeouts.drainTimeout),
              },
            ),
      ),
    ),
  )
})

const consume = Effect.fnUntraced(function* <R>(runtime: WorkerRuntime, handler: Handler<R>) {
  const { retryPolicy, service } = runtime
  const bus = yield* EventBus
  const registry = yield* ConsumerRegistry
  const from = handler.from(service)
  const name = typeof from === "string" ? `${service}-${handler.name}` : ConsumerName.of(service, from)
  const { ackWait, maxDeliveries, sharedPermits } = handler
  yield* (yield* processConsumers()).claim(name)
  const watch = yield* HandlerWatch.make({
    service,
    timeout: handler.timeout ?? defaultTimeout,
    leaseDuration: runtime.timeouts.leaseDuration,
    runningJobs: runtime.runningJobs,
  })
  const lane =
    handler.lane === undefined || typeof from === "string" || from.channel !== "event"
      ? undefined
      : WorkerLane.make({
          ...runtime,
          consumer: name,
          type: from.type,
          handler: handler.lane,
          policy: runtime.publishPolicy,
          context: yield* Effect.context<never>(),
        })
  const consumer = yield* bus.consume(
    {
      name,
      from,
      concurrency: handler.concurrency ?? 1,
      ...(lane === undefined ? {} : { lane }),
      ...(sharedPermits === undefined ? {} : { sharedPermits }),
      ...(ackWait === undefined ? {} : { ackWait }),
      ...(maxDeliveries === undefined ? {} : { maxDeliveries }),
      onMaxDeliveries: DeadLetterRecord.onMaxDeliveries(service, name),
    },
    receive({
      ...runtime,
      consumer: name,
      handler,
      attemptPolicy: handler.retry === undefined ? retryPolicy : { ...retryPolicy, ...handler.retry },
      watch,
    }),
  )
  yield* registry.register({ name, service, depth: consumer.depth, running: consumer.running })
  return consumer
})

/**
 * The first step. An operator's replay needs no signature or upload token, and one that was sent for another consumer is acked; everything
 * else is decoded as received.
 */
const receive = <R>(runtime: ConsumerRuntime<R>) => {
  const { consumer, ledger, publishPolicy } = runtime
  const decode = makeDecode(runtime)
  const replayPolicy = withoutProofs(publishPolicy)
  return (delivery: Delivery): Effect.Effect<Disposition, never, R | EventBus> => {
    if (DeadLetterRecord.headerOf(delivery, DeadLetterRecord.replayOfHeader) === undefined)
      return decode(delivery, publishPolicy)
    return ledger.replays.find(delivery).pipe(
      Effect.flatMap((found): Effect.Effect<Disposition, never, R | EventBus> => {
        if (Option.isNone(found)) return decode(delivery, publishPolicy)
        const { consumer: only, original } = found.value
        if (only !== undefined && only !== consumer) return ackEffect
        return Effect.tap(decode(delivery, replayPolicy), (disposition) =>
          disposition._tag === "Ack" && original !== undefined
            ? DeadLetterRecord.removeOriginal(original)
            : Effect.void,
        )
      }),
      Effect.catch((error) => nack(runtime, error)),
    )
  }
}

/** Decodes and authorizes a message, and processes it in a span. An invalid message becomes a dead letter. */
const makeDecode = <R>(runtime: ConsumerRuntime<R>) => {
  const { consumer, handler, service } = runtime
  const operation = { system: runtime.system, name: "process", consumer } as const
  const process = handler.idempotent === true ? processIdempotent<R> : processMessage<R>
  // Every consumer of an event finds the same fault in it; work has only one consumer.
  const from = handler.from(service)
  const isShared = from === "all-events" || from.channel === "event"
  const processDecoded = (context: Context.Context<never>, delivery: Delivery, message: DecodedMessage<R>) => {
    Metrics.record(context, Metrics.consumed, service, { type: message.type })
    const messageRun = { runtime, delivery, message, key: `${consumer}.${message.messageKey}` }
    return Effect.suspend(() => process(messageRun)).pipe(
      Effect.catch((error) => nack(runtime, error)),
      TraceContext.withConsumerSpan(operation, delivery, message.cause.traceparent, message.logAttributes),
    )
  }
  const reject = (delivery: Delivery, { message, path, reason }: InvalidEvent) =>
    DeadLetterRecord.disposition(service, consumer, delivery, {
      reason,
      message,
      path,
      attempts: 1,
      firstAt: delivery.arrivedAt,
      ...(isShared ? { shared: true } : {}),
    })
  return (delivery: Delivery, policy: PublishPolicy) =>
    Effect.withFiber(({ context }): Effect.Effect<Disposition, never, R> =>
      Effect.matchEffect(handler.decode(delivery, policy), {
        onSuccess: (message) => processDecoded(context, delivery, message),
        onFailure: (error) => reject(delivery, error),
      }),
    )
}

const processMessage = <R>(messageRun: MessageRun<R>): Effect.Effect<Disposition, StepError, R> => {
  const { partition } = messageRun.message
  return partition === undefined
    ? acquireLease(messageRun, undefined)
    : enterPartition(messageRun, `${messageRun.runtime.service}.${partition}`)
}

/** Only the message at the head of its partition goes on; the others return to the bus. */
const enterPartition = Effect.fnUntraced(function* <R>(messageRun: MessageRun<R>, partition: string) {
  const { delivery, key, runtime } = messageRun
  const { keyedQueue } = runtime.ledger
  const { position } = yield* keyedQueue.enqueue(partition, key, delivery.arrivedAt)
  if (position > 0) return redeliverAfter(partitionDelay(position, delivery.deliveryCount))
  return yield* acquireLease(messageRun, {
    dequeue: keyedQueue.dequeue(partition, key),
    extend: (after) => keyedQueue.extend(partition, key, after),
  })
})

const acquireLease = <R>(
  messageRun: MessageRun<R>,
  turn: QueueTurn | undefined,
): Effect.Effect<Disposition, StepError, R> => {
  const { handler, ledger, owner, timeouts } = messageRun.runtime
  const { delivery, key } = messageRun
  if (handler.claimsItself === true && turn === undefined && delivery.deliveryCount === 1) {
    const lease = ledger.acquireLater(key, owner, timeouts.leaseDuration)
    return Effect.flatMap(lease, (later) => handleUnderLease(messageRun, later, turn))
  }
  return Effect.flatMap(ledger.acquire(key, owner, timeouts.leaseDuration), (acquired) => {
    switch (acquired._tag) {
      case "Leased":
        return Effect.succeed(redeliverAfter(Duration.max(acquired.remaining, minLeaseCheckDelay)))
      case "Decided":
        return republish(messageRun, acquired, turn)
      case "Acquired":
        return handleUnderLease(messageRun, acquired.lease, turn)
    }
  })
}

const minLeaseCheckDelay = Duration.millis(50)

/** The message was decided before: its results are published again under the same ids. */
const republish = <R>(
  { delivery, message, runtime: { consumer, publisher, service } }: MessageRun<R>,
  { attempts, decision, firstAt }: Extract<AcquireResult, { readonly _tag: "Decided" }>,
  turn: QueueTurn | undefined,
) =>
  Metrics.increment(Metrics.finished, service, { type: message.type, result: "duplicate" }).pipe(
    Effect.andThen(publisher.publish(consumer, delivery, decision, attempts, firstAt)),
    Effect.tap(() => turn?.dequeue ?? Effect.void),
  )

const handleUnderLease = <R>(messageRun: MessageRun<R>, lease: Lease, turn: QueueTurn | undefined) => {
  const startedAt = messageRun.runtime.clock.currentTimeMillisUnsafe()
  return Effect.flatMap(attempt(messageRun, lease), (result) => settle(messageRun, lease, result, startedAt, turn))
}

const attempt = <R>(messageRun: MessageRun<R>, lease: Lease): Effect.Effect<Attempt.AttemptResult, Conflict, R> => {
  const { message, runtime } = messageRun
  if (lease.cancelReason !== undefined) return Attempt.cancelled(message, lease.cancelReason, lease.attempts)
  if (lease.expiredLeases < runtime.maxExpiredLeases) return runHandler(messageRun, lease)
  const reason = `${lease.expiredLeases} workers in a row crashed or lost their lease while they worked on the message`
  return Attempt.exhausted(message, { code: "crashed", message: reason }, lease.attempts)
}

/** Runs the handler while the lease is renewed. A handler that completes synchronously needs no renewal or timeout. */
const runHandler = <R>(messageRun: MessageRun<R>, lease: Lease): Effect.Effect<Attempt.AttemptResult, Conflict, R> => {
  const { key, message, runtime } = messageRun
  const handling = message.handle(handlerContext(messageRun, lease.fencingToken, lease.attempts, lease.renew))
  return Attempt.runInline(handling, (suspended) => runtime.watch.await(suspended, { key, renew: lease.renew })).pipe(
    Effect.onInterrupt(() => releaseInterrupted(lease)),
    Effect.exit,
    Effect.flatMap((exit) =>
      Attempt.classify(attemptOptions(runtime, lease.attempts + (message.priorAttempts ?? 0)), message, exit),
    ),
  )
}

/** Without the release, the lease expires later and the message waits for that. */
const releaseInterrupted = (lease: Lease) =>
  lease
    .release({ countsAsAttempt: false })
    .pipe(Effect.catch((error) => Effect.logDebug("The lease of an interrupted handler was not released", { error })))

const handlerContext = <R>(
  { delivery, message: { cause }, runtime: { publisher } }: MessageRun<R>,
  fencingToken: number,
  attempts: number,
  renewLease: Effect.Effect<void, Conflict | StateError>,
): HandlerContext => ({
  cause,
  message: delivery,
  fencingToken,
  attempts,
  broadcast: (type, payload) => publisher.broadcast(cause, type, payload),
  publishEarly: (result) => publisher.publishEarly(cause, renewLease, result),
})

const attemptOptions = <R>(
  { attemptPolicy, service, timeouts }: ConsumerRuntime<R>,
  attempts: number,
): Attempt.AttemptOptions => ({
  service,
  policy: attemptPolicy,
  misconfigurationDelay: timeouts.misconfigurationDelay,
  attempts,
})

/** Releases the lease for the next attempt, or decides and publishes. */
const settle = <R>(
  { delivery, message, runtime }: MessageRun<R>,
  lease: Lease,
  result: Attempt.AttemptResult,
  startedAt: number,
  turn: QueueTurn | undefined,
) =>
  Effect.withFiber(({ context }) => {
    const { clock, consumer, publisher, service } = runtime
    const { type } = message
    const seconds = (clock.currentTimeMillisUnsafe() - startedAt) / 1000
    Metrics.record(context, Metrics.duration, service, { type }, seconds)
    if (result._tag === "Retry") return releaseForRetry(lease, result, turn)
    Metrics.record(context, Metrics.finished, service, { type, result: result.result })
    const published = Effect.flatMap(
      publisher.toDecision(message.cause, result.messages, result.deadLetter),
      (decision) =>
        Effect.flatMap(lease.decide(decision, result.attempts), () =>
          publisher.publish(consumer, delivery, decision, result.attempts, lease.firstAt),
        ),
    )
    return turn === undefined ? published : Effect.tap(published, () => turn.dequeue)
  })

const releaseForRetry = (lease: Lease, { after, countsAsAttempt }: Attempt.Retry, turn: QueueTurn | undefined) =>
  lease
    .release({ countsAsAttempt })
    .pipe(Effect.andThen(turn === undefined ? Effect.void : turn.extend(after)), Effect.as(redeliverAfter(after)))

/** Handles a message without the ledger: a repetition publishes the same ids, and every delivery counts as an attempt. */
const processIdempotent = <R>(messageRun: MessageRun<R>): Effect.Effect<Disposition, StepError, R> => {
  const { delivery, message, runtime } = messageRun
  const attempts = delivery.deliveryCount - 1
  const handling = message.handle(handlerContext(messageRun, delivery.deliveryCount, attempts, Effect.void))
  return Effect.matchCauseEffect(Attempt.runInline(handling, runtime.watch.awaitUnleased), {
    onFailure: (cause) => settleIdempotent(messageRun, Exit.failCause(cause)),
    onSuccess: (results) =>
      results.length === 0
        ? Effect.as(
            Metrics.increment(Metrics.finished, runtime.service, { type: message.type, result: "succeeded" }),
            ack,
          )
        : settleIdempotent(messageRun, Exit.succeed(results)),
  })
}

const settleIdempotent = Effect.fnUntraced(function* <R>(
  { delivery, message, runtime }: MessageRun<R>,
  exit: Exit.Exit<ReadonlyArray<ResultMessage>, HandlerError>,
) {
  const { consumer, publisher, service } = runtime
  const result = yield* Attempt.classify(attemptOptions(runtime, delivery.deliveryCount - 1), message, exit)
  if (result._tag === "Retry") return redeliverAfter(result.after)
  yield* Metrics.increment(Metrics.finished, service, { type: message.type, result: result.result })
  if (result.messages.length === 0 && result.deadLetter === undefined) return ack
  const decision = yield* publisher.toDecision(message.cause, result.messages, result.deadLetter)
  return yield* publisher.publish(consumer, delivery, decision, result.attempts, delivery.arrivedAt)
})

/** The bus or the state failed, or the lease was lost. The message itself is not at fault, so no attempt is counted. */
const nack = (
  { retryPolicy, timeouts }: WorkerRuntime,
  error: HandlerError | Conflict | StateError,
): Effect.Effect<Disposition> =>
  Effect.gen(function* () {
    // Another owner or a cancellation changed the record: the next delivery reads which one.
    if (error._tag === "Conflict") return redeliverAfter(Duration.millis(100))
    yield* Effect.logWarning(`The message is redelivered: ${error.message}`)
    return error._tag === "TransientError"
      ? redeliverAfter(yield* retryDelay(retryPolicy, 1, error.retryAfterMillis))
      : redeliverAfter(timeouts.misconfigurationDelay)
  })

/**
 * Redelivery delay of a message that is not at the head of its partition. It grows with the distance to the head, and
 * with the number of deliveries, so that a slow head costs few redeliveries and a fast partition does not idle.
 */
const partitionDelay = (position: number, deliveryCount: number): Duration.Duration =>
  Duration.millis(Math.min(10_000, 50 * Math.min(position, 20) * 2 ** Math.min(4, deliveryCount / 64)))
