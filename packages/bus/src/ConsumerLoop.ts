/**
 * The part of a consumer that every adapter shares: handler slots, shared permits, in-progress signals, and settling a
 * message when its handler returns, dies or is interrupted. An adapter supplies a {@link PullSource}; this loop never
 * leases more messages than there are free slots.
 *
 * Hazards and how they are handled:
 * - The scope closes between leasing messages and starting their handlers: both are one uninterruptible step.
 * - Permits shared with an idle consumer: a permit is acquired only after the source reported a message.
 * - A handler is interrupted: its message is nacked before its slot is free, so closing returns after the nack.
 */
import { ConfigurationError, type PermanentError, type TransientError } from "@armoricore/domain/Errors"
import { Cause, Context, Duration, Effect, Exit, Fiber, FiberSet, Latch, References } from "effect"
import type {
  Consumer,
  ConsumerDepth,
  ConsumerOptions,
  Delivery,
  Disposition,
  EventBus,
  NewDeadLetter,
} from "./EventBus.ts"
import { isConsumerName } from "./Subjects.ts"

type PullSourceError = TransientError | ConfigurationError

/** A leased message and the ways to settle it. */
export interface LeasedMessage {
  readonly delivery: Omit<Delivery, "inProgress">
  /** Identifies the message within its consumer; the id of its dead letter derives from it. */
  readonly sequence: string | number
  /** A source may gather acknowledgements, and store them later: see `settled`. */
  readonly ack: Effect.Effect<void, PullSourceError>
  readonly nack: (afterMillis: number) => Effect.Effect<void, PullSourceError>
  readonly inProgress: Effect.Effect<void, PullSourceError>
}

export interface PullSource {
  /** Returns when messages may be available for `free` slots. Interruptible. */
  readonly ready: (free: number) => Effect.Effect<void, PullSourceError>
  /** Leases at most `max` messages and does not wait for more. */
  readonly take: (max: number) => Effect.Effect<ReadonlyArray<LeasedMessage>, PullSourceError>
  /** Nacks messages that were leased but not started, and stops pulling. Idempotent. */
  /** `ack` of several messages of this source. Optional: without it, each is acknowledged by itself. */
  readonly ackAll?: (messages: ReadonlyArray<LeasedMessage>) => Effect.Effect<void, PullSourceError>
  readonly stop: Effect.Effect<void>
  /** Sends the acknowledgements made so far: what is asked later finds them stored. Absent: `ack` does so itself. */
  readonly settled?: Effect.Effect<void>
  readonly depth: Effect.Effect<ConsumerDepth, PullSourceError>
}

export const defaults = { ackWait: Duration.seconds(30), maxDeliveries: 10_000 } as const
const defectRedeliveryDelay = 1_000
const busErrorDelay = 1_000
const rejectedDeadLetterDelay = 60_000

/**
 * How often the broker may deliver a message. Where this program dead-letters exhausted messages, the broker's limit is
 * a little higher, so that a worker has time to do so.
 */
export const brokerMaxDeliver = (options: Pick<ConsumerOptions, "maxDeliveries" | "onMaxDeliveries">): number =>
  (options.maxDeliveries ?? defaults.maxDeliveries) + (options.onMaxDeliveries === undefined ? 0 : 2)

/**
 * The id of a dead letter: the same for every process that writes it, so it is stored once. It contains the arrival time,
 * because a stream that is created again reuses its sequence numbers.
 */
export const deadLetterIdOf = (
  { name }: Pick<ConsumerOptions, "name">,
  sequence: string | number,
  arrivedAt: number,
): string => `dlq:${name}:${sequence}:${arrivedAt}`

/** The `name` of an id that is the same for every consumer of one stream; no consumer can have this name. */
const allConsumers = { name: "*" }

export const checkName = (options: Pick<ConsumerOptions, "name">): Effect.Effect<void, ConfigurationError> =>
  isConsumerName(options.name)
    ? Effect.void
    : Effect.fail(
        new ConfigurationError({
          setting: `consumer ${options.name}`,
          message: `A consumer's name consists of a-z, 0-9 and "-"; rename "${options.name}"`,
        }),
      )

/**
 * Repeats a step of a start until the bus answers: a connection that is cut meanwhile must not end the process. The first
 * failure is logged.
 */
export const waitForBus = (what: string) => {
  const attempt = <A, R>(
    step: Effect.Effect<A, PullSourceError, R>,
    isFirst: boolean,
  ): Effect.Effect<A, ConfigurationError, R> =>
    Effect.catchTag(step, "TransientError", (error) =>
      (isFirst ? Effect.logWarning(`${what} waits for the bus: ${error.message}`) : Effect.void).pipe(
        Effect.andThen(Effect.sleep(startRetryDelay)),
        Effect.andThen(Effect.suspend(() => attempt(step, false))),
      ),
    )
  return <A, R>(step: Effect.Effect<A, PullSourceError, R>) => attempt(step, true)
}

