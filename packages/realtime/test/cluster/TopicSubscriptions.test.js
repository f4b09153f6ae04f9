import { TransientError } from "@armoricore/domain/Errors";
import * as TopicSubscriptions from "@armoricore/realtime/cluster/TopicSubscriptions";
import { makeLocal } from "@armoricore/realtime/pubsub/Topics";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
const make = Effect.gen(function* () {
    const topics = makeLocal();
    const log = [];
    const bus = { isConnected: true, failures: 0 };
    const unavailable = new TransientError({ dependency: "bus", code: "unavailable", message: "unavailable" });
    const subscriptions = yield* TopicSubscriptions.make({
        topics,
        isConnected: () => bus.isConnected,
        acquire: (topic) => Effect.andThen(Effect.acquireRelease(Effect.sync(() => log.push(`subscribe ${topic}`)), () => Effect.sync(() => log.push(`unsubscribe ${topic}`))), Effect.suspend(() => (bus.failures-- > 0 ? Effect.fail(unavailable) : Effect.void))),
    });
    const join = (topic) => {
        const subscriber = { receive: () => { } };
        topics.subscribe(topic, subscriber);
        subscriptions.open(topic);
        return subscriber;
    };
    return { topics, subscriptions, log, bus, join };
});
describe("TopicSubscriptions", () => {
    it.effect("subscribers of a topic share one subscription, which closes after an idle time", () => Effect.gen(function* () {
        const { topics, subscriptions, log, join } = yield* make;
        const [first, second] = [join("t"), join("t")];
        yield* subscriptions.awaitReady("t");
        assert.deepStrictEqual([log, subscriptions.isReady("t")], [["subscribe t"], true]);
        topics.unsubscribe("t", first);
        yield* TestClock.adjust("1 minute");
        assert.isTrue(subscriptions.isReady("t"));
        topics.unsubscribe("t", second);
        yield* TestClock.adjust("9 seconds");
        const third = join("t");
        yield* TestClock.adjust("1 minute");
        assert.deepStrictEqual(log, ["subscribe t"]);
        topics.unsubscribe("t", third);
        yield* TestClock.adjust("11 seconds");
        assert.deepStrictEqual([log, subscriptions.isReady("t")], [["subscribe t", "unsubscribe t"], false]);
    }));
    it.effect("a failed attempt is released and retried", () => Effect.gen(function* () {
        const { subscriptions, log, bus, join } = yield* make;
        bus.failures = 1;
        join("t");
        const ready = yield* Effect.forkChild(subscriptions.awaitReady("t"));
        yield* TestClock.adjust("500 millis");
        assert.deepStrictEqual([log, subscriptions.isReady("t")], [["subscribe t", "unsubscribe t"], false]);
        yield* TestClock.adjust("1 second");
        yield* Fiber.join(ready);
        assert.deepStrictEqual([log.at(-1), subscriptions.isReady("t")], ["subscribe t", true]);
    }));
    it.effect("waits at most two seconds, and not at all while the bus is disconnected", () => Effect.gen(function* () {
        const { subscriptions, bus, join } = yield* make;
        bus.failures = Infinity;
        join("t");
        const ready = yield* Effect.forkChild(subscriptions.awaitReady("t"));
        yield* TestClock.adjust("1900 millis");
        assert.isUndefined(ready.pollUnsafe());
        yield* TestClock.adjust("200 millis");
        assert.isDefined(ready.pollUnsafe());
        bus.isConnected = false;
        yield* subscriptions.awaitReady("t");
        assert.isFalse(subscriptions.isReady("t"));
    }));
});
