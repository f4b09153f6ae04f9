/**
 * Receives events and live messages through an exclusive queue that is deleted with its channel. The queue is declared
 * again after each reconnect; messages that passed meanwhile are a gap.
 */
import { Deferred, Effect, Exit, Latch, Scope } from "effect";
import * as Subscribers from "../Subscribers.ts";
import { pattern } from "../Subjects.ts";
import { errorFrom } from "./RabbitErrors.ts";
import * as RabbitMessage from "./RabbitMessage.ts";
import { exchanges } from "./RabbitNames.ts";
/** A subscriber that is slower than this loses the oldest messages. */
const maxQueueLength = 100_000;
/** Returns when the subscription is active; ends with the scope. */
export const subscribe = Effect.fnUntraced(function* (connection, ready, address, onMessage, onGap) {
    const subscribers = yield* Subscribers.make;
    subscribers.add(pattern(address), onMessage, onGap);
    const subscribed = yield* Deferred.make();
    const ended = yield* Latch.make(false);
    const exchange = address !== "all-events" && address.channel === "live" ? exchanges.ephemeral : exchanges.event;
    // A final `>` stands for one or more tokens, AMQP's `#` for zero or more: the exact match is checked again here.
    const key = address === "all-events" ? "#" : address.channel === "live" ? address.topic.replace(/>$/, "#") : address.type;
    const openSession = Effect.gen(function* () {
        yield* connection.connected;
        yield* ready;
        ended.closeUnsafe();
        const channel = yield* connection.channel(() => ended.openUnsafe());
        channel.on("basic.cancel", () => ended.openUnsafe());
        yield* Effect.tryPromise({
            try: async () => {
                const { queue } = await channel.queueDeclare({
                    queue: "",
                    exclusive: true,
                    autoDelete: true,
                    durable: false,
                    arguments: { "x-max-length": maxQueueLength },
                });
                await channel.queueBind({ queue, exchange, routingKey: key });
                await channel.basicConsume({ queue, noAck: true, exclusive: true }, (message) => subscribers.publish(RabbitMessage.received(message)));
            },
            catch: errorFrom("listener"),
        });
    });
    // Owned by the caller's scope.
    yield* Effect.forkScoped(Effect.gen(function* () {
        for (;;) {
            const scope = yield* Scope.make();
            const opened = yield* openSession.pipe(Effect.provideService(Scope.Scope, scope), Effect.result);
            if (opened._tag === "Failure") {
                yield* Scope.close(scope, Exit.void);
                if (opened.failure._tag === "ConfigurationError") {
                    yield* Deferred.fail(subscribed, opened.failure);
                    yield* Effect.logError(opened.failure.message);
                }
                yield* Effect.sleep("1 second");
                continue;
            }
            if (yield* Deferred.isDone(subscribed))
                subscribers.notifyGap();
            yield* Deferred.succeed(subscribed, undefined);
            yield* Effect.ensuring(ended.await, Scope.close(scope, Exit.void));
        }
    }));
    yield* Deferred.await(subscribed);
});
