/**
 * What every adapter's consumer does alike: slots, the shared gate, signs of life, and what becomes of a message when its
 * handler answers, dies or is interrupted. An adapter supplies a {@link Source}; this module never holds more messages
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

type SourceError = TransientError | ConfigurationError

/** A message that was taken, and the ways to settle it. */
export interface Taken {
  readonly delivery: Omit<Delivery, "inProgress">
  /** Names the message within its consumer; makes the id of its dead letter. */
  readonly sequence: string | number
  readonly ack: Effect.Effect<void, SourceError>
  readonly retry: (afterMillis: number) => Effect.Effect<void, SourceError>
  readonly working: Effect.Effect<void, SourceError>
}

export interface Source {
  /** Returns when there may be something to take for `free` slots. Interruptible. */
  readonly ready: (free: number) => Effect.Effect<void, SourceError>
  /** At most `max` messages, without waiting for more to come. */
  readonly take: (max: number) => Effect.Effect<ReadonlyArray<Taken>, SourceError>
  /** Hands back what was taken but never started, and stops pulling. May be run twice. */
  readonly stop: Effect.Effect<void>
  readonly depth: Effect.Effect<ConsumerDepth, SourceError>
}

export const defaults = { ackWait: Duration.seconds(30), maxDeliveries: 10_000 } as const
const afterDefect = 1_000
const afterBusFault = 1_000
const afterRefusedLetter = 60_000

/**
 * How often the bus itself may deliver: where letters are made of exhausted messages, a few times more, so that a worker
 * gets to write them.
 */
export const busDeliveries = (options: Pick<ConsumerOptions, "maxDeliveries" | "exhausted">): number =>
  (options.maxDeliveries ?? defaults.maxDeliveries) + (options.exhausted === undefined ? 0 : 2)

/** A letter is written once, whoever writes it. */
export const letterId = ({ name }: Pick<ConsumerOptions, "name">, sequence: string | number): string =>
  `dlq:${name}:${sequence}`

