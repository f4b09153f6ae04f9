/**
 * One at a time, over all processes: an exclusive queue is the lock, and it goes with its connection. Whoever takes
 * messages from a queue to look at them hides them from everybody else who looks meanwhile.
 */
import { type Duration, Effect, Schedule, type Scope, Semaphore } from "effect"
import type { RabbitConnection } from "./RabbitConnection.ts"
import { amqpErrorCode, errorFrom, isRabbitRequestError, type RabbitRequestError } from "./RabbitErrors.ts"

/** Runs something while it holds the lock; `patience` is how long it waits for the others. */
export const make = (connection: RabbitConnection, queue: string, timeout: Duration.Input) => {
  // The broker's lock is the connection's, so those of one process take turns by themselves.
  const mutex = Semaphore.makeUnsafe(1)
  const acquire = connection.channel().pipe(
    Effect.tap((channel) =>
      Effect.acquireRelease(
        Effect.tryPromise({
          try: () => channel.queueDeclare({ queue, exclusive: true, durable: false }),
          catch: (cause) => cause,
        }),
        () => Effect.ignore(Effect.tryPromise(() => channel.queueDelete({ queue }))),
      ),
    ),
    Effect.retry({
      while: (cause) => amqpErrorCode(cause) === "RESOURCE_LOCKED",
      schedule: Schedule.spaced("50 millis").pipe(Schedule.upTo({ duration: timeout })),
    }),
    Effect.mapError((cause) => (isRabbitRequestError(cause) ? cause : errorFrom(`queue ${queue}`)(cause))),
  )
  return <A, E, R>(use: Effect.Effect<A, E, R>): Effect.Effect<A, E | RabbitRequestError, Exclude<R, Scope.Scope>> =>
    mutex.withPermits(1)(Effect.scoped(Effect.andThen(acquire, use)))
}
export type Lock = ReturnType<typeof make>
