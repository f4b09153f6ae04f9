import { TransientError } from "@armoricore/domain/Errors";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import * as PlayableEvent from "../../src/pipeline/PlayableEvent.ts";
import * as MediaRecord from "../../src/record/MediaRecord.ts";
const event = {
    event_type: "media.uploaded",
    event_id: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
    timestamp: "2026-01-31T12:00:00Z",
    source: "php-backend",
    payload: { media_id: "m1", user_id: "u1", file_path: "s3://media/m1.mp4" },
};
const prefix = MediaRecord.versionPrefix("m1", "v1");
const stopped = new TransientError({
    dependency: "media",
    code: "lease_lost",
    message: "the worker has stopped",
    countsAsAttempt: false,
});
const announce = Effect.fnUntraced(function* (publish) {
    const record = yield* MediaRecord.make;
    const begun = yield* record.begin(event, 1, prefix, false);
    if (begun._tag !== "Started")
        return yield* Effect.die(new Error(begun._tag));
    const urlFor = (key) => Effect.succeed(`https://cdn.example.com/${key}`);
    yield* PlayableEvent.publishIfCurrent(record, urlFor)(event, begun.attempt, `${prefix}master.m3u8`, publish);
    return yield* record.find("m1");
});
describe("media.playable", () => {
    it.effect("counts as published only once the bus has stored it", () => Effect.gen(function* () {
        // regression: the event was lost when its worker died before it published, and other workers ended the encode
        const lost = yield* Effect.provide(announce(() => Effect.fail(stopped)), MemoryState.layer);
        assert.deepStrictEqual([lost?.playable_prefix, lost?.playable_published_prefix], [prefix, undefined]);
        const stored = yield* Effect.provide(announce(() => Effect.void), MemoryState.layer);
        assert.strictEqual(stored?.playable_published_prefix, prefix);
    }));
});