/** The same for every consumer of one stream; no consumer has such a name. */
const sharedLetterId = ({ delivery, sequence }: Taken): string =>
  letterId({ name: "*" }, `${sequence}:${delivery.arrivedAt}`)

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
  source: Source,
  handle: (delivery: Delivery) => Effect.Effect<Disposition, never, R>,
  publish: EventBus["Service"]["publish"],
) {
  const { concurrency, exhausted, gate } = options
  const maxDeliveries = options.maxDeliveries ?? defaults.maxDeliveries
  const ackWait = Duration.toMillis(options.ackWait ?? defaults.ackWait)
  // Closing goes from the bottom up: pulling ends before handlers are interrupted, or what they hand back would come here.
  const handlers = yield* FiberSet.make<void>()
  yield* Effect.addFinalizer(() => source.stop)
  const context = yield* Effect.context<R>()
  const annotations = Context.get(context, References.CurrentLogAnnotations)
  const running = new Set<Taken>()
  const slots = yield* Latch.make(true)

  const settle = (taken: Taken, exit: Exit.Exit<Disposition>): Effect.Effect<void, SourceError | PermanentError> => {
    if (Exit.isFailure(exit)) {
      if (Cause.hasInterruptsOnly(exit.cause)) return taken.retry(0)
      return Effect.logError("A handler died; its message is tried again", exit.cause).pipe(
        Effect.andThen(taken.retry(afterDefect)),
      )
    }
    const disposition = exit.value
    switch (disposition._tag) {
      case "Ack":
        return taken.ack
      case "Retry":
        return taken.retry(Math.max(0, Duration.toMillis(disposition.after)))
      case "DeadLetter":
        return publish({
          ...disposition.letter,
          id: disposition.shared === true ? sharedLetterId(taken) : letterId(options, taken.sequence),
        }).pipe(
          Effect.matchEffect({
            onSuccess: () => taken.ack,
            onFailure: (error) =>
              Effect.logError("A dead letter could not be stored; its message is kept", error).pipe(
                Effect.andThen(taken.retry(error._tag === "PermanentError" ? afterRefusedLetter : afterBusFault)),
              ),
          }),
        )
    }
  }

  /** What is delivered too often is not handled any more. */
  const dispose = (taken: Taken): Effect.Effect<Disposition, never, R> =>
    exhausted === undefined || taken.delivery.attempt <= maxDeliveries
      ? handle({ ...taken.delivery, inProgress: Effect.suspend(() => tell(taken)) })
      : Effect.map(exhausted(taken.delivery), (letter) => ({ _tag: "DeadLetter", letter }))

  const work = (taken: Taken): Effect.Effect<void, never, R> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.exit(restore(Effect.suspend(() => dispose(taken)))), (exit) =>
        Effect.matchCauseEffect(settle(taken, exit), {
          onFailure: (cause) =>
            Effect.andThen(
              Effect.logWarning(
                "A message could not be settled; the bus delivers it again when its wait is over",
                cause,
              ),
              free(taken),
            ),
          onSuccess: () => free(taken),
        }),
      ),
    )

  const free = (taken: Taken): Effect.Effect<unknown> => {
    running.delete(taken)
    slots.openUnsafe()
    return gate === undefined ? Effect.void : gate.release(1)
  }

  /** Log annotations come with the context that the fiber starts in: to annotate the work would cost twice as much. */
  const start = (taken: Taken) => {
    const { id, subject } = taken.delivery
    const own = Context.add(context, References.CurrentLogAnnotations, {
      ...annotations,
      consumer: options.name,
      subject,
      message_id: id,
    })
    const fiber = Effect.runForkWith(own)(work(taken))
    // Much work is done by now; the set is for what must be waited for or interrupted.
    if (fiber.pollUnsafe() === undefined) FiberSet.addUnsafe(handlers, fiber)
  }

  const tell = (taken: Taken): Effect.Effect<void> =>
    Effect.catch(taken.working, (error) => Effect.logDebug("A sign of life did not reach the bus", error))

  /** Permits for at least one and at most `free` messages. */
  const permits = Effect.fnUntraced(function* (free: number) {
    if (gate === undefined) return free
    yield* Effect.interruptible(gate.take(1))
    let held = 1
    while (held < free && (yield* gate.takeIfAvailable(1))) held++
    return held
  })

  const takeAndStart = Effect.uninterruptible(
    Effect.gen(function* () {
      const held = yield* permits(concurrency - running.size)
      const taken = yield* source.take(held).pipe(
        Effect.onExit((exit) => {
          const unused = held - (Exit.isSuccess(exit) ? exit.value.length : 0)
          return gate === undefined || unused === 0 ? Effect.void : gate.release(unused)
        }),
      )
      for (const message of taken) {
        running.add(message)
        if (running.size >= concurrency) slots.closeUnsafe()
        start(message)
      }
    }),
  )

  const pull = Effect.suspend(() => source.ready(concurrency - running.size)).pipe(
    Effect.andThen(takeAndStart),
    Effect.catch((error) =>
      Effect.logWarning(`Consumer ${options.name} cannot reach the bus`, error).pipe(
        Effect.andThen(Effect.sleep(afterBusFault)),
      ),
    ),
    // Pulling never ends by itself: whoever is not asked for any more would wait for ever.
    Effect.catchDefect((defect) =>
      Effect.logError(`Consumer ${options.name} met a fault while it pulled`, defect).pipe(
        Effect.andThen(Effect.sleep(afterBusFault)),
      ),
    ),
  )
  // Both end with the scope; the puller also with a drain.
  const puller = yield* Effect.forkScoped(Effect.forever(Effect.andThen(slots.await, pull)))
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.sleep(ackWait / 3).pipe(
        Effect.andThen(Effect.suspend(() => Effect.forEach([...running], tell, { discard: true, concurrency: 16 }))),
      ),
    ),
  )

  const consumer: Consumer = {
    drain: Fiber.interrupt(puller).pipe(Effect.andThen(source.stop), Effect.andThen(FiberSet.awaitEmpty(handlers))),
    depth: source.depth,
  }
  return consumer
})
