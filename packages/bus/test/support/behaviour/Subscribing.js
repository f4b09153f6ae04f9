/** Live messages and events that reach every subscriber. */
import { assert } from "@effect/vitest";
import { Effect, Exit, Scope } from "effect";
import * as Address from "../../../src/Address.ts";
import {} from "../../../src/EventBus.ts";
import { eventually } from "@armoricore/testing/Eventually";
import { bytes, ready, send, text } from "./Harness.ts";
export const subscribingBehaviour = ({ test, testShared }) => {
    test("live messages reach who listens now, by topic, one token or all that follow", (bus) => Effect.gen(function* () {
        const received = [];
        const hear = (as) => (message) => void received.push(`${as} ${message.subject} ${text(message.body)} ${message.headers["h"] ?? ""}`);
        yield* bus.broadcast(Address.ephemeral("room.1"), bytes("before"));
        const scope = yield* Scope.make();
        yield* bus.subscribe(Address.ephemeral("room.1"), hear("exact"));
        yield* bus.subscribe(Address.ephemeral("room.*"), hear("star"));
        yield* bus.subscribe(Address.ephemeral(">"), hear("all")).pipe(Scope.provide(scope));
        yield* bus.broadcast(Address.ephemeral("room.1"), bytes("a"), { h: "v" });
        yield* bus.broadcast(Address.ephemeral("room.2"), bytes("b"));
        yield* bus.broadcast(Address.ephemeral("room.2.x"), bytes("c"));
        yield* eventually(Effect.sync(() => received.length >= 6));
        assert.deepStrictEqual(received.sort(), [
            "all armoricore-live.room.1 a v",
            "all armoricore-live.room.2 b ",
            "all armoricore-live.room.2.x c ",
            "exact armoricore-live.room.1 a v",
            "star armoricore-live.room.1 a v",
            "star armoricore-live.room.2 b ",
        ]);
        yield* Scope.close(scope, Exit.void);
        yield* bus.broadcast(Address.ephemeral("room.1"), bytes("d"));
        yield* eventually(Effect.sync(() => received.length >= 8));
        assert.lengthOf(received.filter((line) => line.startsWith("all")), 3);
    }));
    test("delivers thousands of live topics only to their own subscribers", (bus) => Effect.gen(function* () {
        const received = [];
        const topics = Array.from({ length: 2_100 }, (_, index) => `room.many:${index}`);
        const hear = (topic) => bus.subscribe(Address.ephemeral(topic), () => void received.push(topic));
        yield* Effect.forEach(topics, hear, { concurrency: 64, discard: true });
        const scope = yield* Scope.make();
        yield* hear("room.many:7").pipe(Scope.provide(scope));
        for (const index of [7, 77, 2_099])
            yield* bus.broadcast(Address.ephemeral(`room.many:${index}`), bytes("x"));
        yield* eventually(Effect.sync(() => received.length >= 4));
        assert.deepStrictEqual(received.sort(), ["room.many:2099", "room.many:7", "room.many:7", "room.many:77"]);
        yield* Scope.close(scope, Exit.void);
        yield* bus.broadcast(Address.ephemeral("room.many:7"), bytes("x"));
        yield* bus.broadcast(Address.ephemeral("room.many:8"), bytes("x"));
        yield* eventually(Effect.sync(() => received.includes("room.many:8")));
        assert.lengthOf(received, 6);
    }));
    test("delivers each event once to a subscriber, with its id, and survives a subscriber that throws", (bus) => Effect.gen(function* () {
        const received = [];
        yield* bus.subscribe("all-events", () => {
            throw new Error("thrown on purpose");
        });
        yield* bus.subscribe(ready, (message) => void received.push(`${message.id} ${text(message.body)}`));
        yield* bus.subscribe("all-events", (message) => void received.push(`all ${message.id}`));
        yield* send(bus, "x", ready, "e1");
        yield* send(bus, "x", ready, "e1");
        yield* send(bus, "y", Address.event("media.failed"), "e2");
        yield* eventually(Effect.sync(() => received.includes("all e2")));
        // Order between listeners is free, order within one is not.
        assert.deepStrictEqual(received.filter((line) => line.startsWith("all")), [...received.filter((line) => line === "all e1"), "all e2"]);
        assert.include(received, "e1 x");
        assert.notInclude(received, "e2 y");
    }));
    testShared("events and live messages reach the other process", (first, second) => Effect.gen(function* () {
        const received = [];
        yield* second.bus.subscribe(Address.ephemeral("room.>"), ({ body }) => void received.push(text(body)));
        yield* second.bus.subscribe(ready, ({ body }) => void received.push(text(body)));
        yield* first.bus.broadcast(Address.ephemeral("room.a.b"), bytes("live"));
        yield* send(first.bus, "event");
        yield* eventually(Effect.sync(() => received.length === 2));
        assert.deepStrictEqual(received.sort(), ["event", "live"]);
    }));
};
