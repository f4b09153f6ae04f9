import { NotFound, TransientError } from "@armoricore/domain/Errors";
import * as MemoryStorage from "@armoricore/storage/memory/MemoryStorage";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { CircuitBreakers } from "@armoricore/worker/control/CircuitBreakers";
import { assert, it } from "@effect/vitest";
import { Effect, Layer, Logger } from "effect";
import { TestClock } from "effect/testing";
import * as StorageCircuitBreaker from "../../src/wiring/StorageCircuitBreaker.ts";
const ref = { bucket: "media", key: "a" };
it.effect("an outage opens the circuit for reads; a missing object is not a failure; writes still pass", () => Effect.gen(function* () {
    let reads = 0;
    let isAway = false;
    const gone = new TransientError({ dependency: "storage", code: "unavailable", message: "away" });
    const flaky = Layer.effect(ObjectStorage, Effect.map(ObjectStorage, (real) => ObjectStorage.of({
        ...real,
        head: () => Effect.suspend(() => {
            reads++;
            return Effect.fail(isAway ? gone : new NotFound({ resource: "object", id: ref.key }));
        }),
    }))).pipe(Layer.provide(MemoryStorage.layer));
    yield* Effect.gen(function* () {
        const storage = yield* ObjectStorage;
        const look = Effect.map(Effect.flip(storage.head(ref)), (error) => error._tag === "TransientError" ? error.code : error._tag);
        for (let tries = 0; tries < 10; tries++)
            assert.strictEqual(yield* look, "NotFound");
        isAway = true;
        for (let tries = 0; tries < 5; tries++)
            assert.strictEqual(yield* look, "unavailable");
        assert.strictEqual(yield* look, "circuit_open");
        assert.strictEqual(reads, 15);
        yield* storage.put(ref, new Uint8Array(1), { contentType: "text/plain" });
        isAway = false;
        yield* TestClock.adjust("2 seconds");
        assert.strictEqual(yield* look, "NotFound");
    }).pipe(Effect.provide(StorageCircuitBreaker.layer.pipe(Layer.provide(flaky))));
}).pipe(Effect.provide(CircuitBreakers.layer), Effect.provide(Logger.layer([]))));
