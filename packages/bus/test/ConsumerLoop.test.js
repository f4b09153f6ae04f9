import { assert, describe, it } from "@effect/vitest";
import { Effect, Latch, Logger, Queue } from "effect";
import { TransientError } from "@armoricore/domain/Errors";
import * as Address from "../src/Address.ts";
import * as ConsumerLoop from "../src/ConsumerLoop.ts";
const nothing = Effect.void;
const options = { name: "worker", from: Address.event("media.ready"), concurrency: 1 };
/** A message that tells how it was settled. */
const taken = (sequence, settled) => ({
    delivery: {
        subject: "armoricore.media.ready",
        id: String(sequence),
        headers: {},
        body: new Uint8Array(),
        arrivedAt: 0,
        deliveryCount: 1,
    },
    sequence,
    ack: Effect.asVoid(Queue.offer(settled, `ack ${sequence}`)),
    nack: (millis) => Effect.asVoid(Queue.offer(settled, `retry ${sequence} in ${millis}`)),
    inProgress: nothing,
});
describe("a consumer on a source", () => {
    it.live("pulls on after a defect of its source", () => Effect.gen(function* () {
        const settled = yield* Queue.unbounded();
        let takes = 0;
        yield* ConsumerLoop.run(options, {
            ready: () => (takes < 2 ? nothing : Effect.never),
            take: () => Effect.suspend(() => ++takes === 1 ? Effect.die("a message that cannot be read") : Effect.succeed([taken(2, settled)])),
            stop: nothing,
            depth: Effect.die("not asked for"),
        }, () => Effect.succeed({ _tag: "Ack" }), () => Effect.die("nothing is published"));
        assert.strictEqual(yield* Effect.timeout(Queue.take(settled), "10 seconds"), "ack 2");
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([]))));
    it.live("frees its slot for every outcome of a message", () => Effect.gen(function* () {
        const settled = yield* Queue.unbounded();
        const idle = yield* Latch.make(false);
        let takes = 0;
        let most = 0;
        yield* ConsumerLoop.run(options, {
            ready: (free) => {
                most = Math.max(most, free);
                return takes < 5 ? nothing : Effect.andThen(idle.open, Effect.never);
            },
            take: () => {
                const message = taken(++takes, settled);
                // The bus is away when the third is acknowledged.
                return Effect.succeed([message.sequence === 3 ? { ...message, ack: Effect.die("lost") } : message]);
            },
            stop: nothing,
            depth: Effect.die("not asked for"),
        }, ({ id }) => id === "1"
            ? Effect.die("a fault of the handler")
            : id === "2"
                ? Effect.delay(Effect.succeed({ _tag: "Ack" }), "10 millis")
                : Effect.succeed({ _tag: "Ack" }), () => Effect.die("nothing is published"));
        yield* Effect.timeout(idle.await, "10 seconds");
        assert.strictEqual(most, 1);
        assert.deepStrictEqual(yield* Queue.takeAll(settled), ["retry 1 in 1000", "ack 2", "ack 4", "ack 5"]);
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([]))));
});
describe("onStored of a dead letter", () => {
    const unconfirmed = new Set();
    const letter = { address: Address.deadLetter("media", "media.ready"), body: new Uint8Array() };
    /** How often `onStored` runs for these answers of the bus to the same dead letter. */
    const runs = (...answers) => Effect.gen(function* () {
        let count = 0;
        for (const answer of answers) {
            const published = ConsumerLoop.storeDeadLetter(() => answer === "lost"
                ? new TransientError({ dependency: "bus", code: "timeout", message: "no answer" })
                : Effect.succeed({ duplicate: answer === "duplicate" }), "dlq:worker:1:0", { deadLetter: letter, onStored: Effect.sync(() => void count++) }, unconfirmed);
            yield* Effect.ignore(published);
        }
        return count;
    });
    it.effect("runs once for one stored dead letter", () => Effect.gen(function* () {
        assert.strictEqual(yield* runs("stored", "duplicate"), 1);
        assert.strictEqual(yield* runs("duplicate"), 0, "another consumer stored it");
        // The bus had stored it, but its answer was lost.
        assert.strictEqual(yield* runs("lost", "duplicate", "duplicate"), 1);
        assert.strictEqual(yield* runs("lost", "lost", "stored"), 1);
    }));
});
