/** Tests the handler on the worker loop with all ports in memory. The test clock skips the backoff. */
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { TransientError } from "@armoricore/domain/Errors";
import * as EventCodec from "@armoricore/domain/EventCodec";
import { Testing } from "@armoricore/testing";
import { DeadLetters } from "@armoricore/worker";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { TestClock } from "effect/testing";
import * as Tickets from "./Tickets.ts";
const failed = EventCodec.encode({
    event_type: "media.failed",
    event_id: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
    timestamp: "2026-01-31T12:00:00Z",
    source: "media",
    payload: {
        media_id: "m-1",
        user_id: "ada",
        error: { code: "unreadable", message: "the file has no video" },
        failed_at: "2026-01-31T12:00:00Z",
    },
});
/** A ticket system whose first `failures` calls fail. */
const fakeTicketSystem = (failures) => {
    const calls = [];
    const layer = Layer.succeed(Tickets.TicketSystem, {
        open: (id, text) => Effect.suspend(() => {
            calls.push(`${id} ${text}`);
            return calls.length > failures
                ? Effect.void
                : Effect.fail(new TransientError({ dependency: "tickets", code: "unavailable", message: "ticket system down" }));
        }),
    });
    return { calls, layer };
};
const publishFailedUpload = Effect.flatMap(EventBus, (bus) => bus.publish({ address: event("media.failed"), id: crypto.randomUUID(), body: failed }));
const listDeadLetters = Effect.flatMap(DeadLetters, ({ list }) => list({ limit: 10 }));
/** Advances the clock by minutes until the condition holds. */
const until = (condition) => TestClock.adjust("1 minute").pipe(Effect.andThen(condition), Effect.repeat({ until: (holds) => holds }));
describe("Tickets", () => {
    it.effect("opens the ticket after an outage, without a dead letter", () => {
        const { calls, layer } = fakeTicketSystem(2);
        return Effect.gen(function* () {
            yield* Layer.build(Tickets.layer.pipe(Layer.provide(layer)));
            yield* publishFailedUpload;
            yield* until(Effect.sync(() => calls.length === 3));
            assert.strictEqual(new Set(calls).size, 1);
            assert.deepStrictEqual(yield* listDeadLetters, []);
        }).pipe(Effect.provide(Testing.layer));
    });
    it.effect("a permanent outage leaves a dead letter with the reason", () => {
        const { layer } = fakeTicketSystem(Infinity);
        return Effect.gen(function* () {
            yield* Layer.build(Tickets.layer.pipe(Layer.provide(layer)));
            yield* publishFailedUpload;
            yield* until(Effect.map(listDeadLetters, (all) => all.length === 1));
            const [deadLetter] = yield* listDeadLetters;
            assert.include(JSON.stringify(deadLetter), "ticket system down");
        }).pipe(Effect.provide(Testing.layer));
    });
});
