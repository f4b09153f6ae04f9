/** Tests of a bus that is empty, and what they publish and consume with. */
import { it } from "@effect/vitest";
import { Duration, Effect, Exit, Layer, Logger, Queue, Scope } from "effect";
import * as Address from "../../../src/Address.ts";
import { EventBus } from "../../../src/EventBus.ts";
export const bytes = (text) => new TextEncoder().encode(text);
export const text = (body) => new TextDecoder().decode(body);
export const ready = Address.event("media.ready");
export const ack = { _tag: "Ack" };
export const acked = Effect.succeed(ack);
export const retry = (after) => ({ _tag: "Retry", after: Duration.fromInputUnsafe(after) });
let lastId = 0;
export const send = (bus, body, address = ready, id = `id-${++lastId}`) => bus.publish({ address, id, body: bytes(body), headers: { "Armoricore-Test": body } });
/** Many of these tests do what is logged as an error. */
const quiet = Logger.layer([]);
export const options = (more = {}) => ({
    name: "worker",
    from: ready,
    concurrency: 4,
    ackWait: Duration.millis(1_500),
    ...more,
});
/** Consumes into a queue and acknowledges. */
export const collect = Effect.fnUntraced(function* (bus, more = {}) {
    const got = yield* Queue.unbounded();
    const consumer = yield* bus.consume(options(more), (delivery) => Effect.as(Queue.offer(got, delivery), ack));
    return { got, consumer, next: Effect.timeout(Queue.take(got), "20 seconds") };
});
/** The part of a test's name about a feature that the broker lacks. */
export const missing = (reason, what) => reason === undefined ? "" : ` [${what}: ${reason}]`;
export const makeTests = (suite) => {
    const connect = Effect.fnUntraced(function* (layer) {
        const scope = yield* Effect.acquireRelease(Scope.make(), (made) => Scope.close(made, Exit.void));
        const context = yield* Layer.buildWithScope(Layer.fresh(layer), scope);
        return { bus: yield* Effect.provide(EventBus, context), close: Scope.close(scope, Exit.void) };
    });
    return {
        lacks: suite.lacks ?? {},
        shared: suite.shared,
        test: (name, body) => it.live(name, () => Effect.gen(function* () {
            const layer = yield* yield* suite.open;
            yield* body((yield* connect(layer)).bus);
        }).pipe(Effect.provide(quiet))),
        testShared: (name, body) => {
            // An adapter in one process's memory has no second process to share with.
            if (!suite.shared)
                return;
            it.live(name, () => Effect.gen(function* () {
                const open = yield* suite.open;
                const first = yield* connect(yield* open);
                yield* body(first, yield* connect(yield* open));
            }).pipe(Effect.provide(quiet)));
        },
    };
};
