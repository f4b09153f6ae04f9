/**
 * Publishes with publisher confirms on one channel, any number concurrently. A message that no queue accepts is
 * returned before its confirm and fails.
 */
import { PermanentError } from "@armoricore/domain/Errors";
import { Effect, Scope, Semaphore } from "effect";
import { errorFrom, transientError } from "./RabbitErrors.ts";
/** The limit of AMQP's short strings. */
const maxShortStringBytes = 255;
const confirmTimeout = "5 seconds";
export const make = Effect.fnUntraced(function* (connection) {
    const scope = yield* Effect.scope;
    const returned = new Set();
    let last = 0;
    const channelOf = (confirmed) => {
        const openMutex = Semaphore.makeUnsafe(1);
        let current;
        const open = Effect.gen(function* () {
            if (current?.active === true)
                return current;
            const channel = yield* connection.channel().pipe(Effect.provideService(Scope.Scope, scope));
            if (confirmed) {
                yield* Effect.tryPromise({ try: () => channel.confirmSelect(), catch: errorFrom("publisher") });
                channel.on("basic.return", (message) => void returned.add(message.correlationId ?? ""));
            }
            current = channel;
            return channel;
        });
        return Effect.suspend(() => current?.active === true
            ? Effect.as(connection.available, current)
            : openMutex.withPermits(1)(Effect.andThen(connection.available, open)));
    };
    const confirming = channelOf(true);
    const plain = channelOf(false);
    const check = (envelope) => [envelope.routingKey, envelope.messageId ?? ""].some((text) => Buffer.byteLength(text) > maxShortStringBytes)
        ? Effect.fail(new PermanentError({
            code: "too_large",
            message: `RabbitMQ accepts event types and ids of at most ${maxShortStringBytes} bytes; shorten the one of ${envelope.routingKey.slice(0, 80)}`,
        }))
        : Effect.void;
    const publisher = {
        publish: Effect.fnUntraced(function* (envelope, body) {
            yield* check(envelope);
            const channel = yield* confirming;
            const token = String(++last);
            const outcome = yield* Effect.tryPromise({
                try: async () => {
                    await channel.basicPublish({ ...envelope, mandatory: true, correlationId: token }, buffer(body));
                    // The client reports a return one turn of the event loop after the confirm that follows it.
                    await new Promise((resolve) => setImmediate(resolve));
                    return returned.delete(token);
                },
                catch: errorFrom(`exchange ${envelope.exchange}`),
            }).pipe(Effect.timeoutOrElse({
                duration: confirmTimeout,
                orElse: () => Effect.fail(transientError("timeout", `RabbitMQ did not confirm the message for ${envelope.routingKey}`)),
            }));
            if (outcome) {
                return yield* transientError("unavailable", `No queue on RabbitMQ takes ${envelope.routingKey} of the exchange ${envelope.exchange}; run "armoricore setup"`);
            }
        }),
        send: Effect.fnUntraced(function* (envelope, body) {
            yield* check(envelope);
            const channel = yield* plain;
            yield* Effect.tryPromise({
                try: () => channel.basicPublish(envelope, buffer(body)),
                catch: errorFrom(`exchange ${envelope.exchange}`),
            });
        }),
    };
    return publisher;
});
const buffer = (body) => Buffer.from(body.buffer, body.byteOffset, body.byteLength);
