import * as Collection from "@armoricore/state/Collection";
import { KeyValue } from "@armoricore/state/KeyValue";
import { mediaStates } from "@armoricore/state/MediaStates";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Layer, Option, Schema } from "effect";
const Counter = Schema.Struct({ count: Schema.Int, at: Schema.DateTimeUtcFromString });
const bucket = { name: "counters", maxAge: "never" };
const counters = { bucket, schema: Counter };
const brief = Duration.seconds(1);
const at = Schema.decodeSync(Schema.DateTimeUtcFromString)("2026-01-31T12:00:00.000Z");
const increment = (current) => {
    const count = Option.match(current, { onNone: () => 1, onSome: ({ value }) => value.count + 1 });
    return [count, Option.some({ count, at })];
};
describe("Collection", () => {
    it.effect("keeps documents as JSON of their schema", () => Effect.gen(function* () {
        const collection = yield* Collection.make(counters);
        const revision = yield* collection.create("a", { count: 1, at });
        assert.deepStrictEqual(yield* collection.get("a"), Option.some({ key: "a", value: { count: 1, at }, revision }));
        const { get } = yield* KeyValue;
        assert.deepStrictEqual(JSON.parse(Option.getOrThrow(yield* get(bucket, "a")).value), {
            count: 1,
            at: "2026-01-31T12:00:00.000Z",
        });
        const next = yield* collection.update("a", { count: 2, at }, revision);
        assert.strictEqual((yield* Effect.flip(collection.update("a", { count: 3, at }, revision)))._tag, "Conflict");
        assert.isAbove(yield* collection.put("b", { count: 9, at }), next);
        const listed = yield* collection.list({ limit: 10 });
        assert.deepStrictEqual(listed.map(({ key, value }) => [key, value.count]), [
            ["a", 2],
            ["b", 9],
        ]);
        yield* collection.remove("a");
        assert.isTrue(Option.isNone(yield* collection.get("a")));
    }).pipe(Effect.provide(MemoryState.layer)));
    it.effect("names bucket and key of a document that does not decode", () => Effect.gen(function* () {
        const collection = yield* Collection.make(counters);
        const { put } = yield* KeyValue;
        for (const value of ["not json", `{"count":"many","at":"2026-01-31T12:00:00Z"}`, ""]) {
            yield* put(bucket, "broken", value);
            const faults = yield* Effect.all([
                Effect.flip(collection.get("broken")),
                Effect.flip(collection.list({ limit: 1 })),
                Effect.flip(collection.modify("broken", (current) => Effect.succeed(increment(current)))),
            ]);
            for (const fault of faults) {
                assert.strictEqual(fault._tag, "ConfigurationError");
                assert.include(fault.message, "counters");
                assert.include(fault.message, "broken");
            }
        }
        const unwritable = yield* Effect.flip(collection.put("a", { count: 1.5, at }));
        assert.strictEqual(unwritable._tag, "ConfigurationError");
    }).pipe(Effect.provide(MemoryState.layer)));
    it.effect("loses no change of 50 that happen at once", () => Effect.gen(function* () {
        const collection = yield* Collection.make(counters);
        const seen = yield* Effect.forEach(Array.from({ length: 50 }), () => collection.modify("a", (current) => Effect.as(Effect.yieldNow, increment(current))), { concurrency: "unbounded" });
        assert.deepStrictEqual([...seen].sort((a, b) => a - b), Array.from({ length: 50 }, (_, index) => index + 1));
        assert.strictEqual(Option.getOrThrow(yield* collection.get("a")).value.count, 50);
    }).pipe(Effect.provide(MemoryState.layer)));
    it.effect("writes nothing where the decision is to leave it, and passes its failure on", () => Effect.gen(function* () {
        const collection = yield* Collection.make(counters);
        assert.strictEqual(yield* collection.modify("a", () => Effect.succeed(["left", Option.none()])), "left");
        assert.strictEqual(yield* Effect.flip(collection.modify("a", () => Effect.fail("no"))), "no");
        assert.isTrue(Option.isNone(yield* collection.get("a")));
    }).pipe(Effect.provide(MemoryState.layer)));
    it.effect("fails after a bounded number of attempts against a writer that is always faster", () => Effect.gen(function* () {
        const collection = yield* Collection.make(counters);
        let decisions = 0;
        const lost = yield* Effect.flip(collection.modify("a", (current) => Effect.gen(function* () {
            decisions += 1;
            yield* collection.put("a", { count: 0, at });
            return increment(current);
        })));
        assert.strictEqual(lost._tag, "Conflict");
        assert.strictEqual(decisions, 64);
    }).pipe(Effect.provide(MemoryState.layer)));
    it.effect("expires what was written with an expiry, through modify too", () => Effect.gen(function* () {
        const written = [];
        const spied = Layer.effect(KeyValue, Effect.map(KeyValue, (state) => ({
            ...state,
            create: (...parameters) => {
                written.push(parameters[3]);
                return state.create(...parameters);
            },
        }))).pipe(Layer.provide(MemoryState.layer));
        yield* Effect.flatMap(Collection.make(counters), (collection) => collection.modify("a", (current) => Effect.succeed(increment(current)), { expiresIn: brief })).pipe(Effect.provide(spied));
        assert.deepStrictEqual(written, [{ expiresIn: brief }]);
    }));
    it.effect("keeps the states of media for ever", () => Effect.gen(function* () {
        const collection = yield* Collection.make(mediaStates);
        assert.deepStrictEqual(collection.bucket, { name: "media", maxAge: "never" });
    }).pipe(Effect.provide(MemoryState.layer)));
});
