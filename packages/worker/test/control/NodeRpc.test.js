import { EventBus } from "@armoricore/bus/EventBus";
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus";
import { TransientError } from "@armoricore/domain/Errors";
import { NodeRpc } from "@armoricore/worker/control/NodeRpc";
import { assert, describe, it } from "@effect/vitest";
import { Context, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect";
import { TestClock } from "effect/testing";
import { advanceClock, flushFibers } from "../support/WorkerFixtures.ts";
const doubled = { kind: "double", request: Schema.Int, reply: Schema.Int };
const named = { kind: "named", request: Schema.Void, reply: Schema.String };
/** Another process on the bus of the test; closing its scope ends it. */
const start = (services) => Effect.gen(function* () {
    const scope = yield* Scope.make();
    const built = yield* Layer.build(NodeRpc.layer({ services, version: "1" })).pipe(Scope.provide(scope));
    return { scope, rpc: Context.get(built, NodeRpc) };
});
describe("NodeRpc", () => {
    it.effect("processes discover each other at their start, and record a process that left as departed", () => Effect.gen(function* () {
        const a = yield* start(["media"]);
        const b = yield* start(["realtime"]);
        yield* flushFibers;
        const seen = yield* a.rpc.nodes;
        assert.deepStrictEqual(seen.map(({ services }) => services), [["media"], ["realtime"]]);
        assert.strictEqual((yield* b.rpc.nodes).length, 2);
        yield* Scope.close(b.scope, Exit.void);
        yield* flushFibers;
        assert.strictEqual((yield* a.rpc.nodes).length, 1);
        const departed = yield* a.rpc.departed;
        assert.deepStrictEqual(departed.map(({ descriptor, graceful }) => [descriptor.node, graceful]), [[b.rpc.self.node, true]]);
    }).pipe(Effect.provide(MemoryBus.layer)));
    it.effect("a call returns the replies of all processes, its own included, without a timeout", () => Effect.gen(function* () {
        const [a, b, c] = [yield* start([]), yield* start([]), yield* start([])];
        for (const { rpc } of [a, b])
            yield* rpc.respond(doubled, (n) => Effect.succeed(n * 2));
        yield* flushFibers;
        const call = yield* Effect.forkChild(a.rpc.call(doubled, 21));
        yield* flushFibers;
        // No time has passed.
        assert.isDefined(call.pollUnsafe());
        const { replies, failures, unresponsive } = yield* Fiber.join(call);
        assert.deepStrictEqual(replies.map(({ node, value }) => [node, value]).sort(), [
            [a.rpc.self.node, 42],
            [b.rpc.self.node, 42],
        ].sort());
        assert.deepStrictEqual([failures, unresponsive], [[], []]);
        const one = yield* Effect.forkChild(c.rpc.call(doubled, 1, b.rpc.self.node));
        yield* flushFibers;
        assert.deepStrictEqual((yield* Fiber.join(one)).replies.map(({ node }) => node), [b.rpc.self.node]);
    }).pipe(Effect.provide(MemoryBus.layer)));
    it.effect("a call names unresponsive processes after the timeout, and failed ones with their message", () => Effect.gen(function* () {
        const [a, b, c] = [yield* start([]), yield* start([]), yield* start([])];
        yield* a.rpc.respond(named, () => Effect.succeed("a"));
        yield* b.rpc.respond(named, () => Effect.never);
        yield* c.rpc.respond(named, () => Effect.fail({ message: "out of order" }));
        yield* flushFibers;
        const call = yield* Effect.forkChild(a.rpc.call(named, undefined));
        yield* advanceClock("1900 millis");
        assert.isUndefined(call.pollUnsafe());
        yield* advanceClock("100 millis");
        const { replies, failures, unresponsive } = yield* Fiber.join(call);
        assert.deepStrictEqual(replies.map(({ value }) => value), ["a"]);
        assert.deepStrictEqual(failures, [{ node: c.rpc.self.node, message: "out of order" }]);
        assert.deepStrictEqual(unresponsive, [b.rpc.self.node]);
    }).pipe(Effect.provide(MemoryBus.layer)));
    it.effect("a crashed process departs once its heartbeats are missing", () => Effect.gen(function* () {
        const bus = yield* EventBus;
        let cut = false;
        const dead = new TransientError({ dependency: "bus", code: "unavailable", message: "gone" });
        const mortal = Layer.succeed(EventBus, {
            ...bus,
            broadcast: (...sent) => (cut ? Effect.fail(dead) : bus.broadcast(...sent)),
        });
        const a = yield* start([]);
        const b = yield* start([]).pipe(Effect.provide(mortal));
        yield* flushFibers;
        assert.strictEqual((yield* a.rpc.nodes).length, 2);
        cut = true;
        yield* TestClock.adjust("20 seconds");
        yield* flushFibers;
        assert.strictEqual((yield* a.rpc.nodes).length, 1);
        assert.deepInclude((yield* a.rpc.departed)[0], { descriptor: b.rpc.self, graceful: false });
        // A partitioned process still calls itself.
        yield* b.rpc.respond(named, () => Effect.succeed("b"));
        const call = yield* Effect.forkChild(b.rpc.call(named, undefined));
        yield* advanceClock("2 seconds");
        const { replies, unresponsive } = yield* Fiber.join(call);
        assert.deepStrictEqual(replies.map(({ value }) => value), ["b"]);
        assert.deepStrictEqual(unresponsive, [a.rpc.self.node]);
    }).pipe(Effect.provide(MemoryBus.layer)));
});
