/**
 * The bus on RabbitMQ 3.10 or newer: topic exchange `armoricore`, routing key = event type, quorum queues, publisher
 * confirms.
 *
 * Differences to NATS: RabbitMQ has no deduplication (the ledger recognises duplicates); it has no in-progress signal
 * (see heartbeats and `consumer_timeout` in docs/bus.md); a new consumer name reads from its `setup` on, not from the
 * beginning.
 *
 * A publisher never waits for a server: it fails with `unavailable` at once. A consumer or subscriber that starts
 * without a server waits for one.
 */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors";
import { Clock, Effect, Layer, Semaphore } from "effect";
import { subject } from "../Address.ts";
import * as ConsumerLoop from "../ConsumerLoop.ts";
import { EventBus } from "../EventBus.ts";
import * as Limits from "../Limits.ts";
import * as RabbitConnection from "./RabbitConnection.ts";
import * as RabbitDelayQueues from "./RabbitDelayQueues.ts";
import * as RabbitDeadLetters from "./RabbitDeadLetters.ts";
import * as RabbitSubscription from "./RabbitSubscription.ts";
import * as RabbitLock from "./RabbitLock.ts";
import * as RabbitMessage from "./RabbitMessage.ts";
import { exchanges, queues, routingKey } from "./RabbitNames.ts";
import * as RabbitPublisher from "./RabbitPublisher.ts";
import * as RabbitPullSource from "./RabbitPullSource.ts";
import * as RabbitTopicSubscriptions from "./RabbitTopicSubscriptions.ts";
import * as RabbitTopology from "./RabbitTopology.ts";
const make = Effect.fnUntraced(function* (options) {
    const connection = yield* RabbitConnection.make(options);
    const publisher = yield* RabbitPublisher.make(connection);
    const delay = RabbitDelayQueues.make(connection, publisher, options);
    const ensureMutex = yield* Semaphore.make(1);
    let ensured = 0;
    // Once per connection: after a reconnect the broker may be another one, or empty.
    const ready = Effect.suspend(() => ensured === connection.epoch() && ensured > 0
        ? Effect.void
        : ensureMutex.withPermits(1)(Effect.gen(function* () {
            yield* connection.available;
            const epoch = connection.epoch();
            if (ensured === epoch)
                return;
            yield* RabbitTopology.ensure(connection, options);
            ensured = epoch;
        })));
    const topics = yield* RabbitTopicSubscriptions.make(connection, ready);
    const collectorLock = RabbitLock.make(connection, queues.collectorLock, "2 minutes");
    const connectedAndReady = Effect.andThen(connection.connected, ready);
    const deadLetters = yield* RabbitDeadLetters.make(connection, ready);
    const newDeadLetterId = RabbitDeadLetters.makeIdGenerator();
    const publish = Effect.fnUntraced(function* ({ address, id, body, headers = {} }) {
        const target = subject(address);
        const bytes = Limits.messageBytes(body, headers);
        const limit = address.channel === "dead" ? Limits.maxDeadLetterBytes : Limits.maxMessageBytes;
        if (bytes > limit)
            return yield* Limits.tooLarge(target, bytes, limit);
        const fault = Limits.headerFault(id, headers);
        if (fault !== undefined)
            return yield* fault;
        yield* connection.available;
        yield* ready;
        const now = yield* Clock.currentTimeMillis;
        const envelope = RabbitMessage.outgoing(id, headers, now);
        yield* publisher.publish({
            ...(address.channel === "dead" ? RabbitMessage.withDeadLetterId(envelope, newDeadLetterId(now)) : envelope),
            exchange: exchanges[address.channel],
            routingKey: routingKey(address),
        }, body);
        return { duplicate: false };
    });
    return EventBus.of({
        system: "rabbitmq",
        publish,
        consume: Effect.fnUntraced(function* (wanted, handle) {
            yield* ConsumerLoop.checkName(wanted);
            const ensure = Effect.andThen(connectedAndReady, RabbitTopology.ensureConsumers(connection, collectorLock, options, [wanted]));
            yield* ConsumerLoop.waitForBus(`Consumer ${wanted.name}`)(ensure);
            const source = yield* RabbitPullSource.make({ connection, options: wanted, ensure, delay });
            return yield* ConsumerLoop.run(wanted, source, handle, publish);
        }),
        broadcast: Effect.fnUntraced(function* (address, body, headers = {}) {
            const bytes = Limits.messageBytes(body, headers);
            if (bytes > Limits.maxMessageBytes)
                return yield* Limits.tooLarge(subject(address), bytes, Limits.maxMessageBytes);
            const fault = Limits.headerFault("", headers);
            if (fault !== undefined)
                return yield* fault;
            yield* ready.pipe(Effect.andThen(publisher.send({ headers: { ...headers }, exchange: exchanges.ephemeral, routingKey: address.topic }, body)), Effect.catchTag("ConfigurationError", asTransient));
        }),
        subscribe: (address, onMessage, onGap) => address !== "all-events" && address.channel === "live" && !/[*>]/.test(address.topic)
            ? topics(address.topic, onMessage, onGap)
            : RabbitSubscription.subscribe(connection, ready, address, onMessage, onGap),
        // A queue deletes what its consumer has handled.
        removeHandled: () => Effect.succeed(0),
        deadLetters,
        setup: Effect.fnUntraced(function* (wanted) {
            yield* connection.connected;
            const lines = yield* RabbitTopology.ensure(connection, options);
            const consumers = yield* RabbitTopology.ensureConsumers(connection, collectorLock, options, wanted);
            return [...lines, ...consumers];
        }),
        status: connection.status,
        statusChanges: connection.statusChanges,
    });
});
const asTransient = ({ message }) => Effect.fail(new TransientError({ dependency: "bus", code: "unavailable", message }));
export const layer = (options) => Layer.effect(EventBus, make(options));
