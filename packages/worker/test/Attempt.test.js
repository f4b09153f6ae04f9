/** Work that starts inline has the same timeout, lease renewal and interruption as any other work. */
import { Conflict, PermanentError, TransientError } from "@armoricore/domain/Errors";
import { assert, describe, it } from "@effect/vitest";
import { Clock, Duration, Effect, Exit, Fiber } from "effect";
import { TestClock } from "effect/testing";
import * as Attempt from "../src/Attempt.ts";
import * as HandlerWatch from "../src/HandlerWatch.ts";
const noJobs = { add: () => { }, remove: () => { } };
const makeWatch = (runningJobs = noJobs) => HandlerWatch.make({
    service: "media",
    timeout: Duration.minutes(1),
    leaseDuration: Duration.seconds(30),
    runningJobs,
});
const limited = (work) => Effect.flatMap(makeWatch(), (watch) => Attempt.runInline(work, watch.awaitUnleased));
/** Never completes; records its interruption in `seen`. */
const endless = (seen) => Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => void seen.push("interrupted"))));
describe("inline work", () => {
    it.effect("synchronous work runs without a watch, whether it succeeds or fails", () => Effect.gen(function* () {
        const watched = () => Effect.die("nothing is left to watch");
        assert.strictEqual(yield* Attempt.runInline(Effect.succeed(1), watched), 1);
        const fault = new PermanentError({ code: "bad", message: "bad" });
        assert.deepStrictEqual(yield* Effect.exit(Attempt.runInline(Effect.fail(fault), watched)), Exit.fail(fault));
    }));
    it.effect("suspended work returns its result within the timeout", () => Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(limited(Effect.as(Effect.sleep("59 seconds"), "done")));
        yield* TestClock.adjust("59 seconds");
        assert.strictEqual(yield* Fiber.join(fiber), "done");
    }));
    it.effect("work over its timeout is interrupted, and has ended when the timeout is reported", () => Effect.gen(function* () {
        const seen = [];
        const reported = Effect.tapError(limited(endless(seen)), (error) => Effect.sync(() => void seen.push(error._tag === "TransientError" ? error.code : error._tag)));
        const fiber = yield* Effect.forkChild(Effect.flip(reported));
        yield* TestClock.adjust("61 seconds");
        assert.deepInclude(yield* Fiber.join(fiber), { code: "timeout" });
        assert.deepStrictEqual(seen, ["interrupted", "timeout"]);
    }));
    it.effect("work is interrupted with its waiting fiber, and if its watch fails", () => Effect.gen(function* () {
        const seen = [];
        const fiber = yield* Effect.forkChild(limited(endless(seen)), { startImmediately: true });
        yield* Fiber.interrupt(fiber);
        assert.deepStrictEqual(seen, ["interrupted"]);
        const lost = new PermanentError({ code: "lost", message: "another worker has the lease" });
        const watched = Attempt.runInline(endless(seen), () => Effect.fail(lost));
        assert.strictEqual(yield* Effect.flip(watched), lost);
        assert.deepStrictEqual(seen, ["interrupted", "interrupted"]);
    }));
    it.effect("the lease of suspended work is renewed every third of its time, also after a failure of the state", () => Effect.gen(function* () {
        const renewedAt = [];
        const renew = Effect.flatMap(Clock.currentTimeMillis, (now) => renewedAt.push(now / 1000) === 2
            ? Effect.fail(new TransientError({ dependency: "state", code: "unavailable", message: "down" }))
            : Effect.void);
        const watch = yield* makeWatch();
        const work = Effect.sleep("36 seconds");
        const fiber = yield* Effect.forkChild(Attempt.runInline(work, (suspended) => watch.await(suspended, { key: "k", renew })));
        yield* TestClock.adjust("2 minutes");
        yield* Fiber.join(fiber);
        assert.deepStrictEqual(renewedAt, [10, 20, 23, 33]);
    }));
    it.effect("work is interrupted when its lease is lost or its job is cancelled, and has ended then", () => Effect.gen(function* () {
        const seen = [];
        const jobs = new Map();
        const watch = yield* makeWatch({
            add: (key, onCancelled) => void jobs.set(key, onCancelled),
            remove: (key) => void jobs.delete(key),
        });
        const start = (renew) => Effect.forkChild(Effect.flip(Attempt.runInline(endless(seen), (suspended) => watch.await(suspended, { key: "k", renew }))));
        const losing = yield* start(Effect.fail(new Conflict({ key: "k" })));
        yield* TestClock.adjust("10 seconds");
        assert.strictEqual((yield* Fiber.join(losing))._tag, "Conflict");
        const cancelled = yield* start(Effect.void);
        yield* TestClock.adjust("1 second");
        jobs.get("k")?.();
        assert.strictEqual((yield* Fiber.join(cancelled))._tag, "Conflict");
        assert.deepStrictEqual(seen, ["interrupted", "interrupted"]);
        assert.strictEqual(jobs.size, 0);
    }));
});
