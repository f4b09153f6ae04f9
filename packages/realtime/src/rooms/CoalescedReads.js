/**
 * Coalesces equal reads, for example when all sockets of a room reconnect after a deploy. A caller that arrives while the
 * same read is running waits for the next one, which all such callers share: no result is older than its request.
 *
 * Neither `Effect.cached` nor a `RequestResolver` does this. The first returns a result that was read before the request; the
 * second starts another read while one is running.
 */
import { Deferred, Effect, FiberSet } from "effect";
export const make = () => Effect.gen(function* () {
    const fork = yield* FiberSet.makeRuntime();
    /** Running reads by key, each with the callers of the next read. */
    const running = new Map();
    const run = (key, read, done) => Effect.gen(function* () {
        const exit = yield* Effect.exit(read);
        const next = running.get(key);
        if (next === undefined)
            running.delete(key);
        else {
            running.set(key, undefined);
            fork(run(key, read, next));
        }
        yield* Deferred.done(done, exit);
    });
    return (key, read) => Effect.suspend(() => {
        const isRunning = running.has(key);
        const done = running.get(key) ?? Deferred.makeUnsafe();
        running.set(key, isRunning ? done : undefined);
        if (!isRunning)
            fork(run(key, read, done));
        return Deferred.await(done);
    });
});
