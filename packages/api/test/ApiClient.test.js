import { ApiClient } from "@armoricore/api/ApiClient";
import { ProblemError } from "@armoricore/api/Problem";
import * as Collection from "@armoricore/state/Collection";
import { mediaStates } from "@armoricore/state/MediaStates";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { apiServer, busUnavailable, signToken, uploadedEvent } from "./support/ApiServer.ts";
const state = {
    media_id: "m1",
    user_id: "u1",
    status: "processing",
    stage: "transcoding",
    percent: 40,
    source_event_id: "3f0c2d6e-6b0f-4d27-9d0c-1a2b3c4d5e6f",
    generations: {},
    attempts: [],
    renditions: [],
    timings: {},
    updated_at: "2026-01-31T12:00:00Z",
};
const clientFor = Effect.fnUntraced(function* (userId, ...roles) {
    const token = yield* signToken(userId, ...roles);
    return yield* Effect.provide(ApiClient, ApiClient.layer({ token }));
});
describe("ApiClient", () => {
    it.live("decodes successful responses", () => Effect.gen(function* () {
        yield* (yield* Collection.make(mediaStates)).put("m1", state);
        const client = yield* clientFor("u1");
        const media = yield* client.media.get({ params: { id: "m1" } });
        assert.strictEqual(media.percent, 40);
        assert.deepStrictEqual(yield* client.media.cancel({ params: { id: "m1" } }), { media_id: "m1" });
        const upload = yield* client.uploads.create({
            payload: { filename: "a.mp4", content_type: "video/mp4", size: 10 },
        });
        assert.property(upload, "upload_url");
        assert.deepStrictEqual(yield* client.notifications.inbox(), { messages: [] });
    }).pipe(Effect.provide(apiServer())));
    it.live("publishes one event or an array", () => Effect.gen(function* () {
        const client = yield* clientFor("php", "publisher");
        const event = uploadedEvent();
        const receipt = { event_id: event.event_id, duplicate: false };
        assert.deepStrictEqual(yield* client.events.publish({ payload: event }), receipt);
        const receipts = yield* client.events.publish({ payload: [event] });
        assert.deepStrictEqual(receipts, [{ ...receipt, duplicate: true }]);
    }).pipe(Effect.provide(apiServer())));
    it.live("fails with the problem of the response", () => Effect.gen(function* () {
        const client = yield* clientFor("u1");
        const failures = [
            yield* Effect.flip(client.media.get({ params: { id: "unknown" } })),
            yield* Effect.flip(client.uploads.create({ payload: { filename: "a", content_type: "text/html", size: 1 } })),
            yield* Effect.flip(client.events.publish({ payload: uploadedEvent() })),
        ];
        const codes = failures.map((error) => (error instanceof ProblemError ? [error.status, error.code] : error));
        assert.deepStrictEqual(codes, [
            [404, "not_found"],
            [422, "content_type"],
            [403, "role_missing"],
        ]);
    }).pipe(Effect.provide(apiServer())));
    it.live("reads Retry-After", () => Effect.gen(function* () {
        const client = yield* clientFor("php", "publisher");
        const error = yield* Effect.flip(client.events.publish({ payload: uploadedEvent() }));
        assert.deepInclude(error, { _tag: "ProblemError", status: 503, retryAfterSeconds: 5 });
    }).pipe(Effect.provide(apiServer({}, busUnavailable))));
});
