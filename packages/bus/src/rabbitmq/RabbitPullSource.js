/**
 * A consumer on its queue. The prefetch count is the number of slots, and a message counts until it is settled: the
 * process never holds more messages than handlers may run. With shared permits nothing may be fetched without a permit:
 * then one message at a time is requested, with growing pauses while the queue is empty.
 *
 * Hazards and how they are handled:
 * - The connection or channel is lost: the broker requeues unsettled messages, the local buffer is dropped, and
 *   settling on the old channel fails, since a delivery tag there would mean another message on the new channel.
 * - The queue is deleted: the broker cancels the consumer, which declares its queue again.
 * - RabbitMQ has no in-progress signal: heartbeats detect a dead link, and `consumer_timeout` limits long handlers.
 */
import { Clock, Effect, Exit, Fiber, Latch, Scope } from "effect";
import * as ConsumerLoop from "../ConsumerLoop.ts";
import * as RabbitDepth from "./RabbitDepth.ts";
import { errorFrom, transientError } from "./RabbitErrors.ts";
import * as RabbitMessage from "./RabbitMessage.ts";
import { consumerQueue } from "./RabbitNames.ts";
const minPollDelay = 10;
const maxPollDelay = 500;
const silenceBeforeWarning = "10 seconds";
const failedDelayPause = "1 second";
export const make = Effect.fnUntraced(function* (parameters) {
    const { connection, delay, ensure, options } = parameters;
    const queue = consumerQueue(options.name);
    const resource = `consumer ${options.name}`;
    const hasSharedPermits = options.sharedPermits !== undefined;
    const maxDeliveries = ConsumerLoop.brokerMaxDeliver(options);
    const buffer = [];
    const arrived = yield* Latch.make(false);
    const inFlight = RabbitDepth.makeInFlightTracker();
    let session;
    let stopped = false;
    let pollDelay = 0;
    const dropBuffered = (channel) => {
        for (let index = buffer.length - 1; index >= 0; index--) {
            if (buffer[index]?.channel === channel)
                buffer.splice(index, 1);
        }
        arrived.openUnsafe();
    };
    const close = Effect.suspend(() => {
        const former = session;
        session = undefined;
        return former === undefined ? Effect.void : Scope.close(former.scope, Exit.void);
    });
    const warnOfSilence = Effect.andThen(Effect.sleep(silenceBeforeWarning), Effect.logWarning(`RabbitMQ does not answer for the queue ${queue}. A quorum queue without a leader is silent: see it with "rabbitmq-queues quorum_status ${queue}", and restart the broker if it has none`));
    const connect = Effect.gen(function* () {
        if (session?.channel.active === true)
            return session.channel;
        yield* close;
        // Stopping does not wait for a broker that is unreachable.
        yield* Effect.interruptible(Effect.andThen(connection.connected, ensure));
        const scope = yield* Scope.make();
        const channel = yield* connection.channel(dropBuffered).pipe(Effect.provideService(Scope.Scope, scope));
        const onMessage = (message) => {
            if (stopped)
                return void (channel.active && channel.basicNack({ deliveryTag: message.deliveryTag }));
            buffer.push({ message, channel });
            arrived.openUnsafe();
        };
        channel.on("basic.cancel", () => {
            session = undefined;
            arrived.openUnsafe();
        });
        // A shorter limit would not help: RabbitMQ gives up after a minute, and closes the connection of every consumer then.
        const slow = yield* Effect.forkIn(Effect.interruptible(warnOfSilence), scope);
        const tag = yield* Effect.tryPromise({
            try: async () => {
                if (hasSharedPermits)
                    return "";
                await channel.basicQos({ prefetchCount: options.concurrency });
                return (await channel.basicConsume({ queue }, onMessage)).consumerTag;
            },
            catch: errorFrom(resource),
        }).pipe(Effect.onError(() => Scope.close(scope, Exit.void)));
        yield* Fiber.interrupt(slow);
        session = { channel, scope, tag };
        return channel;
    }).pipe(Effect.uninterruptible);
    const settle = ({ channel, message }, how) => Effect.suspend(() => {
        inFlight.settled(message);
        if (!channel.active) {
            return Effect.fail(transientError("unavailable", `The channel of ${resource} is closed; RabbitMQ redelivers`));
        }
        return Effect.try({ try: () => how(channel, message.deliveryTag), catch: errorFrom(resource) });
    });
    const ack = (here) => settle(here, (channel, deliveryTag) => channel.basicAck({ deliveryTag }));
    const nack = (here, requeue = true) => settle(here, (channel, deliveryTag) => channel.basicNack({ deliveryTag, requeue }));
    /**
     * The delayed copy is stored first, then the original is acknowledged. A copy that cannot be stored returns the original
     * to its queue: left unsettled, it would occupy a slot until the channel closes.
     */
    const redeliverLater = (here, deliveries, millis) => delay(here.message, options.name, deliveries, millis).pipe(Effect.catchTag("PermanentError", (error) => Effect.fail(transientError("unavailable", error.message, error))), Effect.andThen(Clock.currentTimeMillis), Effect.tap((now) => Effect.sync(() => inFlight.delayed(RabbitMessage.stored(here.message, now).arrivedAt, now + millis))), Effect.matchEffect({
        onSuccess: () => ack(here),
        onFailure: (error) => Effect.logWarning(`Consumer ${options.name} cannot delay a message, and returns it to its queue`, error).pipe(Effect.andThen(Effect.sleep(failedDelayPause)), Effect.andThen(nack(here))),
    }));
    const lease = Effect.fnUntraced(function* (here) {
        const { message } = here;
        const now = yield* Clock.currentTimeMillis;
        const deliveryCount = RabbitMessage.deliveryCount(message);
        const left = RabbitMessage.remainingDelay(message);
        if (left > 0)
            return yield* Effect.as(redeliverLater(here, deliveryCount - 1, left), []);
        if (deliveryCount > maxDeliveries) {
            yield* Effect.logError(`A message was delivered ${maxDeliveries} times to consumer ${options.name} and was moved to armoricore.parked`);
            return yield* Effect.as(nack(here, false), []);
        }
        const stored = RabbitMessage.stored(message, now);
        inFlight.leased(message, stored.arrivedAt);
        const one = {
            delivery: { ...stored, deliveryCount },
            sequence: RabbitMessage.messageKey(message),
            ack: ack(here),
            nack: (millis) => (millis <= 0 ? nack(here) : redeliverLater(here, deliveryCount, millis)),
            inProgress: Effect.void,
        };
        return [one];
    });
    const pullOne = Effect.gen(function* () {
        const channel = yield* connect;
        const message = yield* Effect.tryPromise({ try: () => channel.basicGet({ queue }), catch: errorFrom(resource) });
        if (message !== undefined)
            buffer.push({ message, channel });
    });
    const source = {
        ready: () => hasSharedPermits
            ? Effect.suspend(() => Effect.sleep(pollDelay))
            : Effect.gen(function* () {
                while (buffer.length === 0) {
                    arrived.closeUnsafe();
                    yield* connect;
                    if (buffer.length === 0)
                        yield* arrived.await;
                }
            }),
        take: Effect.fnUntraced(function* (max) {
            if (hasSharedPermits)
                yield* pullOne;
            const messages = buffer.splice(0, max);
            pollDelay = messages.length > 0 ? 0 : Math.min(maxPollDelay, Math.max(minPollDelay, pollDelay * 2));
            const found = [];
            for (const message of messages) {
                // Its channel is closed: RabbitMQ redelivers it.
                const some = yield* Effect.catch(lease(message), (error) => Effect.as(Effect.logWarning(`Consumer ${options.name} cannot settle a message`, error), []));
                found.push(...some);
            }
            return found;
        }),
        stop: Effect.suspend(() => {
            if (stopped)
                return Effect.void;
            stopped = true;
            const current = session;
            const cancel = current === undefined || current.tag === "" || !current.channel.active
                ? Effect.void
                : Effect.promise(() => current.channel.basicCancel(current.tag)).pipe(
                // Messages in flight are requeued by the callback one turn later.
                Effect.andThen(Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))), Effect.timeoutOption("2 seconds"), Effect.ignoreCause);
            return Effect.andThen(cancel, Effect.suspend(() => Effect.forEach(buffer.splice(0), (here) => Effect.ignore(nack(here)), { discard: true })));
        }),
        depth: RabbitDepth.depth(connection, queue, inFlight, () => buffer.length),
    };
    // Registered first, so it runs last: closing the channel flushes the nacks of the handlers.
    yield* Effect.addFinalizer(() => close);
    return source;
});
