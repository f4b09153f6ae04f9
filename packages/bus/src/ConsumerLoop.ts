/**
 * What every adapter's consumer does alike: slots, the shared gate, signs of life, and what becomes of a message when its
 * handler answers, dies or is interrupted. An adapter supplies a {@link PullSource}; this module never holds more messages
 * than there are free slots.
 *
 * Hazards and their answers:
 * - the scope closes between taking messages and starting their handlers: taking and starting are one uninterruptible step;
 * - a gate shared with an idle consumer: a permit is taken only once the source has reported something to take;
 * - a handler is interrupted: its message is handed back before its slot is free, so that closing returns after the hand-back.
 */
import { ConfigurationError, type PermanentError, type TransientError } from "@armoricore/domain/Errors"
import { Cause, Context, Duration, Effect, Exit, Fiber, FiberSet, Latch, References } from "effect"
import type { Consumer, ConsumerDepth, ConsumerOptions, Delivery, Disposition, EventBus } from "./EventBus.ts"
import { isConsumerName } from "./Subjects.ts"

type PullSourceError = TransientError | ConfigurationError

/** A message that was taken, and the ways to settle it. */
export interface LeasedMessage {
  readonly delivery: Omit<Delivery, "inProgress">
  /** Names the message within its consumer; makes the id of its dead letter. */
  readonly sequence: string | number
  readonly ack: Effect.Effect<void, PullSourceError>
  readonly nack: (afterMillis: number) => Effect.Effect<void, PullSourceError>
  readonly inProgress: Effect.Effect<void, PullSourceError>
}

export interface PullSource {
  /** Returns when there may be something to take for `free` slots. Interruptible. */
  readonly ready: (free: number) => Effect.Effect<void, PullSourceError>
  /** At most `max` messages, without waiting for more to come. */
  readonly take: (max: number) => Effect.Effect<ReadonlyArray<LeasedMessage>, PullSourceError>
  /** Hands back what was taken but never started, and stops pulling. May be run twice. */
  readonly stop: Effect.Effect<void>
  readonly depth: Effect.Effect<ConsumerDepth, PullSourceError>
}

export const defaults = { ackWait: Duration.seconds(30), maxDeliveries: 10_000 } as const
const defectRedeliveryDelay = 1_000
const busErrorDelay = 1_000
const rejectedDeadLetterDelay = 60_000

/**
 * How often the bus itself may deliver: where letters are made of exhausted messages, a few times more, so that a worker
 * gets to write them.
 */
export const brokerMaxDeliver = (options: Pick<ConsumerOptions, "maxDeliveries" | "onMaxDeliveries">): number =>
  (options.maxDeliveries ?? defaults.maxDeliveries) + (options.onMaxDeliveries === undefined ? 0 : 2)

/** A letter is written once, whoever writes it. */
export const deadLetterIdOf = ({ name }: Pick<ConsumerOptions, "name">, sequence: string | number): string =>
  `dlq:${name}:${sequence}`

/** The same for every consumer of one stream; no consumer has such a name. */
const sharedDeadLetterIdOf = ({ delivery, sequence }: LeasedMessage): string =>
  deadLetterIdOf({ name: "*" }, `${sequence}:${delivery.arrivedAt}`)

export const checkName = (options: Pick<ConsumerOptions, "name">): Effect.Effect<void, ConfigurationError> =>
  isConsumerName(options.name)
    ? Effect.void
    : Effect.fail(
        new ConfigurationError({
          setting: `consumer ${options.name}`,
          message: `A consumer's name consists of a-z, 0-9 and "-"; rename "${options.name}"`,
        }),
      )

