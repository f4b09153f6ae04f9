/**
 * Pulls messages of one durable consumer, never more than there are free slots.
 *
 * Hazards and how they are handled:
 * - A requested message that has not arrived counts as leased: `outstanding` plus the buffer never exceeds the free
 *   slots.
 * - A deleted consumer or a lost connection ends a pull request silently: the server sends an idle heartbeat every 4 s,
 *   and the source sends a new request after 10 s without one, after a reconnect and after an error status.
 * - Closing must not strand messages in flight: the subscription drains, and messages that still arrive are nacked.
 * - With shared permits nothing may be requested without a permit: one message per request, answered at once, with
 *   growing pauses while the stream is empty.
 */
import { TransientError } from "@armoricore/domain/Errors";
import { Effect, Latch, Stream } from "effect";
import { createInbox, nanos, } from "nats";
import * as ConsumerLoop from "../ConsumerLoop.ts";
import { natsRequest, errorFrom } from "@armoricore/nats/NatsErrors";
import { pattern } from "../Subjects.ts";
import * as NatsMessage from "@armoricore/nats/NatsMessage";
import { depth } from "./NatsDepth.ts";
import { ensureConsumer, streamOf } from "./NatsStreams.ts";
const pullExpiry = 30_000;
const idleHeartbeat = 4_000;
const heartbeatTimeout = 10_000;
const ackPayload = new TextEncoder().encode("+ACK");
const minPollDelay = 10;
const maxPollDelay = 500;
export const make = Effect.fnUntraced(function* (parameters) {
    const { client, manager, inboxPrefix, options } = parameters;
    const stream = streamOf(options.from);
    const nextSubject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${options.name}`;
    const hasSharedPermits = options.sharedPermits !== undefined;
    const subject = options.from === "all-events" ? undefined : pattern(options.from);
    const buffer = [];
    const arrived = yield* Latch.make(false);
    let inbox = "";
    let subscription;
    let outstanding = 0;
    let brokenReason;
    let stopped = false;
    let pollDelay = 0;
    const settle = (message, text) => Effect.try({
        try: () => client.publish(message.reply ?? "", text),
        catch: errorFrom(`consumer ${options.name}`),
    });
    const onStatus = (code, message) => {
        if (code === 100)
            return;
        if (code === 404 || code === 408) {
            const left = message.headers?.get("Nats-Pending-Messages") ?? "";
            outstanding = Math.max(0, outstanding - (left === "" ? outstanding : Number(left)));
        }
        else {
            brokenReason = `${code} ${message.headers?.description ?? ""}`;
        }
    };
    const subscribe = () => {
        const own = inboxPrefix === undefined ? createInbox() : createInbox(inboxPrefix);
        inbox = own;
        outstanding = 0;
        brokenReason = undefined;
        return client.subscribe(own, {
            callback: (error, message) => {
                if (error !== null)
                    brokenReason = String(error);
                else if (NatsMessage.statusOf(message) > 0) {
                    if (inbox === own)
                        onStatus(NatsMessage.statusOf(message), message);
                    else
                        return;
                }
                else {
                    if (inbox === own)
                        outstanding = Math.max(0, outstanding - 1);
                    // It arrived for a pull request that no longer counts: another consumer with a free slot should get it.
                    if (stopped || inbox !== own)
                        return void (message.reply && client.publish(message.reply, nackPayload(0)));
                    buffer.push(message);
                }
                arrived.openUnsafe();
            },
        });
    };
    /** Unsubscribing alone would lose the messages that the server has already sent. */
    const drainSubscription = (former) => former === undefined || client.isClosed()
        ? Effect.void
        : Effect.ignore(Effect.timeoutOption(Effect.tryPromise(() => former.drain()), "2 seconds"));
    const resubscribe = Effect.fnUntraced(function* (reason) {
        const former = subscription;
        subscription = subscribe();
        yield* Effect.forkChild(drainSubscription(former));
        yield* Effect.logDebug(`Consumer ${options.name} sends a new pull request: ${reason}`);
        yield* ensureConsumer(manager, options, parameters.manage);
    });
    const requestBatch = (batch, more) => {
        outstanding += batch;
        client.publish(nextSubject, JSON.stringify({ batch, ...more }), { reply: inbox });
    };
    subscription = subscribe();
    // Pull requests do not survive a reconnect. Ends with the consumer's scope.
    yield* Effect.forkScoped(Stream.runForEach(Stream.drop(parameters.statusChanges, 1), (status) => Effect.sync(() => {
        if (status === "connected")
            brokenReason = "reconnected";
        arrived.openUnsafe();
    })));
    const recover = Effect.suspend(() => {
        if (brokenReason === undefined)
            return Effect.void;
        const reason = brokenReason;
        return Effect.andThen(Effect.sleep(reason === "reconnected" ? 0 : 250), resubscribe(reason));
    });
    const longPull = (free) => Effect.gen(function* () {
        while (buffer.length === 0) {
            yield* recover;
            arrived.closeUnsafe();
            // A request per free slot would cost more than the message; while half of the slots are requested, the next
            // request waits.
            if (outstanding < free && outstanding <= options.concurrency / 2) {
                requestBatch(free - outstanding, { expires: nanos(pullExpiry), idle_heartbeat: nanos(idleHeartbeat) });
            }
            const sign = yield* Effect.timeoutOption(arrived.await, heartbeatTimeout);
            if (sign._tag === "None")
                brokenReason = "no idle heartbeat";
        }
    });
    /** One message, or a status that the stream has none. */
    const shortPull = Effect.gen(function* () {
        yield* recover;
        arrived.closeUnsafe();
        requestBatch(1, { no_wait: true });
        const answer = yield* Effect.timeoutOption(arrived.await, "5 seconds");
        if (answer._tag === "Some")
            return;
        brokenReason = "no answer";
        yield* new TransientError({
            dependency: "bus",
            code: "timeout",
            message: `NATS does not answer consumer ${options.name}`,
        });
    });
    const addLeased = (message, into) => {
        const where = NatsMessage.parseDeliveryInfo(message.reply ?? "");
        if (where === undefined)
            return;
        into.push(new NatsLeasedMessage(NatsMessage.delivered(message, subject, where), where.sequence, message, settle));
    };
    const source = {
        ready: (free) => (hasSharedPermits ? Effect.suspend(() => Effect.sleep(pollDelay)) : longPull(free)),
        take: Effect.fnUntraced(function* (max) {
            if (hasSharedPermits)
                yield* shortPull;
            const messages = buffer.splice(0, max);
            pollDelay = messages.length > 0 ? 0 : Math.min(maxPollDelay, Math.max(minPollDelay, pollDelay * 2));
            const all = [];
            for (const message of messages)
                addLeased(message, all);
            return all;
        }),
        stop: Effect.suspend(() => {
            if (stopped)
                return Effect.void;
            stopped = true;
            return Effect.forEach(buffer.splice(0), (message) => Effect.ignore(settle(message, nackPayload(0))), {
                discard: true,
            }).pipe(Effect.andThen(drainSubscription(subscription)), Effect.andThen(flush));
        }),
        depth: depth(client, manager, stream, options),
    };
    /** The nacks have reached the server before the caller continues. */
    const flush = Effect.suspend(() => client.isClosed()
        ? Effect.void
        : Effect.ignore(Effect.timeoutOption(natsRequest("flush", () => client.flush()), "2 seconds")));
    // Registered first, so it runs last: it also flushes the nacks of the handlers.
    yield* Effect.addFinalizer(() => flush);
    return source;
});
const nackPayload = (millis) => millis <= 0 ? "-NAK" : `-NAK ${JSON.stringify({ delay: nanos(millis) })}`;
/** A class with getters: one object per message, and most messages are settled in one of three ways (measured). */
class NatsLeasedMessage {
    delivery;
    sequence;
    message;
    settle;
    constructor(delivery, sequence, message, settle) {
        this.delivery = delivery;
        this.sequence = sequence;
        this.message = message;
        this.settle = settle;
    }
    get ack() {
        return this.settle(this.message, ackPayload);
    }
    nack(millis) {
        return this.settle(this.message, nackPayload(millis));
    }
    get inProgress() {
        return this.settle(this.message, "+WPI");
    }
}
