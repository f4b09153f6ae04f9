/**
 * Declares or checks exchanges and queues. All are durable and all queues are quorum queues: RabbitMQ compares their
 * arguments and refuses different ones, which becomes a ConfigurationError.
 *
 * Messages that no consumer is bound to yet are stored in `armoricore.unrouted`; the first queue of a consumer takes
 * its messages from there, so that a publisher may start before any worker.
 */
import { ConfigurationError } from "@armoricore/domain/Errors";
import { Duration, Effect } from "effect";
import * as ConsumerLoop from "../ConsumerLoop.ts";
import * as Limits from "../Limits.ts";
import { matcher, pattern } from "../Subjects.ts";
import { rabbitRequest } from "./RabbitErrors.ts";
import * as RabbitMessage from "./RabbitMessage.ts";
import { consumerQueue, exchanges, queues, bindingOf } from "./RabbitNames.ts";
import { newQueueDelay } from "./RabbitOptions.ts";
import * as RabbitSchema from "./RabbitSchema.ts";
const quorumArguments = {
    "x-queue-type": "quorum",
    // A full queue rejects publishes, so that the publisher learns of it; stored messages are never dropped for new ones.
    "x-overflow": "reject-publish",
    // RabbitMQ 4 drops a message after 20 deliveries by default; this program limits deliveries itself.
    "x-delivery-limit": 1_000_000,
};
const declareExchanges = async (channel) => {
    for (const exchange of [exchanges.unrouted, exchanges.parked]) {
        await channel.exchangeDeclare({ exchange, type: "fanout", durable: true });
    }
    for (const exchange of [exchanges.event, exchanges.work]) {
        const held = { "alternate-exchange": exchanges.unrouted };
        await channel.exchangeDeclare({ exchange, type: "topic", durable: true, arguments: held });
    }
    for (const exchange of [exchanges.dead, exchanges.ephemeral, exchanges.delay, exchanges.redelivery]) {
        await channel.exchangeDeclare({ exchange, type: "topic", durable: true });
    }
};
/** Whether the broker does not have the queue. */
export const isMissing = (connection, queue) => connection
    .withChannel(`queue ${queue}`, (channel) => channel.queueDeclare({ queue, passive: true }))
    .pipe(Effect.as(false), Effect.orElseSucceed(() => true));
/** Everything except consumers; returns one line each. */
export const ensure = Effect.fnUntraced(function* (connection, options) {
    const maxBytes = options.maxBytes ?? Limits.defaults.maxBytes;
    const quarter = Math.ceil(maxBytes / 4);
    const numbered = yield* RabbitSchema.ensure(connection);
    yield* connection.withChannel("exchanges", declareExchanges);
    const stores = [
        {
            queue: queues.unrouted,
            exchange: exchanges.unrouted,
            key: "",
            more: { "x-max-length-bytes": maxBytes, "x-message-ttl": Duration.toMillis(Limits.defaults.eventAge) },
        },
        { queue: queues.parked, exchange: exchanges.parked, key: "", more: { "x-max-length-bytes": quarter } },
        { queue: queues.dead, exchange: exchanges.dead, key: "#", more: { "x-max-length-bytes": quarter } },
    ];
    let isNew = false;
    for (const { queue, more } of stores) {
        if (yield* isMissing(connection, queue))
            isNew = true;
        yield* connection.withChannel(`queue ${queue}`, (channel) => channel.queueDeclare({ queue, durable: true, arguments: { ...quorumArguments, ...more } }));
    }
    if (isNew)
        yield* Effect.sleep(newQueueDelay(options));
    for (const { queue, exchange, key } of stores) {
        yield* connection.withChannel(`queue ${queue}`, (channel) => channel.queueBind({ queue, exchange, routingKey: key }));
    }
    return [
        numbered,
        ...Object.values(exchanges).map((exchange) => `exchange ${exchange}: ready`),
        ...stores.map(({ queue }) => `queue ${queue}: ready`),
    ];
});
/**
 * Declares or checks the queues of these consumers and binds them; returns one line each. Stored unrouted messages go
 * to every consumer that reads them, also those of the time before a new queue is bound. Consumers of all events are bound
 * last: from then on no message is unrouted.
 */
