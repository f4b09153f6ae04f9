/** Results that a handler publishes while its job is running. */
import { resultEventId } from "@armoricore/domain/DeterministicId";
import { emit, Ledger, on, Worker } from "@armoricore/worker";
import { assert, describe, it } from "@effect/vitest";
import { Deferred, Effect } from "effect";
import { uploadEventId, recordMessages, json, ports, publish, playableMessage, flushFibers, uploadedEvent, } from "./support/WorkerFixtures.ts";
const handler = (handle) => on("media.uploaded", {
    handle: (_, job) => handle(job),
    onFailure: ({ payload }, error, failed_at) => [
        emit("media.failed", { media_id: payload.media_id, user_id: payload.user_id, error, failed_at }),
    ],
});
describe("an early result", () => {
    it.effect("is published at once under its final id, and only once if the handler also returns it", () => Effect.gen(function* () {
        const messages = yield* recordMessages;
        const gate = yield* Deferred.make();
        yield* Worker.run("media", [
            handler((job) => job.publishEarly(playableMessage).pipe(Effect.andThen(Deferred.await(gate)), Effect.as([playableMessage]))),
        ]);
        yield* publish(uploadedEvent());
        yield* flushFibers;
        assert.deepStrictEqual(messages.map(({ id }) => id), [resultEventId(uploadEventId, "media.playable")]);
        assert.strictEqual(json(messages[0]?.body).request_id, "r-1");
        yield* Deferred.succeed(gate, undefined);
        yield* flushFibers;
        assert.strictEqual(new Set(messages.map(({ id }) => id)).size, 1);
    }).pipe(Effect.provide(ports)));
    it.effect("is not published by a worker that lost its lease to another owner or a cancellation", () => Effect.gen(function* () {
        const messages = yield* recordMessages;
        const ledger = yield* Ledger;
        const seen = [];
        yield* Worker.run("media", [
            handler((job) => ledger.cancel(`media-media-uploaded.${uploadEventId}`, "not wanted").pipe(Effect.orDie, Effect.andThen(job.publishEarly(playableMessage)), Effect.tapError((error) => Effect.sync(() => void seen.push("code" in error ? error.code : error._tag))), Effect.as([]))),
        ]);
        yield* publish(uploadedEvent());
        yield* flushFibers;
        assert.deepStrictEqual(seen, ["lease_lost"]);
        assert.isEmpty(messages.filter(({ subject }) => subject.endsWith("media.playable")));
    }).pipe(Effect.provide(ports)));
});
