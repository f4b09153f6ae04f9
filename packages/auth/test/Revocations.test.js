import { EventBus } from "@armoricore/bus/EventBus";
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus";
import { layer, Revocations } from "@armoricore/auth/Revocations";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { assert, it } from "@effect/vitest";
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors";
import { KeyValue } from "@armoricore/state/KeyValue";
import { Context, Duration, Effect, Layer } from "effect";
import { TestClock } from "effect/testing";
/** Another node over the same bus and state. */
const node = Effect.map(Layer.build(Layer.fresh(layer)), (context) => Context.get(context, Revocations));
const ports = Layer.merge(MemoryBus.layer, MemoryState.layer);
const of = (userId, issuedAt) => ({
    userId,
    roles: [],
    expiresAt: Number.MAX_SAFE_INTEGER,
    ...(issuedAt === undefined ? {} : { issuedAt }),
});
it.effect("a revocation applies to all nodes at once, and to nodes that start later", () => Effect.gen(function* () {
    yield* TestClock.adjust(Duration.hours(1));
    const [one, two] = [yield* node, yield* node];
    let changes = 0;
    const stop = two.onChange(() => changes++);
    yield* one.revoke({ userId: "u1" });
    yield* one.revoke({ tokenId: "t1" });
    assert.strictEqual(changes, 2);
    stop();
    yield* one.revoke({ userId: "u9" });
    assert.strictEqual(changes, 2);
    const late = yield* node;
    yield* Effect.repeat(Effect.yieldNow, { while: () => !late.isRevoked(of("u9")) });
    for (const each of [one, two, late]) {
        assert.isTrue(each.isRevoked(of("u1", 3_600_000)));
        assert.isTrue(each.isRevoked(of("u1")), "a token that does not say when it was made");
        assert.isFalse(each.isRevoked(of("u1", 3_601_000)), "made later");
        assert.isTrue(each.isRevoked({ ...of("u2"), tokenId: "t1" }));
        assert.isFalse(each.isRevoked({ ...of("u2"), tokenId: "t2" }));
    }
}).pipe(Effect.provide(ports)));
it.effect("revocations are loaded once the state is set up after the start", () => 
// regression: revoked tokens stayed valid
Effect.gen(function* () {
    const memory = yield* KeyValue;
    yield* Effect.flatMap(node, (first) => first.revoke({ userId: "u1" }));
    let missing = true;
    const later = Layer.succeed(KeyValue, {
        ...memory,
        list: (...asked) => missing
            ? Effect.fail(new ConfigurationError({ setting: "STATE_URL", message: "the table does not exist" }))
            : memory.list(...asked),
    });
    const second = yield* Effect.provide(node, later);
    yield* TestClock.adjust("10 seconds");
    assert.isFalse(second.isRevoked(of("u1")));
    missing = false;
    yield* TestClock.adjust("10 seconds");
    assert.isTrue(second.isRevoked(of("u1")));
}).pipe(Effect.provide(ports)));
it.effect("a revocation during an outage of the bus reaches the other nodes afterwards", () => 
// regression: nodes without a gap on the bus never received it
Effect.gen(function* () {
    const bus = yield* EventBus;
    let isAway = false;
    const cut = Layer.succeed(EventBus, {
        ...bus,
        broadcast: (...message) => isAway
            ? Effect.fail(new TransientError({ dependency: "bus", code: "unavailable", message: "away" }))
            : bus.broadcast(...message),
    });
    const [one, two] = [yield* Effect.provide(node, cut), yield* node];
    yield* TestClock.adjust("1 second");
    isAway = true;
    yield* one.revoke({ userId: "u1" });
    assert.isTrue(one.isRevoked(of("u1")));
    yield* TestClock.adjust("10 seconds");
    assert.isFalse(two.isRevoked(of("u1")));
    isAway = false;
    yield* TestClock.adjust("2 seconds");
    assert.isTrue(two.isRevoked(of("u1")));
}).pipe(Effect.provide(ports)));
it.effect("a node with a slow clock does not shorten a revocation of another node", () => Effect.gen(function* () {
    yield* TestClock.setTime(Duration.toMillis("1 hour"));
    yield* Effect.flatMap(node, (ahead) => ahead.revoke({ userId: "u1" }));
    const behind = yield* node;
    yield* Effect.repeat(Effect.yieldNow, { while: () => !behind.isRevoked(of("u1")) });
    yield* TestClock.setTime(Duration.toMillis("55 minutes"));
    yield* behind.revoke({ userId: "u1" });
    const late = yield* node;
    yield* Effect.repeat(Effect.yieldNow, { while: () => !late.isRevoked(of("u1")) });
    assert.isTrue(late.isRevoked(of("u1", Duration.toMillis("58 minutes"))));
}).pipe(Effect.provide(ports)));
