import { Quota } from "@armoricore/media/pipeline/Quota";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Layer } from "effect";
import { TestClock } from "effect/testing";
const daily = Quota.layerDaily({ uploads: 2, bytes: 100, seconds: 60 }).pipe(Layer.provide(Layer.fresh(MemoryState.layer)));
const charge = Effect.fnUntraced(function* (userId, eventId, bytes = 10, seconds = 10) {
    const quota = yield* Quota;
    const result = yield* Effect.result(quota.charge(userId, { eventId, bytes, seconds }));
    if (result._tag === "Success")
        return "charged";
    return result.failure._tag === "PermanentError" ? result.failure.code : result.failure.message;
});
describe("Quota", () => {
    it.effect("limits uploads, bytes and seconds per user and day, and charges a repeated event once", () => Effect.gen(function* () {
        assert.strictEqual(yield* charge("u1", "a"), "charged");
        assert.strictEqual(yield* charge("u1", "a"), "charged");
        assert.strictEqual(yield* charge("u1", "b"), "charged");
        assert.strictEqual(yield* charge("u1", "c"), "quota_exceeded");
        assert.strictEqual(yield* charge("u1", "b"), "charged");
        assert.strictEqual(yield* charge("u2", "a", 101), "quota_exceeded");
        assert.strictEqual(yield* charge("u2", "b", 10, 61), "quota_exceeded");
        assert.strictEqual(yield* charge("u2", "c"), "charged");
        yield* TestClock.adjust(Duration.days(1));
        assert.strictEqual(yield* charge("u1", "c"), "charged");
    }).pipe(Effect.provide(daily)));
    it.effect("has no limits in layerNoop", () => Effect.gen(function* () {
        assert.strictEqual(yield* charge("u1", "a", 1e12, 1e9), "charged");
    }).pipe(Effect.provide(Quota.layerNoop)));
});
