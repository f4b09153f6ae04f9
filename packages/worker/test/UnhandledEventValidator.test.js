import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { DeadLetters, UnhandledEventValidator, Ledger, on, Worker } from "@armoricore/worker";
import { EventSources } from "@armoricore/worker/PublishPolicy";
import { assert, it } from "@effect/vitest";
import { Effect, Exit, Layer, Scope } from "effect";
import { TestClock } from "effect/testing";
const ports = DeadLetters.layer.pipe(Layer.provideMerge(Ledger.layer), Layer.provideMerge(Layer.mergeAll(MemoryBus.layer, MemoryState.layer)));
const publish = (subject, more) => Effect.flatMap(EventBus, (bus) => bus.publish({
    address: event(subject),
    id: crypto.randomUUID(),
    body: new TextEncoder().encode(JSON.stringify({
        event_type: subject,
        event_id: crypto.randomUUID(),
        timestamp: "2026-01-31T12:00:00Z",
        source: "php-backend",
        payload: {},
        ...more,
    })),
}));
it.effect("a valid event on an unknown subject becomes a dead letter", () => 
// regression: the event was acknowledged and lost
Effect.gen(function* () {
    yield* UnhandledEventValidator.run(new Set(["media.uploaded"]));
    yield* publish("media.upload", {
        event_type: "media.uploaded",
        payload: { media_id: "m", user_id: "u", file_path: "s3://media/a.mp4" },
    });
    yield* TestClock.adjust(0).pipe(Effect.andThen(Effect.yieldNow), Effect.repeat({ times: 50 }));
    const [deadLetter, ...others] = yield* Effect.flatMap(DeadLetters, (dead) => dead.list({ limit: 10 }));
    assert.deepStrictEqual([deadLetter?.record.service, deadLetter?.record.reason, deadLetter?.record.path], ["guard", "invalid", "event_type"]);
    assert.isEmpty(others);
}).pipe(Effect.provide(ports)));
it.effect("a replay reaches a consumer that was added after the dead letter", () => Effect.gen(function* () {
    const before = yield* Scope.make();
    yield* UnhandledEventValidator.run(new Set()).pipe(Scope.provide(before));
    const bus = yield* EventBus;
    // Otherwise the new consumer would also receive the original event, from the start of the stream.
    yield* bus
        .consume({ name: "media-media-uploaded", from: event("media.uploaded"), concurrency: 1 }, () => Effect.succeed({ _tag: "Ack" }))
        .pipe(Scope.provide(before));
    yield* publish("media.uploaded", {
        source: "nobody",
        payload: { media_id: "m", user_id: "u", file_path: "s3://media/a.mp4" },
    });
    yield* TestClock.adjust(0).pipe(Effect.andThen(Effect.yieldNow), Effect.repeat({ times: 50 }));
    yield* Scope.close(before, Exit.void);
    const seen = [];
    yield* UnhandledEventValidator.run(new Set(["media.uploaded"]));
    yield* Worker.run("media", [
        on("media.uploaded", {
            handle: ({ source }) => Effect.as(Effect.sync(() => seen.push(source)), []),
            onFailure: () => [],
        }),
    ]).pipe(Effect.provideService(EventSources, new Map([["nobody", new Set(["media.uploaded"])]])));
    const dead = yield* DeadLetters;
    const [deadLetter] = yield* dead.list({ limit: 10 });
    yield* dead.replay(deadLetter?.id ?? "");
    yield* TestClock.adjust(0).pipe(Effect.andThen(Effect.yieldNow), Effect.repeat({ times: 50 }));
    assert.deepStrictEqual(seen, ["nobody"]);
}).pipe(Effect.provide(ports)));
it.effect("unknown and forged events become dead letters; handled types are left to their workers", () => Effect.gen(function* () {
    yield* UnhandledEventValidator.run(new Set(["media.uploaded"]));
    yield* publish("media.eaten", {});
    yield* publish("media.playable", { payload: { media_id: "m", user_id: "u", playback_urls: { hls: "h", mp4: [] } } });
    yield* publish("media.playable", {
        source: "media",
        payload: { media_id: "m", user_id: "u", playback_urls: { hls: "h", mp4: [] } },
    });
    yield* publish("media.uploaded", {});
    yield* TestClock.adjust(0).pipe(Effect.andThen(Effect.yieldNow), Effect.repeat({ times: 50 }));
    const deadLetters = yield* Effect.flatMap(DeadLetters, (dead) => dead.list({ limit: 10 }));
    assert.deepStrictEqual(deadLetters.map(({ record }) => [record.service, record.event_type, record.reason, record.path]), [
        ["guard", "media.eaten", "unknown_type", "event_type"],
        ["guard", "media.playable", "unauthorized", "source"],
    ]);
}).pipe(Effect.provide(ports)));
