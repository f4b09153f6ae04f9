import * as MemoryBus from "@armoricore/bus/memory/MemoryBus";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { TransientError } from "@armoricore/domain/Errors";
import { CircuitOptions, CircuitBreakers } from "@armoricore/worker";
import * as Switches from "@armoricore/worker/control/CircuitRegistry";
import { assert, describe, it } from "@effect/vitest";
import { Context, Duration, Effect, Layer } from "effect";
import { flushFibers } from "../support/WorkerFixtures.ts";
const { CircuitRegistry } = Switches;
const ports = Layer.merge(MemoryBus.layer, MemoryState.layer);
/** Another process on the same ports. */
const board = Effect.map(Layer.build(Layer.fresh(Switches.layer)), (built) => Context.get(built, CircuitRegistry));
describe("CircuitRegistry", () => {
    it.effect("a pause applies to every process, also to later ones, until it is resumed", () => Effect.gen(function* () {
        const [a, b] = [yield* board, yield* board];
        yield* flushFibers;
        yield* a.pause({ name: "provider:fcm", by: "op", reason: "wrong key" });
        assert.strictEqual(a.pauseOf("provider:fcm")?.by, "op");
        yield* flushFibers;
        assert.strictEqual(b.pauseOf("provider:fcm")?.reason, "wrong key");
        const later = yield* board;
        yield* flushFibers;
        assert.isDefined(later.pauseOf("provider:fcm"));
        assert.isUndefined(later.pauseOf("provider:apns"));
        assert.isTrue(yield* b.resume("provider:fcm"));
        yield* flushFibers;
        for (const each of [a, b, later])
            assert.isUndefined(each.pauseOf("provider:fcm"));
        assert.isFalse(yield* b.resume("provider:fcm"));
    }).pipe(Effect.provide(ports)));
    it.effect("a paused dependency is not called and its messages are snoozed; a reset closes its circuit", () => Effect.gen(function* () {
        const switches = yield* CircuitRegistry;
        const { withCircuitBreaker } = yield* CircuitBreakers;
        let calls = 0;
        const down = new TransientError({ dependency: "speech", code: "unavailable", message: "down" });
        const failing = withCircuitBreaker("speech")(Effect.suspend(() => ((calls += 1), Effect.fail(down))));
        yield* Effect.flip(failing);
        yield* Effect.flip(failing);
        assert.strictEqual((yield* Effect.flip(failing)).code, "circuit_open");
        const [circuit] = switches.circuits();
        assert.strictEqual(circuit?.name, "dependency:speech");
        assert.strictEqual((yield* circuit?.state ?? Effect.undefined)?.status, "open");
        yield* circuit?.reset ?? Effect.void;
        assert.strictEqual(yield* withCircuitBreaker("speech")(Effect.succeed("works")), "works");
        yield* switches.pause({ name: "dependency:speech", by: "op", reason: "" });
        const before = calls;
        const refusal = yield* Effect.flip(failing);
        assert.deepInclude(refusal, { code: "paused", countsAsAttempt: false });
        assert.strictEqual(calls, before);
    }).pipe(Effect.provide(CircuitBreakers.layer.pipe(Layer.provide(Layer.succeed(CircuitOptions, {
        failureThreshold: 2,
        openDuration: Duration.seconds(5),
        maxOpenDuration: Duration.seconds(5),
    })), Layer.provideMerge(Switches.layer), Layer.provideMerge(ports)))));
});
