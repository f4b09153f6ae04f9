/**
 * A lock over all processes: an exclusive queue, which RabbitMQ deletes with its connection. It is needed because a
 * process that browses a queue hides the messages from every other browser.
 */
import { Effect, Schedule, Semaphore } from "effect";
import { amqpErrorCode, errorFrom, isRabbitRequestError } from "./RabbitErrors.ts";
/** Holds the lock until the scope closes; `timeout` is how long to wait for it. One caller per process at a time. */
export const acquire = (connection, queue, timeout) => connection.channel().pipe(Effect.tap((channel) => Effect.acquireRelease(Effect.tryPromise({
    try: () => channel.queueDeclare({ queue, exclusive: true, durable: false }),
    catch: (cause) => cause,
}), () => Effect.ignore(Effect.tryPromise(() => channel.queueDelete({ queue }))))), Effect.retry({
    while: (cause) => amqpErrorCode(cause) === "RESOURCE_LOCKED",
    schedule: Schedule.spaced("50 millis").pipe(Schedule.upTo({ duration: timeout })),
}), Effect.mapError((cause) => (isRabbitRequestError(cause) ? cause : errorFrom(`queue ${queue}`)(cause))));
/** Runs an effect while holding the lock. */
export const make = (connection, queue, timeout) => {
    // The broker's lock belongs to the connection, so a semaphore serialises the callers of this process.
    const mutex = Semaphore.makeUnsafe(1);
    return (use) => mutex.withPermits(1)(Effect.scoped(Effect.andThen(acquire(connection, queue, timeout), use)));
};
