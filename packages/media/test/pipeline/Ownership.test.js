/** A media belongs to the user of its first upload: the uploads of others change nothing. */
import { EventBus } from "@armoricore/bus/EventBus";
import * as UploadToken from "@armoricore/domain/UploadToken";
import * as Collection from "@armoricore/state/Collection";
import { KeyValue } from "@armoricore/state/KeyValue";
import { mediaDeletions, mediaStates } from "@armoricore/state/MediaStates";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { eventually } from "@armoricore/testing/Eventually";
import { DeadLetters } from "@armoricore/worker";
import { UploadTokens } from "@armoricore/worker/PublishPolicy";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer, Option, Redacted } from "effect";
import { isFfmpegMissing, storeUpload, uploaded } from "../support/Pipeline.ts";
import { publish, service } from "../support/RunningMediaService.ts";
/** Types of the results from now on. */
const recordResults = Effect.gen(function* () {
    const bus = yield* EventBus;
    const types = [];
    yield* bus.subscribe("all-events", ({ subject }) => {
        const type = subject.slice("armoricore.".length);
        if (type !== "media.uploaded" && type !== "media.delete_requested")
            types.push(type);
    });
    return types;
});
const by = (userId, upload) => ({
    ...upload,
    payload: { ...upload.payload, user_id: userId },
});
const rejections = Effect.gen(function* () {
    const letters = yield* (yield* DeadLetters).list({ limit: 10 });
    return letters.map(({ record }) => [record.service, record.reason, record.path]);
});
const refusal = ["media", "unauthorized", "payload.media_id"];
describe.skipIf(isFfmpegMissing)("an upload with the media id of another user", () => {
    it.live("becomes a dead letter; the owner's state, events and files stay, also after a deletion", () => Effect.gen(function* () {
        const kv = yield* KeyValue;
        const storage = yield* ObjectStorage;
        const results = yield* recordResults;
        const state = Effect.map(kv.get(mediaStates.bucket, "m1"), (entry) => Option.getOrUndefined(entry)?.value);
        // No film, so that the test needs no encode.
        const file = yield* storeUpload("uploads/u1/m1/a.mp4", new TextEncoder().encode("no film"));
        yield* publish(uploaded("m1", file));
        yield* eventually(Effect.map(state, (text) => text?.includes('"failed"') === true));
        assert.deepStrictEqual(results, ["media.failed"]);
        const before = yield* state;
        const foreign = yield* storeUpload("uploads/u2/m1/b.mp4", new TextEncoder().encode("no film"));
        yield* publish(by("u2", uploaded("m1", foreign)));
        yield* eventually(Effect.map(rejections, (found) => found.length === 1));
        assert.deepStrictEqual(yield* rejections, [refusal]);
        assert.strictEqual(yield* state, before);
        yield* publish({
            event_type: "media.delete_requested",
            event_id: "00000000-0000-4000-9000-000000000001",
            timestamp: "2026-02-01T12:00:00Z",
            source: "php-backend",
            payload: { media_id: "m1" },
        });
        yield* eventually(() => results.length === 2);
        const deleted = yield* state;
        // One that waited in its queue while the media was deleted, and one from after the deletion.
        yield* publish(by("u2", uploaded("m1", foreign)));
        yield* publish({ ...by("u2", uploaded("m1", foreign)), timestamp: "2026-02-02T12:00:00Z" });
        yield* eventually(Effect.map(rejections, (found) => found.length === 3));
        assert.deepStrictEqual(yield* rejections, [refusal, refusal, refusal]);
        assert.strictEqual(yield* state, deleted);
        assert.deepStrictEqual(results, ["media.failed", "media.deleted"]);
        yield* storage.head({ bucket: "media", key: "uploads/u2/m1/b.mp4" });
        // The owner may use the id again.
        const again = yield* storeUpload("uploads/u1/m1/c.mp4", new TextEncoder().encode("no film"));
        yield* publish({ ...uploaded("m1", again), timestamp: "2026-02-02T12:00:00Z" });
        yield* eventually(() => results.length === 3);
        assert.deepStrictEqual(results, ["media.failed", "media.deleted", "media.failed"]);
    }).pipe(Effect.provide(service)));
    it.live("is refused if the deletion is all that is known of the owner", () => Effect.gen(function* () {
        const deletions = yield* Collection.make(mediaDeletions);
        const requested_at = "2026-02-01T12:00:00Z";
        yield* deletions.create("m2", { media_id: "m2", request_id: "r", requested_at, user_id: "u1" });
        yield* publish(by("u2", uploaded("m2", "s3://media/uploads/u2/m2/a.mp4")));
        yield* eventually(Effect.map(rejections, (found) => found.length === 1));
        assert.deepStrictEqual(yield* rejections, [refusal]);
    }).pipe(Effect.provide(service)));
    it.live("is refused by its token already, and a valid token is not stored", () => Effect.gen(function* () {
        const { key } = tokens;
        const results = yield* recordResults;
        const upload = uploaded("m3", yield* storeUpload("uploads/u1/m3/a.mp4", new TextEncoder().encode("no film")));
        const upload_token = UploadToken.issue(key, upload.payload);
        const withToken = { ...upload, payload: { ...upload.payload, upload_token } };
        yield* publish({ ...by("u2", withToken), event_id: crypto.randomUUID() });
        yield* publish({ ...upload, event_id: crypto.randomUUID() });
        yield* eventually(Effect.map(rejections, (found) => found.length === 2));
        const refusedToken = ["media", "unauthorized", "payload.upload_token"];
        assert.deepStrictEqual(yield* rejections, [refusedToken, refusedToken]);
        assert.isEmpty(results);
        yield* publish(withToken);
        yield* eventually(() => results.length === 1);
        const states = yield* Collection.make(mediaStates);
        const stored = Option.getOrUndefined(yield* states.get("m3"))?.value.upload;
        assert.deepStrictEqual(stored, upload.payload);
    }).pipe(Effect.provide(service.pipe(Layer.provide(Layer.succeed(UploadTokens, tokens))))));
});
const tokens = { key: UploadToken.deriveKey(Redacted.make("secret-1")), required: true };
