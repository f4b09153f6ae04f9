/**
 * Dead letters in one quorum queue. RabbitMQ cannot read a queue without taking messages from it, so browsing takes
 * messages unacknowledged and requeues them in order; a crash of the browser has the same effect. One browser at a time
 * (`RabbitLock`).
 *
 * The browser holds what it took for a second after each action, and then reads only what has arrived since: a command that
 * acts on hundreds of dead letters one by one reads the queue once.
 *
 * Each message of the queue is one dead letter with an id of its own, and every action is on exactly one. The id begins
 * with the time, so that pages have a stable order: the queue's own order is nearly the same, but two concurrent publishers
 * may store theirs the other way round. A crash between a dead letter and the ack of its message leaves the dead letter
 * twice, because RabbitMQ does not recognise duplicates.
 */
import { createHash, randomBytes } from "node:crypto";
import { NotFound } from "@armoricore/domain/Errors";
import { Clock, Effect, Exit, Scope, Semaphore } from "effect";
import { deadLetterType, prefixes } from "../Address.ts";
import { matcher } from "../Subjects.ts";
import { errorFrom } from "./RabbitErrors.ts";
import * as RabbitLock from "./RabbitLock.ts";
import * as RabbitMessage from "./RabbitMessage.ts";
import { queues } from "./RabbitNames.ts";
const resource = `queue ${queues.dead}`;
/** Ids sort by their time in milliseconds, then by the counter of their publisher. */
export const makeIdGenerator = () => {
    let count = 0;
    return (now) => {
        count = (count + 1) % 1_000_000;
        return `${zeroPadded(now, 14)}-${zeroPadded(count, 6)}-${randomBytes(6).toString("hex")}`;
    };
};
const zeroPadded = (value, length) => String(value).padStart(length, "0");
/** How long a browser that is not used holds the messages, and how long it holds them at most. */
const idleTime = "1 second";
const maxSessionMillis = 10_000;
/** Bodies beyond this size are not held; an action that needs one reads the queue again. */
const maxHeldBytes = 64 * 1024 ** 2;
export const make = Effect.fnUntraced(function* (connection, ready) {
    const busScope = yield* Effect.scope;
    const mutex = yield* Semaphore.make(1);
    let session;
    let lastUse = 0;
    const close = Effect.suspend(() => {
        const former = session;
        session = undefined;
        return former === undefined ? Effect.void : Scope.close(former.scope, Exit.void);
    });
    const open = Effect.gen(function* () {
        yield* close;
        yield* ready;
        const scope = yield* Scope.make();
        const channel = yield* Effect.andThen(RabbitLock.acquire(connection, queues.browseLock, "20 seconds"), connection.channel()).pipe(Effect.provideService(Scope.Scope, scope), Effect.onError(() => Scope.close(scope, Exit.void)));
        yield* Scope.addFinalizer(scope, requeueAll(channel));
        session = { scope, channel, openedAt: yield* Clock.currentTimeMillis, held: new Map(), heldBytes: 0 };
        return session;
    }).pipe(Effect.uninterruptible);
    const current = Effect.flatMap(Clock.currentTimeMillis, (now) => session?.channel.active === true && now - session.openedAt < maxSessionMillis ? Effect.succeed(session) : open);
    const closeWhenIdle = Effect.suspend(() => {
        const use = ++lastUse;
        const closing = mutex.withPermits(1)(Effect.suspend(() => (use === lastUse ? close : Effect.void)));
        // Ends with the bus, which closes the session too.
        return Effect.forkIn(Effect.andThen(Effect.sleep(idleTime), closing), busScope);
    });
    yield* Effect.addFinalizer(() => close);
    /** Uses a session that holds every dead letter that is stored now. `bodyOf`: the dead letter whose body is needed. */
    const browse = (use, bodyOf) => mutex.withPermits(1)(Effect.gen(function* () {
        const read = Effect.tap(current, (opened) => takeAll(opened, bodyOf));
        const opened = yield* read;
        const isIncomplete = bodyOf !== undefined && opened.held.get(bodyOf)?.hasBody === false;
        if (isIncomplete)
            yield* close;
        const complete = isIncomplete ? yield* read : opened;
        return yield* Effect.tryPromise({ try: () => use(complete), catch: errorFrom(resource) });
    }).pipe(Effect.onError(() => close), Effect.ensuring(closeWhenIdle)));
    const orNotFound = (deadLetterId) => (found) => found === undefined
        ? Effect.fail(new NotFound({ resource: "dead letter", id: deadLetterId }))
        : Effect.succeed(found);
    const deadLetters = {
        list: Effect.fnUntraced(function* (filter) {
            const wants = matcher(`${prefixes.dead}${filter.service ?? "*"}.${filter.type === undefined ? ">" : deadLetterType(filter.type)}`);
            const found = yield* browse((opened) => Promise.resolve([...opened.held.values()]
                .filter(({ deadLetter: { deadLetterId, subject } }) => filter.after !== undefined && deadLetterId <= filter.after ? false : wants(subject))
                .sort((one, other) => (one.deadLetter.deadLetterId < other.deadLetter.deadLetterId ? -1 : 1))
                .slice(0, filter.limit)));
            return yield* Effect.forEach(found, ({ deadLetter, hasBody }) => hasBody
                ? Effect.succeed(deadLetter)
                : Effect.catchTag(get(deadLetter.deadLetterId), "NotFound", () => Effect.succeed(deadLetter)));
        }),
        get: (deadLetterId) => get(deadLetterId),
        remove: (deadLetterId) => browse(async ({ channel, held }) => {
            const found = held.get(deadLetterId);
            if (found === undefined)
                return undefined;
            channel.basicAck({ deliveryTag: found.deliveryTag });
            held.delete(deadLetterId);
            // The response proves that the broker has processed the ack.
            await channel.queueDeclare({ queue: queues.dead, passive: true });
            return found.deadLetter;
        }).pipe(Effect.flatMap(orNotFound(deadLetterId)), Effect.asVoid),
    };
    const get = (deadLetterId) => browse(({ held }) => Promise.resolve(held.get(deadLetterId)?.deadLetter), deadLetterId).pipe(Effect.flatMap(orNotFound(deadLetterId)));
    return deadLetters;
});
const requeueAll = (channel) => Effect.tryPromise(async () => {
    channel.basicNack({ deliveryTag: 0, multiple: true, requeue: true });
    // Requeued before the request below is answered: the next browser finds them.
    await channel.queueDeclare({ queue: queues.dead, passive: true });
}).pipe(Effect.timeoutOption("5 seconds"), Effect.ignore);
/** A consumer reads thousands per second, a get only one per round trip; only a get says that the queue is empty. */
const takeAll = Effect.fnUntraced(function* (opened, bodyOf) {
    const { channel } = opened;
    const now = yield* Clock.currentTimeMillis;
    yield* Effect.tryPromise({
        try: async () => {
            const { messageCount } = await channel.queueDeclare({ queue: queues.dead, passive: true });
            if (messageCount > 1)
                await consume(channel, messageCount, (message) => hold(opened, message, now, bodyOf));
            for (;;) {
                const message = await channel.basicGet({ queue: queues.dead });
                if (message === undefined)
                    return;
                hold(opened, message, now, bodyOf);
            }
        },
        catch: errorFrom(resource),
    });
});
/** Takes about `count` messages; ends early when none arrives for a while. */
const consume = async (channel, count, onMessage) => {
    let left = count;
    let isQuiet = true;
    let finish = () => { };
    const finished = new Promise((resolve) => {
        finish = resolve;
    });
    const watch = setInterval(() => {
        if (isQuiet)
            finish();
        isQuiet = true;
    }, 500);
    try {
        const { consumerTag } = await channel.basicConsume({ queue: queues.dead }, (message) => {
            onMessage(message);
            isQuiet = false;
            if (--left <= 0)
                finish();
        });
        await finished;
        await channel.basicCancel(consumerTag);
        // The client passes on one turn later what it received before the cancellation.
        await new Promise((resolve) => setImmediate(resolve));
    }
    finally {
        clearInterval(watch);
    }
};
const hold = (opened, message, now, bodyOf) => {
    const { held } = opened;
    const id = uniqueId(held, RabbitMessage.deadLetterIdOf(message) ?? foreignId(message));
    const stored = RabbitMessage.stored(message, now);
    const hasBody = id === bodyOf || opened.heldBytes + stored.body.byteLength <= maxHeldBytes;
    if (hasBody)
        opened.heldBytes += stored.body.byteLength;
    const deadLetter = { ...stored, ...(hasBody ? {} : { body: new Uint8Array() }), deadLetterId: id };
    held.set(id, { deadLetter, hasBody, deliveryTag: message.deliveryTag });
};
/** The id of a message that another program put into the queue. */
const foreignId = (message) => createHash("sha256")
    .update(`${message.messageId ?? ""}\n`)
    .update(RabbitMessage.body(message))
    .digest("hex")
    .slice(0, 32);
/** Two equal messages of another program are two dead letters; the second in the queue has the suffix `.2`. */
const uniqueId = (held, id) => {
    let unique = id;
    for (let copy = 2; held.has(unique); copy++)
        unique = `${id}.${copy}`;
    return unique;
};
