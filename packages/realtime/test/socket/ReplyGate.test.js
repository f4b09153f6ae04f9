import { ReplyGate } from "@armoricore/realtime/socket/ReplyGate";
import { assert, describe, it } from "@effect/vitest";
import { Clock, Effect } from "effect";
import { TestClock } from "effect/testing";
/** A connection that counts pings, and whose queue the test fills. */
class FakeTransport {
    queuedBytes = 0;
    pings = 0;
    #listener = () => { };
    ping = () => {
        this.pings++;
    };
    onceBelow(_, listener) {
        this.#listener = listener;
    }
    drain() {
        this.queuedBytes = 0;
        this.#listener();
    }
}
const setUp = Effect.map(Clock.Clock, (clock) => {
    const transport = new FakeTransport();
    const gate = new ReplyGate({
        transport,
        clock,
        answersPings: true,
        maxQueuedBytes: 1_048_576,
    });
    const granted = [];
    const ask = (name) => {
        const holder = { name };
        return Effect.as(Effect.forkChild(Effect.map(gate.acquire(holder), (maxBytes) => granted.push([name, maxBytes])), { startImmediately: true }), holder);
    };
    return { transport, gate, granted, ask };
});
describe("ReplyGate", () => {
    it.effect("produces two replies at a time, and waits until the client has read them", () => Effect.gen(function* () {
        const { ask, gate, granted, transport } = yield* setUp;
        const holders = [yield* ask("a"), yield* ask("b"), yield* ask("c")];
        const [a, b] = holders;
        assert.isDefined(a);
        assert.isDefined(b);
        const names = () => granted.map(([name]) => name).join("");
        assert.strictEqual(names(), "ab");
        gate.release(a, 100_000);
        yield* Effect.yieldNow;
        assert.deepStrictEqual([names(), transport.pings], ["ab", 1]);
        gate.onPong();
        yield* Effect.yieldNow;
        assert.strictEqual(names(), "abc");
        gate.release(b, 0);
        assert.isFalse(gate.isIdle);
    }));
    it.effect("sends no ping after a small reply, so that an idle socket has no gate", () => Effect.gen(function* () {
        const { ask, gate, granted, transport } = yield* setUp;
        for (let index = 0; index < 5; index++) {
            gate.release(yield* ask(`${index}`), 1000);
            assert.deepStrictEqual([granted.length, transport.pings, gate.isIdle], [index + 1, 0, true]);
        }
        // Small replies add up.
        for (let index = 0; index < 5; index++)
            gate.release(yield* ask(`${index}`), 1000);
        assert.strictEqual(transport.pings, 1);
    }));
    it.effect("waits while the queue is not read", () => Effect.gen(function* () {
        const { ask, granted, transport } = yield* setUp;
        transport.queuedBytes = 100_000;
        yield* ask("a");
        assert.deepStrictEqual(granted, []);
        transport.drain();
        yield* Effect.yieldNow;
        assert.lengthOf(granted, 1);
    }));
    it.effect("replies that wait share what a slow client reads", () => Effect.gen(function* () {
        const { ask, gate, granted } = yield* setUp;
        const first = yield* ask("first");
        for (let index = 0; index < 63; index++)
            yield* ask(`${index}`);
        assert.deepStrictEqual(granted.map(([, bytes]) => bytes), [131_072, 131_072]);
        gate.release(first, 100_000);
        // 64 KB/s.
        yield* TestClock.adjust("1500 millis");
        gate.onPong();
        yield* Effect.yieldNow;
        assert.strictEqual(granted[2]?.[1], 2048);
    }));
    it.effect("does not wait for the pong of a client that sends none", () => Effect.gen(function* () {
        const { ask, gate, granted } = yield* setUp;
        const a = yield* ask("a");
        gate.release(a, 100_000);
        yield* ask("b");
        assert.lengthOf(granted, 1);
        gate.sweep(Number.MAX_SAFE_INTEGER);
        yield* Effect.yieldNow;
        assert.lengthOf(granted, 2);
    }));
    it.effect("does not wait for a pong while the socket is not read", () => Effect.gen(function* () {
        const { ask, gate, granted, transport } = yield* setUp;
        const a = yield* ask("a");
        const b = yield* ask("b");
        yield* ask("c");
        gate.release(a, 200_000);
        assert.lengthOf(granted, 2);
        gate.onPaused();
        yield* Effect.yieldNow;
        assert.lengthOf(granted, 3);
        gate.release(b, 200_000);
        yield* ask("d");
        assert.deepStrictEqual([granted.length, transport.pings], [4, 1]);
        // The pong of the ping before the pause does not undo what the queue showed.
        gate.onResumed();
        gate.onPong();
        yield* ask("e");
        assert.lengthOf(granted, 4);
        assert.isFalse(gate.isIdle);
    }));
    it.effect("lets no reply wait once the connection closed", () => Effect.gen(function* () {
        // regression: presence ended five seconds late, because a page of history waited for a client that was gone.
        const { ask, gate, granted, transport } = yield* setUp;
        transport.queuedBytes = 100_000;
        yield* ask("a");
        yield* ask("b");
        gate.onClosed();
        yield* ask("c");
        yield* Effect.yieldNow;
        assert.lengthOf(granted, 3);
    }));
    it.effect("an interrupted wait leaves the gate", () => Effect.gen(function* () {
        const { gate, transport } = yield* setUp;
        transport.queuedBytes = 100_000;
        const holder = { name: "a" };
        yield* Effect.timeoutOption(gate.acquire(holder), "1 second").pipe((wait) => Effect.all([wait, TestClock.adjust("2 seconds")], { concurrency: "unbounded" }));
        assert.isTrue(gate.isIdle);
    }));
});