export const ensureConsumers = Effect.fnUntraced(function* (connection, collectorLock, options, wanted) {
    const [all, some] = [
        wanted.filter(({ from }) => from === "all-events"),
        wanted.filter(({ from }) => from !== "all-events"),
    ];
    const ordered = [...some, ...all];
    const missing = yield* Effect.forEach(ordered, (consumer) => declareQueue(connection, options, consumer));
    if (missing.includes(true))
        yield* Effect.sleep(newQueueDelay(options));
    const readers = yield* Effect.forEach(ordered, (consumer) => bindQueue(connection, consumer));
    if (readers.length > 0)
        yield* collectorLock(collectUnrouted(connection, readers));
    return readers.map(({ from, name, moved }) => `consumer ${name} on ${from}: ready${moved === 0 ? "" : `, took ${moved} that waited for it`}`);
});
/** Returns whether the queue is new. */
const declareQueue = Effect.fnUntraced(function* (connection, options, wanted) {
    yield* ConsumerLoop.checkName(wanted);
    const queue = consumerQueue(wanted.name);
    const from = pattern(wanted.from);
    const args = {
        ...quorumArguments,
        "x-max-length-bytes": options.maxBytes ?? Limits.defaults.maxBytes,
        "x-dead-letter-exchange": exchanges.parked,
        "x-dead-letter-strategy": "at-least-once",
        // Bindings cannot be listed, but arguments are compared: this detects a consumer name that reads something else.
        "x-dead-letter-routing-key": from,
    };
    const isNew = yield* isMissing(connection, queue);
    yield* connection
        .withChannel(`queue ${queue}`, (channel) => channel.queueDeclare({ queue, durable: true, arguments: args }))
        .pipe(Effect.mapError((error) => {
        const other = /'x-dead-letter-routing-key'.*current is '([^']*)'/.exec(error.message)?.[1];
        return other === undefined
            ? error
            : new ConfigurationError({
                setting: `consumer ${wanted.name}`,
                message: `Consumer ${wanted.name} reads ${other}; choose another name for ${from}`,
            });
    }));
    return isNew;
});
const bindQueue = Effect.fnUntraced(function* (connection, wanted) {
    const queue = consumerQueue(wanted.name);
    const from = pattern(wanted.from);
    const { exchange, key } = bindingOf(wanted.from);
    yield* connection.withChannel(`queue ${queue}`, async (channel) => {
        await channel.queueBind({ queue, exchange: exchanges.redelivery, routingKey: `*.${wanted.name}` });
        await channel.queueBind({ queue, exchange, routingKey: key });
    });
    const reader = { name: wanted.name, from, queue, matches: matcher(from), moved: 0 };
    return reader;
});
/**
 * Moves unrouted messages into the queues that read them: published there first, then acknowledged here. One process at
 * a time: messages held here are invisible to another process, which would not look again.
 */
const collectUnrouted = Effect.fnUntraced(function* (connection, readers) {
    const resource = `queue ${queues.unrouted}`;
    const channel = yield* connection.channel();
    const count = rabbitRequest(resource, () => channel.queueDeclare({ queue: queues.unrouted, passive: true }));
    let { messageCount: left } = yield* count;
    if (left === 0)
        return;
    yield* rabbitRequest(resource, () => channel.confirmSelect());
    while (left > 0) {
        const seen = yield* rabbitRequest(resource, () => moveUnrouted(channel, readers, Math.min(left, maxBatch)));
        if (seen === 0)
            break;
        left -= seen;
    }
    channel.basicNack({ deliveryTag: 0, multiple: true, requeue: true });
    // Requeued before the request below is answered: the next process finds its messages.
    yield* count;
});
/** A broker moves several thousand messages per second; each of these steps has 10 s. */
const maxBatch = 500;
/**
 * Messages that match none of these consumers stay unacknowledged, so that the next get skips them. Returns how many it
 * read.
 */
const moveUnrouted = async (channel, readers, max) => {
    const stored = [];
    const moved = [];
    let seen = 0;
    for (; seen < max; seen++) {
        const message = await channel.basicGet({ queue: queues.unrouted });
        if (message === undefined)
            break;
        const { subject } = RabbitMessage.stored(message, Date.now());
        const envelope = RabbitMessage.forwarded(message, Date.now(), 0, 0);
        const found = readers.filter(({ matches }) => matches(subject));
        for (const reader of found) {
            const copy = channel.basicPublish({ ...envelope, routingKey: reader.queue }, message.body);
            // Awaited below; the channel may report an error before that.
            copy.catch(() => { });
            stored.push(copy);
            reader.moved++;
        }
        if (found.length > 0)
            moved.push(message.deliveryTag);
    }
    await Promise.all(stored);
    for (const deliveryTag of moved)
        channel.basicAck({ deliveryTag });
    return seen;
};
