/** Short uploads do not wait for long ones, nor users for the uploads of other users. Virtual time, no ffmpeg. */
import { EncodingPlan } from "@armoricore/media/encode/EncodingPlan";
import { event, work } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { deriveId, resultEventId } from "@armoricore/domain/DeterministicId";
import * as EventCodec from "@armoricore/domain/EventCodec";
import { classify, encodeCost, partitionKey } from "@armoricore/media/pipeline/WorkClass";
import * as MediaService from "@armoricore/media/pipeline/MediaService";
import { planRenditions as planLadder } from "@armoricore/media/encode/Ladder";
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import * as Testing from "@armoricore/testing/Testing";
import { assert, describe, it } from "@effect/vitest";
import { Clock, Effect, Layer, Result } from "effect";
import { TestClock } from "effect/testing";
const longVideoSeconds = 180;
const clipSeconds = 5;
const isLongVideo = (id) => id.startsWith("long");
const readyOf = ({ media_id, user_id }) => ({
    media_id,
    user_id,
    playback_urls: { hls: `http://cdn.invalid/${media_id}`, mp4: {} },
    thumbnail_urls: [],
    duration: 1,
    resolutions: [],
    metadata: {},
});
/** A pipeline that takes fixed times instead of encoding. */
const fakes = (seen) => Layer.mock(UploadPipeline, {
    newestUpload: (mediaId) => Effect.succeed({
        eventId: ids.get(mediaId) ?? "",
        upload: { media_id: mediaId, user_id: "u", file_path: "s3://a/b" },
    }),
    recordFailure: () => Effect.void,
    cancelChunks: () => Effect.void,
    processUpload: ({ payload }, attempt) => Effect.gen(function* () {
        seen.push({ id: payload.media_id, workClass: attempt.workClass, at: yield* Clock.currentTimeMillis });
        // The probe.
        yield* Effect.sleep("100 millis");
        if (attempt.workClass === "short" && isLongVideo(payload.media_id))
            return { _tag: "Long" };
        yield* Effect.sleep(`${isLongVideo(payload.media_id) ? longVideoSeconds : clipSeconds} seconds`);
        return { _tag: "Ready", ready: readyOf(payload), playableEvent: undefined };
    }),
});
const ids = new Map();
const uploaded = (mediaId, userId) => {
    const id = deriveId("fairness", mediaId);
    ids.set(mediaId, id);
    return {
        event_type: "media.uploaded",
        event_id: id,
        timestamp: "2026-01-31T12:00:00Z",
        source: "php-backend",
        payload: { media_id: mediaId, user_id: userId, file_path: `s3://media/${mediaId}.mp4` },
    };
};
const publish = Effect.fnUntraced(function* (message) {
    const bus = yield* EventBus;
    const body = new TextEncoder().encode(JSON.stringify(message));
    yield* bus.publish({ address: event("media.uploaded"), id: message.event_id, body });
});
/** Advances the clock second by second, because results lead to new work. */
const advance = (seconds) => Effect.repeat(TestClock.adjust("1 second"), { times: seconds - 1 });
/** Seconds until each result, by media. */
const results = Effect.gen(function* () {
    const bus = yield* EventBus;
    const clock = yield* Clock.Clock;
    const received = new Map();
    yield* bus.subscribe("all-events", ({ body }) => {
        const decoded = EventCodec.decodeResult(body);
        if (Result.isFailure(decoded))
            return;
        const { event: given } = decoded.success;
        if (given.event_type !== "media.ready" && given.event_type !== "media.failed")
            return;
        received.set(given.payload.media_id, {
            type: given.event_type,
            id: given.event_id,
            seconds: clock.currentTimeMillisUnsafe() / 1000,
        });
    });
    return received;
});
/** Publishes all uploads at once, and measures when each is done. */
const measure = (names, slots = {}) => Effect.gen(function* () {
    const seen = [];
    const service = MediaService.layerNoDeps({ bucket: "media", ...slots });
    yield* Layer.build(Layer.provide(service, fakes(seen)));
    const received = yield* results;
    for (const [mediaId, userId] of names)
        yield* publish(uploaded(mediaId, userId));
    yield* advance(400);
    return { seen, seconds: new Map([...received].map(([id, one]) => [id, one.seconds])), received };
}).pipe(Effect.provide(Layer.fresh(Testing.layer)), Effect.scoped);
const clips = Array.from({ length: 20 }, (_, index) => [`clip-${index}`, `u${index % 4}`]);
describe("Fairness", () => {
    it.effect("a short upload beside a long one takes less than twice as long", () => Effect.gen(function* () {
        const alone = yield* measure(clips);
        const beside = yield* measure([["long", "u0"], ...clips]);
        assert.strictEqual(alone.seconds.size, 20);
        assert.strictEqual(beside.seconds.size, 21);
        // Each run starts at another time of the virtual clock.
        const ratios = clips.map(([id]) => {
            const [before = 0, after = 0] = [alone, beside].map(({ seconds, seen }) => {
                return (seconds.get(id) ?? 0) - (seen[0]?.at ?? 0) / 1000;
            });
            return after / before;
        });
        assert.isBelow(Math.max(...ratios), 2);
        // The long upload is not delayed by the short ones.
        assert.closeTo((beside.seconds.get("long") ?? 0) - (beside.seen[0]?.at ?? 0) / 1000, longVideoSeconds, 5);
    }));
    it.effect("a long upload can be cancelled in its queue, and fails with the event id that derives from the upload", () => Effect.gen(function* () {
        const seen = [];
        yield* Layer.build(Layer.provide(MediaService.layerNoDeps({ bucket: "media" }), fakes(seen)));
        const received = yield* results;
        const bus = yield* EventBus;
        const longUpload = uploaded("long-unwanted", "u");
        yield* publish(longUpload);
        yield* advance(10);
        assert.deepStrictEqual(seen.map(({ workClass }) => workClass), ["short", "long"]);
        const body = new TextEncoder().encode(JSON.stringify({ cause_id: "c", payload: { action: "cancel", media_id: "long-unwanted" } }));
        yield* bus.publish({ address: work("media", "control"), id: "cancel-1", body });
        yield* advance(60);
        assert.strictEqual(received.get("long-unwanted")?.type, "media.failed");
        assert.strictEqual(received.get("long-unwanted")?.id, resultEventId(longUpload.event_id, "media.failed"));
    }).pipe(Effect.provide(Layer.fresh(Testing.layer)), Effect.scoped));
    it.effect("with a limit per user, the upload of another user overtakes", () => Effect.gen(function* () {
        const many = Array.from({ length: 12 }, (_, index) => [`many-${index}`, "greedy"]);
        const names = [...many, ["one", "modest"]];
        const place = (seconds) => [...seconds].sort(([, a], [, b]) => a - b).findIndex(([id]) => id === "one");
        const limited = yield* measure(names, { concurrency: 2, perUser: 1 });
        assert.strictEqual(limited.seconds.size, 13);
        assert.isBelow(place(limited.seconds), 3);
        const unlimited = yield* measure(names, { concurrency: 2 });
        assert.isAtLeast(place(unlimited.seconds), 11);
    }));
});
describe("WorkClass", () => {
    const plan = (seconds, width = 1920, height = 1080, frames = 30) => {
        const video = {
            index: 0,
            codec: "h264",
            width,
            height,
            rotation: 0,
            frameRate: { num: frames, den: 1 },
            bitrate: undefined,
            interlaced: false,
            matrix: "bt709",
            hdr: undefined,
            still: undefined,
        };
        return new EncodingPlan({
            info: { duration: seconds, format: "mp4", video, audioTracks: [], cover: undefined },
            renditions: width === 0 ? [] : planLadder(video),
            frameRate: { num: frames, den: 1 },
            thumbnails: 5,
            toneMapping: true,
        });
    };
    it("classifies by size and by the number of encoded pixels", () => {
        assert.closeTo(encodeCost(plan(5)), 5, 0.1);
        assert.strictEqual(classify({ plan: plan(5) }, 60), "short");
        assert.strictEqual(classify({ plan: plan(180) }, 60), "long");
        // Two minutes at 360p are less than one at 1080p; half a minute of 2160p60 is far more.
        assert.strictEqual(classify({ plan: plan(120, 640, 360) }, 60), "short");
        assert.strictEqual(classify({ plan: plan(30, 3840, 2160, 60) }, 60), "long");
        // An hour of audio without video is a short job.
        assert.strictEqual(classify({ plan: plan(3600, 0, 0) }, 60), "short");
        assert.strictEqual(classify({ bytes: 2e9 }, 60), "long");
        assert.strictEqual(classify({ bytes: 20e6 }, 60), "short");
    });
    it("has as many partition keys as concurrent jobs of a user", () => {
        const keys = new Set(Array.from({ length: 100 }, (_, index) => partitionKey("short", "u", String(index), 3)));
        assert.strictEqual(keys.size, 3);
    });
});
