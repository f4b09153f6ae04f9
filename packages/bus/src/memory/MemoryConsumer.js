/**
 * The state of one durable consumer in memory: pending messages, leased messages and delayed redeliveries. Shared by
 * every consumer of that name.
 */
import { Clock, Effect, Latch, MutableList } from "effect";
import { matcher } from "../Subjects.ts";
export class MemoryConsumer {
    from;
    matches;
    ready = MutableList.make();
    unsettled = new Map();
    attempts = new Map();
    available = Latch.makeUnsafe(false);
    onSettled;
    constructor(from, settled) {
        this.from = from;
        this.matches = matcher(from);
        this.onSettled = settled;
    }
    add(item) {
        MutableList.append(this.ready, item);
        this.available.openUnsafe();
    }
    /** Whether the consumer has not handled the message yet, be it waiting, leased or delayed. */
    isUnsettled(sequence) {
        return this.unsettled.has(sequence) || MutableList.toArray(this.ready).some((item) => item.sequence === sequence);
    }
    /** `later` runs a function after that many milliseconds, even if the consumer that scheduled it has stopped. */
    source(schedule) {
        return {
            ready: () => this.available.await,
            take: (max) => Effect.sync(() => this.take(max, schedule)),
            stop: Effect.void,
            depth: Effect.map(Clock.currentTimeMillis, (now) => this.depth(now)),
        };
    }
    take(max, schedule) {
        const items = MutableList.takeN(this.ready, max);
        if (this.ready.length === 0)
            this.available.closeUnsafe();
        return items.map((item) => {
            const deliveryCount = (this.attempts.get(item.sequence) ?? 0) + 1;
            this.attempts.set(item.sequence, deliveryCount);
            this.unsettled.set(item.sequence, item);
            return {
                delivery: { ...item.stored, deliveryCount },
                sequence: item.sequence,
                ack: Effect.sync(() => {
                    this.unsettled.delete(item.sequence);
                    this.attempts.delete(item.sequence);
                    this.onSettled(item);
                }),
                nack: (millis) => Effect.sync(() => (millis <= 0 ? this.requeue(item) : schedule(millis, () => this.requeue(item)))),
                inProgress: Effect.void,
            };
        });
    }
    requeue(item) {
        this.unsettled.delete(item.sequence);
        MutableList.prepend(this.ready, item);
        this.available.openUnsafe();
    }
    depth(now) {
        let oldest = now;
        for (const item of [...this.unsettled.values(), ...MutableList.toArray(this.ready)]) {
            oldest = Math.min(oldest, item.stored.arrivedAt);
        }
        return { pending: this.ready.length, inFlight: this.unsettled.size, oldestAgeMillis: now - oldest };
    }
}