const startRetryDelay = "500 millis"

const maxUnconfirmed = 1_000

/**
 * Publishes a dead letter and runs its `onStored`. A dead letter whose publish failed may be stored all the same, and the
 * next attempt then finds a duplicate: `unconfirmed` has the ids of such attempts, and their duplicates count as stored.
 */
export const storeDeadLetter = (
  publish: EventBus["Service"]["publish"],
  id: string,
  { deadLetter, onStored = Effect.void }: NewDeadLetter,
  unconfirmed: Set<string>,
): ReturnType<EventBus["Service"]["publish"]> =>
  publish({ ...deadLetter, id }).pipe(
    Effect.tapError(() =>
      Effect.sync(() => {
        if (unconfirmed.size < maxUnconfirmed) unconfirmed.add(id)
      }),
    ),
    Effect.tap(({ duplicate }) =>
      Effect.suspend(() => (unconfirmed.delete(id) || !duplicate ? onStored : Effect.void)),
    ),
  )

/** Runs a consumer on a source until the scope closes. */
export const run = Effect.fnUntraced(function* <R>(
  options: ConsumerOptions,
  source: PullSource,
  handle: (delivery: Delivery) => Effect.Effect<Disposition, never, R>,
  publish: EventBus["Service"]["publish"],
) {
  const { concurrency, lane, onMaxDeliveries, sharedPermits } = options
  const maxDeliveries = options.maxDeliveries ?? defaults.maxDeliveries
  const ackWait = Duration.toMillis(options.ackWait ?? defaults.ackWait)
  // Finalizers run in reverse order: pulling stops before handlers are interrupted, otherwise the source would receive
  // the messages that they nack.
  const handlers = yield* FiberSet.make<void>()
  if (lane !== undefined) yield* Effect.addFinalizer(() => lane.stop)
  yield* Effect.addFinalizer(() => source.stop)
  const context = yield* Effect.context<R>()
  const annotations = Context.get(context, References.CurrentLogAnnotations)
  const running = new Set<LeasedMessage>()
  const freeSlots = yield* Latch.make(true)
  /** Open while no message is handled. */
  const idle = yield* Latch.make(true)
  const unconfirmed = new Set<string>()

  const settle = (
    leased: LeasedMessage,
    exit: Exit.Exit<Disposition>,
  ): Effect.Effect<void, PullSourceError | PermanentError> => {
    if (Exit.isFailure(exit)) {
      if (Cause.hasInterruptsOnly(exit.cause)) return leased.nack(0)
      return Effect.logError("A handler died; its message is redelivered", exit.cause).pipe(
        Effect.andThen(leased.nack(defectRedeliveryDelay)),
      )
    }
    const disposition = exit.value
    switch (disposition._tag) {
      case "Ack":
        return leased.ack
      case "Retry":
        return leased.nack(Math.max(0, Duration.toMillis(disposition.after)))
      case "DeadLetter":
        return storeDeadLetter(
          publish,
          deadLetterIdOf(
            disposition.shared === true ? allConsumers : options,
            leased.sequence,
            leased.delivery.arrivedAt,
          ),
          disposition,
          unconfirmed,
        ).pipe(
          Effect.matchEffect({
            onSuccess: () => leased.ack,
            onFailure: (error) =>
              Effect.logError("A dead letter could not be stored; its message stays in the queue", error).pipe(
                Effect.andThen(leased.nack(error._tag === "PermanentError" ? rejectedDeadLetterDelay : busErrorDelay)),
              ),
          }),
        )
    }
  }

  /** A message that was delivered too often is not handled again. */
  const dispatch = (leased: LeasedMessage): Effect.Effect<Disposition, never, R> =>
    onMaxDeliveries === undefined || leased.delivery.deliveryCount <= maxDeliveries
      ? handle({ ...leased.delivery, inProgress: Effect.suspend(() => extendLease(leased)) })
      : Effect.map(onMaxDeliveries(leased.delivery), (made) => ({ _tag: "DeadLetter", ...made }))

  const processMessage = (leased: LeasedMessage): Effect.Effect<void, never, R> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.exit(restore(Effect.suspend(() => dispatch(leased)))), (exit) =>
        settleAndFree(leased, exit),
      ),
    )

  const settleAndFree = (leased: LeasedMessage, exit: Exit.Exit<Disposition>): Effect.Effect<void> =>
    releaseAfter(settle(leased, exit), [leased])

  const releaseAfter = (
    settling: Effect.Effect<void, PullSourceError | PermanentError>,
    messages: ReadonlyArray<LeasedMessage>,
  ): Effect.Effect<void> =>
    Effect.matchCauseEffect(settling, {
      onFailure: (cause) =>
        Effect.andThen(
          Effect.logWarning("A message could not be settled; the bus redelivers it when its ack wait is over", cause),
          releaseSlots(messages),
        ),
      onSuccess: () => releaseSlots(messages),
    })

  const settled: Array<readonly [LeasedMessage, Disposition]> = []
  /** Those that the lane settled at once. The acknowledgements of one turn share a transaction or a round trip. */
  const settleAll = Effect.suspend(() => {
    const { ackAll } = source
    const all = settled.splice(0)
    const done = ackAll === undefined ? [] : all.filter(([, { _tag }]) => _tag === "Ack").map(([leased]) => leased)
    const others = ackAll === undefined ? all : all.filter(([, { _tag }]) => _tag !== "Ack")
    return Effect.andThen(
      ackAll === undefined || done.length === 0 ? Effect.void : releaseAfter(ackAll(done), done),
      Effect.forEach(others, ([leased, disposition]) => settleAndFree(leased, Exit.succeed(disposition)), {
        concurrency: "unbounded",
        discard: true,
      }),
    )
  })

  const offer = (leased: LeasedMessage): boolean =>
    lane !== undefined &&
    leased.delivery.deliveryCount <= maxDeliveries &&
    lane.take(leased.delivery, {
      settle: (disposition) => {
        if (settled.push([leased, disposition]) === 1) queueMicrotask(() => launch(Effect.uninterruptible(settleAll)))
      },
      decline: () => start(leased),
    })

  const releaseSlots = (messages: ReadonlyArray<LeasedMessage>): Effect.Effect<void> => {
    for (const leased of messages) running.delete(leased)
    if (running.size === 0) idle.openUnsafe()
    freeSlots.openUnsafe()
    return sharedPermits === undefined ? Effect.void : Effect.asVoid(sharedPermits.release(messages.length))
  }

  /**
   * Log annotations come with the context in which the fiber starts: annotating each effect would cost twice as much
   * (measured).
   */
  const start = (leased: LeasedMessage) => {
    const { id, subject } = leased.delivery
    const own = Context.add(context, References.CurrentLogAnnotations, {
      ...annotations,
      consumer: options.name,
      subject,
      message_id: id,
    })
    launch(processMessage(leased), own)
  }

  const launch = (work: Effect.Effect<void, never, R>, own = context) => {
    const fiber = Effect.runForkWith(own)(work)
    // Work that finished synchronously is not added: the set is for fibers to await or interrupt.
    if (fiber.pollUnsafe() === undefined) FiberSet.addUnsafe(handlers, fiber)
  }

  const extendLease = (leased: LeasedMessage): Effect.Effect<void> =>
    Effect.catch(leased.inProgress, (error) => Effect.logDebug("An in-progress signal did not reach the bus", error))

  /** Acquires at least one and at most `free` permits. */
  const acquirePermits = Effect.fnUntraced(function* (free: number) {
    if (sharedPermits === undefined) return free
    yield* Effect.interruptible(sharedPermits.take(1))
    let held = 1
    while (held < free && (yield* sharedPermits.takeIfAvailable(1))) held++
    return held
  })

  const takeAndStart = Effect.uninterruptible(
    Effect.gen(function* () {
      const held = yield* acquirePermits(concurrency - running.size)
      const messages = yield* source.take(held).pipe(
        Effect.onExit((exit) => {
          const unused = held - (Exit.isSuccess(exit) ? exit.value.length : 0)
          return sharedPermits === undefined || unused === 0 ? Effect.void : sharedPermits.release(unused)
        }),
      )
      for (const message of messages) {
        running.add(message)
        idle.closeUnsafe()
        if (running.size >= concurrency) freeSlots.closeUnsafe()
        if (!offer(message)) start(message)
      }
      lane?.flush()
    }),
  )

  const pull = Effect.suspend(() => source.ready(concurrency - running.size)).pipe(
    Effect.andThen(takeAndStart),
    Effect.catch((error) =>
      Effect.logWarning(`Consumer ${options.name} cannot reach the bus`, error).pipe(
        Effect.andThen(Effect.sleep(busErrorDelay)),
      ),
    ),
    // The pull loop ends only with its scope: a consumer that stopped pulling would hang without an error.
    Effect.catchDefect((defect) =>
      Effect.logError(`Consumer ${options.name} failed while pulling`, defect).pipe(
        Effect.andThen(Effect.sleep(busErrorDelay)),
      ),
    ),
  )
  // Both fibers end with the scope; the pull loop also with a drain.
  const puller = yield* Effect.forkScoped(Effect.forever(Effect.andThen(freeSlots.await, pull)))
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.sleep(ackWait / 3).pipe(
        Effect.andThen(
          Effect.suspend(() => Effect.forEach([...running], extendLease, { discard: true, concurrency: 16 })),
        ),
      ),
    ),
  )

  const consumer: Consumer = {
    drain: Fiber.interrupt(puller).pipe(
      Effect.andThen(source.stop),
      Effect.andThen(FiberSet.awaitEmpty(handlers)),
      Effect.andThen(idle.await),
      Effect.andThen(source.settled ?? Effect.void),
    ),
    depth: source.depth,
    running: () => running.size,
  }
  return consumer
})
