/**
 * Live topics without wildcards, of which a process may have thousands: they share one channel and one queue, with a
 * binding per topic. A channel each would exceed the limit of a connection.
 */
import { Deferred, Effect, Exit, Latch, Scope } from "effect";
import { errorFrom } from "./RabbitErrors.ts";
import * as RabbitMessage from "./RabbitMessage.ts";
import { exchanges } from "./RabbitNames.ts";
/** A process that is slower than this loses the oldest messages. */
const maxQueueLength = 100_000;
export const make = Effect.fnUntraced(function* (connection, ready) {
    const scope = yield* Effect.scope;
    const runFork = Effect.runForkWith(yield* Effect.context());
    const topics = new Map();
    const ended = yield* Latch.make(false);
    let session;
    let subscribed = yield* Deferred.make();
    const callSafely = (run) => {
        try {
            run();
        }
        catch (cause) {
            runFork(Effect.logError("A subscriber threw", cause));
        }
    };
    const publish = (topic, message) => {
        for (const { onMessage } of topics.get(topic) ?? [])
            callSafely(() => onMessage(message));
    };
    const notifyGap = () => {
        for (const listeners of topics.values())
            for (const { onGap } of listeners)
                if (onGap !== undefined)
                    callSafely(onGap);
    };
    const bind = ({ channel, queue }, topic) => Effect.tryPromise({
        try: () => channel.queueBind({ queue, exchange: exchanges.ephemeral, routingKey: topic }),
        catch: errorFrom("listener"),
    });
    const open = Effect.gen(function* () {
        yield* connection.connected;
        yield* ready;
        ended.closeUnsafe();
        const channel = yield* connection.channel(() => ended.openUnsafe());
        channel.on("basic.cancel", () => ended.openUnsafe());
        const queue = yield* Effect.tryPromise({
            try: async () => {
                const declared = await channel.queueDeclare({
                    queue: "",
                    exclusive: true,
                    autoDelete: true,
                    durable: false,
                    arguments: { "x-max-length": maxQueueLength },
                });
                await channel.basicConsume({ queue: declared.queue, noAck: true, exclusive: true }, (message) => publish(message.routingKey, RabbitMessage.received(message)));
                return declared.queue;
            },
            catch: errorFrom("listener"),
        });
        const opened = { channel, queue };
        yield* Effect.forEach([...topics.keys()], (topic) => bind(opened, topic), { discard: true });
        return opened;
    });
    let isFirst = true;
    const runSession = Effect.gen(function* () {
        const own = yield* Scope.make();
        const opened = yield* Effect.result(Effect.provideService(open, Scope.Scope, own));
        if (opened._tag === "Success") {
            session = opened.success;
            if (!isFirst)
                notifyGap();
            isFirst = false;
            yield* Deferred.succeed(subscribed, undefined);
            yield* ended.await;
            session = undefined;
            subscribed = yield* Deferred.make();
        }
        else if (opened.failure._tag === "ConfigurationError") {
            yield* Deferred.fail(subscribed, opened.failure);
            // Later subscribers wait for the next attempt.
            subscribed = yield* Deferred.make();
            yield* Effect.logError(opened.failure.message);
        }
        yield* Scope.close(own, Exit.void);
        if (opened._tag === "Failure")
            yield* Effect.sleep("1 second");
    });
    // Starts with the first subscriber, ends with the bus.
    const start = yield* Effect.cached(Effect.forkIn(Effect.forever(runSession), scope));
    const add = (topic, listener) => Effect.sync(() => {
        const listeners = topics.get(topic);
        if (listeners === undefined)
            topics.set(topic, new Set([listener]));
        else
            listeners.add(listener);
        return listeners === undefined;
    });
    const remove = (topic, listener) => Effect.suspend(() => {
        const listeners = topics.get(topic);
        if (listeners?.delete(listener) !== true || listeners.size > 0)
            return Effect.void;
        topics.delete(topic);
        if (session === undefined)
            return Effect.void;
        const { channel, queue } = session;
        return Effect.ignore(Effect.tryPromise(() => channel.queueUnbind({ queue, exchange: exchanges.ephemeral, routingKey: topic })));
    });
    /** Returns when the subscription is active; ends with the scope. */
    return Effect.fnUntraced(function* (topic, onMessage, onGap) {
        const listener = { onMessage, onGap };
        const isNew = yield* Effect.acquireRelease(add(topic, listener), () => remove(topic, listener));
        yield* start;
        const current = session;
        // A channel that is just opening binds every topic that exists by then; binding twice has no effect.
        yield* Deferred.await(subscribed);
        if (isNew || current !== session)
            if (session !== undefined)
                yield* bind(session, topic);
    });
});
