/**
 * Messages that wait for redelivery: one queue per delay, because RabbitMQ expires messages only at the head of a
 * queue. A delay is rounded up to the next queue's (by at most two thirds). The copy is stored before its original is
 * acknowledged: a crash between the two delivers twice and loses nothing.
 */
import { Clock, Effect, Semaphore } from "effect";
import * as RabbitMessage from "./RabbitMessage.ts";
import { exchanges } from "./RabbitNames.ts";
import { newQueueDelay } from "./RabbitOptions.ts";
import { isMissing } from "./RabbitTopology.ts";
const delayMillis = [10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000].flatMap((decade) => [1, 1.5, 2, 3, 5, 7].map((factor) => decade * factor));
const maxDelayMillis = delayMillis.at(-1) ?? 0;
/** The delay of the queue, and the remainder of a longer delay. */
export const delayStep = (millis) => {
    const length = delayMillis.find((candidate) => candidate >= millis) ?? maxDelayMillis;
    return { length, remaining: Math.max(0, Math.ceil(millis) - length) };
};
export const make = (connection, publisher, options) => {
    let epoch = 0;
    const known = new Set();
    const declareMutex = Semaphore.makeUnsafe(1);
    const declare = Effect.fnUntraced(function* (length) {
        const queue = `${exchanges.delay}.${length}`;
        const resource = `queue ${queue}`;
        const isNew = yield* isMissing(connection, queue);
        yield* connection.withChannel(resource, async (channel) => {
            await channel.queueDeclare({
                queue,
                durable: true,
                arguments: {
                    "x-queue-type": "quorum",
                    "x-message-ttl": length,
                    "x-overflow": "reject-publish",
                    "x-dead-letter-exchange": exchanges.redelivery,
                    "x-dead-letter-strategy": "at-least-once",
                },
            });
            await channel.queueBind({ queue, exchange: exchanges.delay, routingKey: `${length}.#` });
        });
        // The original stays unacknowledged meanwhile.
        if (isNew)
            yield* Effect.sleep(newQueueDelay(options));
        known.add(length);
    });
    const ensure = (length) => Effect.suspend(() => {
        if (epoch !== connection.epoch()) {
            epoch = connection.epoch();
            known.clear();
        }
        if (known.has(length))
            return Effect.void;
        return declareMutex.withPermits(1)(Effect.suspend(() => (known.has(length) ? Effect.void : declare(length))));
    });
    /** Succeeds once the copy is stored. `deliveryCount`: deliveries so far. */
    return Effect.fnUntraced(function* (message, consumer, tries, millis) {
        const { length, remaining } = delayStep(millis);
        yield* ensure(length);
        const now = yield* Clock.currentTimeMillis;
        yield* publisher.publish({
            ...RabbitMessage.forwarded(message, now, tries, remaining),
            exchange: exchanges.delay,
            routingKey: `${length}.${consumer}`,
        }, RabbitMessage.body(message));
    });
};
