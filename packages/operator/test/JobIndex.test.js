/** The job index on a slow or unavailable state. */
import * as Address from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { JobIndex } from "@armoricore/operator/JobIndex";
import { TransientError } from "@armoricore/domain/Errors";
import { KeyValue } from "@armoricore/state/KeyValue";
import { Testing } from "@armoricore/testing";
import { eventually } from "@armoricore/testing/Eventually";
import { assert, describe, it } from "@effect/vitest";
import { Context, Deferred, Effect, Fiber, Layer, Logger } from "effect";
import { TestClock } from "effect/testing";
const indexOver = (state) => Effect.map(Layer.build(Layer.provide(JobIndex.layer, state)), (built) => Context.get(built, JobIndex));
/** A board over a state whose lists wait for `read`; `lists` counts them. */
const slowState = Effect.gen(function* () {
    const kv = yield* KeyValue;
    const read = yield* Deferred.make();
    const seen = { lists: 0 };
    const list = (...asked) => Effect.suspend(() => {
        seen.lists++;
        return Effect.andThen(Deferred.await(read), kv.list(...asked));
    });
    const state = Layer.succeed(KeyValue, { ...kv, list });
    return { board: yield* indexOver(state), read, seen };
});
describe("the first reading of the jobs", () => {
    it.effect("continues one read for callers that are interrupted, until it ends", () => Effect.gen(function* () {
        const { board, read, seen } = yield* slowState;
        for (let asker = 0; asker < 3; asker++) {
            const asking = yield* Effect.forkChild(board.list({ limit: 1 }));
            yield* TestClock.adjust("20 seconds");
            yield* Fiber.interrupt(asking);
        }
        // The overview does not wait for it.
        const counting = yield* Effect.forkChild(board.counts);
        yield* TestClock.adjust("1 second");
        assert.deepStrictEqual(yield* Fiber.join(counting), { stages: {}, ready: 0, failed: 0 });
        assert.strictEqual(seen.lists, 1);
        yield* Deferred.succeed(read, undefined);
        assert.deepStrictEqual(yield* board.list({ limit: 1 }), []);
        // Media and transcriptions, a page each.
        assert.strictEqual(seen.lists, 2);
    }).pipe(Effect.scoped, Effect.provide([Testing.layer, Logger.layer([])])));
    it.effect("reads again for the next caller after a failure", () => Effect.gen(function* () {
        const kv = yield* KeyValue;
        let away = true;
        const gone = new TransientError({ dependency: "state", code: "unavailable", message: "gone" });
        const list = (...asked) => Effect.suspend(() => (away ? Effect.fail(gone) : kv.list(...asked)));
        const board = yield* indexOver(Layer.succeed(KeyValue, { ...kv, list }));
        assert.strictEqual((yield* Effect.flip(board.list({ limit: 1 })))._tag, "TransientError");
        away = false;
        assert.deepStrictEqual(yield* board.list({ limit: 1 }), []);
    }).pipe(Effect.scoped, Effect.provide([Testing.layer, Logger.layer([])])));
    it.live("has no jobs of a deleted media", () => Effect.gen(function* () {
        const bus = yield* EventBus;
        const board = yield* indexOver(Layer.succeed(KeyValue, yield* KeyValue));
        const publish = (type, source, payload) => bus.publish({
            address: Address.event(type),
            id: crypto.randomUUID(),
            body: Buffer.from(JSON.stringify({ event_type: type, event_id: crypto.randomUUID(), timestamp, source, payload })),
        });
        const timestamp = "2026-01-31T12:00:00Z";
        const upload = { media_id: "m1", user_id: "u1", file_path: "s3://media/a.mp4" };
        const jobs = Effect.map(board.list({ limit: 10 }), (found) => found.length);
        yield* jobs;
        yield* publish("media.uploaded", "php-backend", upload);
        yield* publish("transcription.requested", "php-backend", { ...upload, source_file_path: upload.file_path });
        yield* eventually(jobs, (count) => count === 2);
        yield* publish("media.deleted", "media", { media_id: "m1", user_id: "u1", deleted_at: timestamp });
        yield* eventually(jobs, (count) => count === 0);
    }).pipe(Effect.scoped, Effect.provide([Testing.layer, Logger.layer([])])));
});