/** Runs a consumer on a source until the scope closes. */
export const run = Effect.fnUntraced(function* <R>(
  options: ConsumerOptions,
  source: PullSource,
  handle: (delivery: Delivery) => Effect.Effect<Disposition, never, R>,
  publish: EventBus["Service"]["publish"],
) {
  const { concurrency, onMaxDeliveries, sharedPermits } = options
  const maxDeliveries = options.maxDeliveries ?? defaults.maxDeliveries
  const ackWait = Duration.toMillis(options.ackWait ?? defaults.ackWait)
  // Closing goes from the bottom up: pulling ends before handlers are interrupted, or what they hand back would come here.
  const handlers = yield* FiberSet.make<void>()
  yield* Effect.addFinalizer(() => source.stop)
  const context = yield* Effect.context<R>()
  const annotations = Context.get(context, References.CurrentLogAnnotations)
  const running = new Set<LeasedMessage>()
  const freeSlots = yield* Latch.make(true)

  const settle = (
    leased: LeasedMessage,
    exit: Exit.Exit<Disposition>,
  ): Effect.Effect<void, PullSourceError | PermanentError> => {
    if (Exit.isFailure(exit)) {
      if (Cause.hasInterruptsOnly(exit.cause)) return leased.nack(0)
      return Effect.logError("A handler died; its message is tried again", exit.cause).pipe(
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
        return publish({
          ...disposition.deadLetter,
          id: disposition.shared === true ? sharedDeadLetterIdOf(leased) : deadLetterIdOf(options, leased.sequence),
        }).pipe(
          Effect.matchEffect({
            onSuccess: () => leased.ack,
            onFailure: (error) =>
              Effect.logError("A dead letter could not be stored; its message is kept", error).pipe(
                Effect.andThen(leased.nack(error._tag === "PermanentError" ? rejectedDeadLetterDelay : busErrorDelay)),
              ),
          }),
        )
    }
  }

  /** What is delivered too often is not handled any more. */
  const dispatch = (leased: LeasedMessage): Effect.Effect<Disposition, never, R> =>
    onMaxDeliveries === undefined || leased.delivery.deliveryCount <= maxDeliveries
      ? handle({ ...leased.delivery, inProgress: Effect.suspend(() => extendLease(leased)) })
      : Effect.map(onMaxDeliveries(leased.delivery), (deadLetter) => ({ _tag: "DeadLetter", deadLetter }))

  const processMessage = (leased: LeasedMessage): Effect.Effect<void, never, R> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.exit(restore(Effect.suspend(() => dispatch(leased)))), (exit) =>
        Effect.matchCauseEffect(settle(leased, exit), {
          onFailure: (cause) =>
            Effect.andThen(
              Effect.logWarning(
                "A message could not be settled; the bus delivers it again when its wait is over",
                cause,
              ),
              releaseSlot(leased),
            ),
          onSuccess: () => releaseSlot(leased),
        }),
      ),
    )

  const releaseSlot = (leased: LeasedMessage): Effect.Effect<unknown> => {
    running.delete(leased)
    freeSlots.openUnsafe()
    return sharedPermits === undefined ? Effect.void : sharedPermits.release(1)
  }

  /** Log annotations come with the context that the fiber starts in: to annotate the work would cost twice as much. */
  const start = (leased: LeasedMessage) => {
    const { id, subject } = leased.delivery
    const own = Context.add(context, References.CurrentLogAnnotations, {
      ...annotations,
      consumer: options.name,
      subject,
      message_id: id,
    })
    const fiber = Effect.runForkWith(own)(processMessage(leased))
    // Much work is done by now; the set is for what must be waited for or interrupted.
    if (fiber.pollUnsafe() === undefined) FiberSet.addUnsafe(handlers, fiber)
  }

  const extendLease = (leased: LeasedMessage): Effect.Effect<void> =>
    Effect.catch(leased.inProgress, (error) => Effect.logDebug("A sign of life did not reach the bus", error))

  /** Permits for at least one and at most `free` messages. */
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
        if (running.size >= concurrency) freeSlots.closeUnsafe()
        start(message)
      }
    }),
  )

  const pull = Effect.suspend(() => source.ready(concurrency - running.size)).pipe(
    Effect.andThen(takeAndStart),
    Effect.catch((error) =>
      Effect.logWarning(`Consumer ${options.name} cannot reach the bus`, error).pipe(
        Effect.andThen(Effect.sleep(busErrorDelay)),
      ),
    ),
    // Pulling never ends by itself: whoever is not asked for any more would wait for ever.
    Effect.catchDefect((defect) =>
      Effect.logError(`Consumer ${options.name} met a fault while it pulled`, defect).pipe(
        Effect.andThen(Effect.sleep(busErrorDelay)),
      ),
    ),
  )
  // Both end with the scope; the puller also with a drain.
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
    drain: Fiber.interrupt(puller).pipe(Effect.andThen(source.stop), Effect.andThen(FiberSet.awaitEmpty(handlers))),
    depth: source.depth,
  }
  return consumer
})
