import { resultEventId } from "@armoricore/domain/DeterministicId";
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors";
import { DeadLetters, Ledger, Worker } from "@armoricore/worker";
import { assert, describe, it } from "@effect/vitest";
import { Deferred, Duration, Effect, Exit, Scope } from "effect";
import { TestClock } from "effect/testing";
import { advanceClock, uploadEventId, recordMessages, json, deadLetters, ports, publish, playableMessage, flushFibers, uploadedEvent, } from "./support/WorkerFixtures.ts";
import { handler } from "./support/MediaHandler.ts";
describe("the worker loop", () => {
    it.effect("publishes the result under an id derived from its cause, with its request id", () => Effect.gen(function* () {
        const messages = yield* recordMessages;
        yield* Worker.run("media", [handler(() => Effect.succeed([playableMessage]))]);
        yield* publish(uploadedEvent());
        yield* flushFibers;
        assert.lengthOf(messages, 1);
        const result = json(messages[0]?.body ?? new Uint8Array());
        assert.strictEqual(result.event_id, resultEventId(uploadEventId, "media.playable"));
        assert.strictEqual(result.request_id, "r-1");
        assert.strictEqual(result.source, "media");
        assert.isEmpty(yield* deadLetters);
    }).pipe(Effect.provide(ports)));
    it.effect("handles an event once, however often it is delivered", () => Effect.gen(function* () {
        let runs = 0;
        const messages = yield* recordMessages;
        yield* Worker.run("media", [handler(() => Effect.sync(() => [(runs++, playableMessage)]))]);
        yield* publish(uploadedEvent());
        yield* flushFibers;
        yield* publish(uploadedEvent());
        yield* flushFibers;
        assert.strictEqual(runs, 1);
        assert.strictEqual(new Set(messages.map(({ id }) => id)).size, 1);
    }).pipe(Effect.provide(ports)));
    it.effect("an undecodable message becomes a dead letter, and the next message is handled", () => Effect.gen(function* () {
        const messages = yield* recordMessages;
        yield* Worker.run("media", [handler(() => Effect.succeed([playableMessage]))]);
        yield* publish(uploadedEvent({ payload: { user_id: "u", file_path: "s3://media/a.mp4" } }));
        yield* publish(uploadedEvent({ source: "stranger" }));
        yield* publish(uploadedEvent());
        yield* flushFibers;
        const found = yield* deadLetters;
        assert.deepStrictEqual(found.map(({ record }) => [record.reason, record.path, record.attempts]), [
            ["invalid", "payload.media_id", 1],
            ["unauthorized", "source", 1],
        ]);
        assert.deepStrictEqual(json(found[1]?.body ?? new Uint8Array()).source, "stranger");
        assert.lengthOf(messages, 1);
    }).pipe(Effect.provide(ports)));
    it.effect("publishes a permanent failure once, without retry or dead letter", () => Effect.gen(function* () {
        let runs = 0;
        const messages = yield* recordMessages;
        yield* Worker.run("media", [
            handler(() => Effect.suspend(() => {
                runs++;
                return Effect.fail(new PermanentError({ code: "unsupported_format", message: "not a film" }));
            })),
        ]);
        yield* publish(uploadedEvent());
        yield* advanceClock("1 hour");
        assert.strictEqual(runs, 1);
        assert.deepStrictEqual(messages.map(({ body }) => json(body).payload.error), [{ code: "unsupported_format", message: "not a film" }]);
        assert.isEmpty(yield* deadLetters);
    }).pipe(Effect.provide(ports)));
    it.effect("retries a transient error with backoff, then publishes the failure and a dead letter", () => Effect.gen(function* () {
        const starts = [];
        const messages = yield* recordMessages;
        yield* Worker.run("media", [
            handler((job) => Effect.clockWith((clock) => Effect.suspend(() => {
                starts.push(clock.currentTimeMillisUnsafe());
                assert.strictEqual(job.attempts, starts.length - 1);
                return Effect.fail(new TransientError({ dependency: "storage", code: "unavailable", message: "away" }));
            }))),
        ]);
        yield* publish(uploadedEvent());
        for (let seconds = 0; seconds < 600; seconds++)
            yield* advanceClock("1 second");
        assert.lengthOf(starts, 5);
        const gaps = starts.slice(1).map((at, index) => at - (starts[index] ?? 0));
        gaps.forEach((gap, index) => {
            assert.isAtLeast(gap, 500 * 2 ** index);
            // The test moves the clock in whole seconds.
            assert.isAtMost(gap, 1000 * 2 ** index + 1000);
        });
        assert.deepStrictEqual(messages.map(({ body }) => json(body).event_type), ["media.failed"]);
        assert.deepStrictEqual((yield* deadLetters).map(({ record }) => [record.reason, record.attempts, record.event_id]), [["unavailable", 5, uploadEventId]]);
    }).pipe(Effect.provide(ports)), 60_000);
    it.effect("waits at least as long as Retry-After", () => Effect.gen(function* () {
        let runs = 0;
        yield* Worker.run("media", [
            handler(() => Effect.suspend(() => {
                runs++;
                return runs > 1
                    ? Effect.succeed([])
                    : Effect.fail(new TransientError({
                        dependency: "fcm",
                        code: "throttled",
                        message: "slow",
                        retryAfterMillis: 45_000,
                    }));
            })),
        ]);
        yield* publish(uploadedEvent());
        yield* advanceClock("44 seconds");
        assert.strictEqual(runs, 1);
        yield* advanceClock("2 seconds");
        assert.strictEqual(runs, 2);
    }).pipe(Effect.provide(ports)));
    it.effect("a configuration error uses up no attempt", () => Effect.gen(function* () {
        let runs = 0;
        const messages = yield* recordMessages;
        yield* Worker.run("media", [
            handler((job) => Effect.suspend(() => {
                runs++;
                assert.strictEqual(job.attempts, 0);
                return runs > 10
                    ? Effect.succeed([playableMessage])
                    : Effect.fail(new ConfigurationError({ setting: "APNS_KEY", message: "refused" }));
            })),
        ]);
        yield* publish(uploadedEvent());
        for (let minutes = 0; minutes < 12; minutes++)
            yield* advanceClock("61 seconds");
        assert.strictEqual(runs, 11);
        assert.lengthOf(messages, 1);
        assert.isEmpty(yield* deadLetters);
    }).pipe(Effect.provide(ports)));
    it.effect("a defect and a timeout of the handler count as transient errors", () => Effect.gen(function* () {
        let runs = 0;
        const messages = yield* recordMessages;
        yield* Worker.run("media", [
            handler(() => Effect.suspend(() => {
                runs++;
                if (runs === 1)
                    return Effect.die(new Error("bug"));
                return runs === 2 ? Effect.never : Effect.succeed([playableMessage]);
            })),
        ]);
        yield* publish(uploadedEvent());
        yield* advanceClock("2 seconds");
        assert.strictEqual(runs, 2);
        for (let minutes = 0; minutes < 11; minutes++)
            yield* advanceClock("1 minute");
        assert.strictEqual(runs, 3);
        assert.lengthOf(messages, 1);
    }).pipe(Effect.provide(ports)));
    it.effect("a worker that lost its lease publishes nothing; the result of the next owner counts", () => Effect.gen(function* () {
        const messages = yield* recordMessages;
        const ledger = yield* Ledger;
        const late = yield* ledger.acquire("media-media-uploaded." + uploadEventId, "late", Duration.seconds(1));
        assert(late._tag === "Acquired");
        yield* TestClock.adjust("2 seconds");
        yield* Worker.run("media", [handler(() => Effect.succeed([playableMessage]))]);
        yield* publish(uploadedEvent());
        yield* flushFibers;
        const lost = yield* Effect.flip(late.lease.decide({ outbound: [] }, 1));
        assert.strictEqual(lost._tag, "Conflict");
        assert.lengthOf(messages, 1);
    }).pipe(Effect.provide(ports)));
    it.effect("renews the lease of long work, so that no other worker starts it", () => Effect.gen(function* () {
        const gate = yield* Deferred.make();
        const messages = yield* recordMessages;
        yield* Worker.run("media", [handler(() => Effect.as(Deferred.await(gate), [playableMessage]))]);
        yield* publish(uploadedEvent());
        for (let steps = 0; steps < 20; steps++)
            yield* advanceClock("9 seconds");
        const ledger = yield* Ledger;
        const other = yield* ledger.acquire("media-media-uploaded." + uploadEventId, "other", Duration.seconds(1));
        assert.strictEqual(other._tag, "Leased");
        yield* Deferred.succeed(gate, undefined);
        yield* flushFibers;
        assert.lengthOf(messages, 1);
    }).pipe(Effect.provide(ports)));
    it.effect("a handler over the drain timeout is interrupted and its message redelivered, without counting an attempt", () => Effect.gen(function* () {
        const first = yield* Scope.make();
        yield* Worker.run("media", [handler(() => Effect.never)]).pipe(Scope.provide(first));
        yield* publish(uploadedEvent());
        yield* flushFibers;
        const closing = yield* Effect.forkChild(Scope.close(first, Exit.void));
        yield* advanceClock("21 seconds");
        assert.isDefined(closing.pollUnsafe());
        const messages = yield* recordMessages;
        yield* Worker.run("media", [
            handler((job) => Effect.sync(() => (assert.strictEqual(job.attempts, 0), [playableMessage]))),
        ]);
        yield* advanceClock("1 second");
        assert.lengthOf(messages, 1);
    }).pipe(Effect.provide(ports)));
    it.effect("a replayed dead letter runs again and names its origin", () => Effect.gen(function* () {
        let healthy = false;
        const messages = yield* recordMessages;
        yield* Worker.run("media", [
            handler(() => healthy
                ? Effect.succeed([playableMessage])
                : Effect.fail(new TransientError({ dependency: "storage", code: "unavailable", message: "away" }))),
        ]);
        yield* publish(uploadedEvent());
        for (let seconds = 0; seconds < 40; seconds++)
            yield* advanceClock("1 second");
        const dead = yield* DeadLetters;
        const [letter] = yield* deadLetters;
        assert.isDefined(letter);
        yield* dead.replay(letter.id);
        for (let seconds = 0; seconds < 40; seconds++)
            yield* advanceClock("1 second");
        const [again] = yield* deadLetters;
        assert.strictEqual(again?.record.replay_of, letter.id);
        healthy = true;
        assert.isDefined(again);
        yield* dead.replay(again.id);
        yield* advanceClock("1 second");
        assert.isEmpty(yield* deadLetters);
        assert.strictEqual(json(messages.at(-1)?.body ?? new Uint8Array()).event_type, "media.playable");
    }).pipe(Effect.provide(ports)), 60_000);
    it.effect("services have any name; two runs with one consumer in a process are a fault at start", () => 
    // regression: every outside service was "operator", and two of them shared the messages of one consumer
    Effect.gen(function* () {
        const ran = [];
        const recorder = (service) => Worker.run(service, [
            handler(() => Effect.as(Effect.sync(() => void ran.push(service)), [])),
        ]);
        yield* recorder("tickets");
        yield* recorder("billing");
        const fault = yield* Effect.flip(recorder("tickets"));
        assert(fault._tag === "ConfigurationError");
        assert.strictEqual(fault.setting, "consumer tickets-media-uploaded");
        assert.strictEqual((yield* Effect.flip(recorder("My Service")))._tag, "ConfigurationError");
        yield* publish(uploadedEvent());
        yield* flushFibers;
        assert.sameMembers(ran, ["tickets", "billing"]);
    }).pipe(Effect.provide(ports)));
});
