import { KeyValue } from "@armoricore/state/KeyValue";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { Ledger } from "@armoricore/worker";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Layer } from "effect";
import { TestClock } from "effect/testing";
const lease = Duration.seconds(30);
const ledger = Ledger.layer.pipe(Layer.provide(MemoryState.layer));
const acquire = Effect.fnUntraced(function* (owner) {
    const result = yield* (yield* Ledger).acquire("c.1", owner, lease);
    assert(result._tag === "Acquired", result._tag);
    return result.lease;
});
const held = Effect.fnUntraced(function* (owner) {
    const result = yield* (yield* Ledger).acquire("c.1", owner, lease);
    assert(result._tag === "Leased", result._tag);
    return Duration.toMillis(result.remaining);
});
describe("the ledger", () => {
    it.effect("only one of many concurrent workers acquires the lease", () => Effect.gen(function* () {
        const results = yield* Effect.forEach(Array.from({ length: 32 }, (_, index) => `owner-${index}`), (owner) => Effect.flatMap(Ledger, (all) => all.acquire("c.1", owner, lease)), { concurrency: "unbounded" });
        assert.lengthOf(results.filter(({ _tag }) => _tag === "Acquired"), 1);
    }).pipe(Effect.provide(ledger)));
    it.effect("a renewed lease is exclusive; after it expires another worker acquires it, and the former owner cannot decide", () => Effect.gen(function* () {
        const first = yield* acquire("first");
        yield* TestClock.adjust("20 seconds");
        yield* first.renew;
        yield* TestClock.adjust("20 seconds");
        assert.strictEqual(yield* held("second"), 10_000);
        yield* TestClock.adjust("11 seconds");
        const second = yield* acquire("second");
        assert.isAbove(second.fencingToken, first.fencingToken);
        assert.strictEqual(second.expiredLeases, 1);
        assert.strictEqual((yield* Effect.flip(first.renew))._tag, "Conflict");
        assert.strictEqual((yield* Effect.flip(first.decide({ outbound: [] }, 1)))._tag, "Conflict");
        assert.strictEqual((yield* Effect.flip(first.release({ countsAsAttempt: true })))._tag, "Conflict");
        yield* second.decide({ outbound: [] }, 1);
        const repeated = yield* (yield* Ledger).acquire("c.1", "third", lease);
        assert.strictEqual(repeated._tag, "Decided");
    }).pipe(Effect.provide(ledger)));
    it.effect("a renewal during the decision does not make the decision fail", () => Effect.gen(function* () {
        const claim = yield* acquire("first");
        yield* Effect.all([claim.renew, claim.decide({ outbound: [] }, 1)], { concurrency: "unbounded" });
    }).pipe(Effect.provide(ledger)));
    it.effect("a later lease creates the record with its first write, and fails if there is one by then", () => Effect.gen(function* () {
        const all = yield* Ledger;
        const later = yield* all.acquireLater("c.1", "first", lease);
        const second = yield* acquire("second");
        assert.isAbove(second.fencingToken, later.fencingToken);
        assert.strictEqual((yield* Effect.flip(later.renew))._tag, "Conflict");
        assert.strictEqual((yield* Effect.flip(later.decide({ outbound: [] }, 1)))._tag, "Conflict");
        const other = yield* all.acquireLater("c.2", "first", lease);
        yield* other.release({ countsAsAttempt: true });
        const retried = yield* all.acquire("c.2", "second", lease);
        assert.deepNestedInclude(retried, { _tag: "Acquired", "lease.attempts": 1 });
        const renewed = yield* all.acquireLater("c.3", "first", lease);
        yield* renewed.renew;
        assert.strictEqual((yield* all.acquire("c.3", "second", lease))._tag, "Leased");
        yield* renewed.decide({ outbound: [] }, 1);
        assert.strictEqual((yield* all.acquire("c.3", "second", lease))._tag, "Decided");
    }).pipe(Effect.provide(ledger)));
    it.effect("counts failures, not crashes or releases; crashes in a row have their own count", () => Effect.gen(function* () {
        const first = yield* acquire("a");
        yield* first.release({ countsAsAttempt: true });
        const second = yield* acquire("b");
        assert.deepStrictEqual([second.attempts, second.expiredLeases], [1, 0]);
        yield* TestClock.adjust("31 seconds");
        const third = yield* acquire("c");
        assert.deepStrictEqual([third.attempts, third.expiredLeases], [1, 1]);
        yield* TestClock.adjust("31 seconds");
        const fourth = yield* acquire("d");
        assert.deepStrictEqual([fourth.attempts, fourth.expiredLeases], [1, 2]);
        yield* fourth.release({ countsAsAttempt: false });
        const fifth = yield* acquire("e");
        assert.deepStrictEqual([fifth.attempts, fifth.expiredLeases], [1, 0]);
    }).pipe(Effect.provide(ledger)));
    it.effect("cancels a running job and one that has not arrived yet, but never a decided one", () => Effect.gen(function* () {
        const all = yield* Ledger;
        const running = yield* acquire("a");
        assert.isTrue(yield* all.cancel("c.1", "the user left"));
        assert.isTrue(yield* all.cancel("c.1", "twice is once"));
        assert.strictEqual((yield* Effect.flip(running.decide({ outbound: [] }, 1)))._tag, "Conflict");
        const next = yield* acquire("b");
        assert.strictEqual(next.cancelReason, "the user left");
        yield* next.decide({ outbound: [] }, 0);
        assert.isFalse(yield* all.cancel("c.1", "too late"));
        assert.isTrue(yield* all.cancel("c.2", "before it came"));
        const early = yield* all.acquire("c.2", "a", lease);
        assert(early._tag === "Acquired");
        assert.strictEqual(early.lease.cancelReason, "before it came");
    }).pipe(Effect.provide(ledger)));
    it.effect("a deleted record can be acquired again, with a larger fencing token", () => Effect.gen(function* () {
        const first = yield* acquire("a");
        yield* first.decide({ outbound: [] }, 1);
        yield* (yield* Ledger).remove("c.1");
        const again = yield* acquire("b");
        assert.isAbove(again.fencingToken, first.fencingToken);
        assert.strictEqual(again.attempts, 0);
    }).pipe(Effect.provide(ledger)));
});
/** The store as seen by processes that own it one after the other. */
const ownedBy = (ownerId) => Ledger.layer.pipe(Layer.provide(Layer.effect(KeyValue, Effect.map(KeyValue, (state) => ({ ...state, ...(ownerId === undefined ? {} : { ownerId }) })))));
describe("a store with one owner process at a time", () => {
    it.effect("after kill -9 the next owner acquires the lease of the dead one at once", () => 
    // regression: it waited until the lease expired
    Effect.gen(function* () {
        const dead = yield* Effect.provide(acquire("dead"), ownedBy("first"));
        assert.strictEqual(yield* Effect.provide(held("a colleague"), ownedBy("first")), 30_000);
        const successor = yield* Effect.provide(acquire("successor"), ownedBy("second"));
        assert.isAbove(successor.fencingToken, dead.fencingToken);
        assert.strictEqual(successor.expiredLeases, 1);
        assert.strictEqual((yield* Effect.flip(dead.decide({ outbound: [] }, 1)))._tag, "Conflict");
        yield* successor.renew;
        assert.strictEqual(yield* Effect.provide(held("a colleague"), ownedBy("second")), 30_000);
    }).pipe(Effect.provide(MemoryState.layer)));
    it.effect("leases of processes without ownership stay valid under a new owner, and they wait for leases to expire", () => Effect.gen(function* () {
        yield* Effect.provide(acquire("sharer"), ownedBy(undefined));
        assert.strictEqual(yield* Effect.provide(held("owner"), ownedBy("second")), 30_000);
        yield* TestClock.adjust("31 seconds");
        yield* Effect.provide(acquire("owner"), ownedBy("second"));
        assert.strictEqual(yield* Effect.provide(held("sharer"), ownedBy(undefined)), 30_000);
    }).pipe(Effect.provide(MemoryState.layer)));
});
describe("a keyed queue", () => {
    it.effect("has one member at its head, the others in the order of their arrival", () => Effect.gen(function* () {
        const { keyedQueue } = yield* Ledger;
        const position = (member, at) => Effect.map(keyedQueue.enqueue("l", member, at), (place) => place.position);
        assert.strictEqual(yield* position("second", 20), 0);
        assert.strictEqual(yield* position("third", 30), 1);
        // It arrived before the head, but the head may be running.
        assert.strictEqual(yield* position("first", 10), 1);
        assert.strictEqual(yield* position("third", 30), 2);
        yield* keyedQueue.dequeue("l", "second");
        assert.strictEqual(yield* position("first", 10), 0);
        yield* keyedQueue.dequeue("l", "first");
        assert.strictEqual(yield* position("third", 30), 0);
    }).pipe(Effect.provide(ledger)));
    it.effect("drops a head that is gone, but not one with a lease or an announced delay", () => Effect.gen(function* () {
        const { acquire, keyedQueue } = yield* Ledger;
        const position = (member) => Effect.map(keyedQueue.enqueue("l", member, 0), (place) => place.position);
        yield* position("gone");
        yield* position("next");
        yield* keyedQueue.extend("l", "gone", Duration.minutes(10));
        yield* TestClock.adjust("14 minutes");
        assert.strictEqual(yield* position("next"), 1);
        yield* acquire("gone", "owner", Duration.minutes(5));
        yield* TestClock.adjust("2 minutes");
        assert.strictEqual(yield* position("next"), 1);
        yield* TestClock.adjust("4 minutes");
        assert.strictEqual(yield* position("next"), 0);
    }).pipe(Effect.provide(ledger)));
});
