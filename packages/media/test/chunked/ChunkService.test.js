/** Chunked encodes in the media service: the events and objects of success, cancellation and failure. */
import { event, ephemeral, work } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { TransientError } from "@armoricore/domain/Errors";
import * as EventCodec from "@armoricore/domain/EventCodec";
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir";
import * as MediaService from "@armoricore/media/pipeline/MediaService";
import { Quota } from "@armoricore/media/pipeline/Quota";
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import * as Collection from "@armoricore/state/Collection";
import { mediaStates } from "@armoricore/state/MediaStates";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { eventually, expectNothingFor } from "@armoricore/testing/Eventually";
import * as Testing from "@armoricore/testing/Testing";
import { RetryPolicy } from "@armoricore/worker";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, FileSystem, Layer, Logger, Option, Stream } from "effect";
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts";
import { isFfmpegMissing, options, programs, storeUpload, uploaded, playbackUrls } from "../support/Pipeline.ts";
/** Records writes to the storage, and makes some of them fail. */
class Faults {
    puts = [];
    refuse = () => false;
}
const chargesOf = (charges) => Layer.succeed(Quota, { charge: (userId) => Effect.sync(() => void charges.push(userId)) });
/** One process that encodes one chunk at a time. */
const service = (faults, charges = []) => {
    const storage = Layer.effect(ObjectStorage, Effect.map(ObjectStorage, (real) => ObjectStorage.of({
        ...real,
        put: (ref, body, how) => {
            faults.puts.push(ref.key);
            return faults.refuse(ref.key)
                ? Effect.fail(new TransientError({
                    dependency: "storage",
                    code: "unavailable",
                    message: "the storage is unavailable",
                }))
                : real.put(ref, body, how);
        },
    })));
    return Layer.unwrap(Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem;
        const all = {
            ...options,
            chunks: { minDuration: 10, chunkSeconds: 4, concurrency: 1 },
            publishTimeout: Duration.millis(1),
        };
        const transcode = UploadPipeline.layer(all).pipe(Layer.provide(ScratchDir.layer(yield* fs.makeTempDirectoryScoped())), Layer.provide(chargesOf(charges)));
        return Layer.provideMerge(MediaService.layerNoDeps(all), transcode);
    })).pipe(Layer.provideMerge(Layer.provideMerge(storage, Layer.mergeAll(Testing.layer, playbackUrls))), Layer.provide(Layer.mergeAll(Layer.succeed(RetryPolicy, { maxAttempts: 2, base: Duration.millis(10), cap: Duration.millis(20) }), Logger.layer([]))), Layer.provideMerge(programs));
};
const publish = Effect.fnUntraced(function* (message) {
    const bus = yield* EventBus;
    const body = new TextEncoder().encode(JSON.stringify(message));
    yield* bus.publish({ address: event("media.uploaded"), id: message.event_id, body });
});
/** Sends a command as the API does. */
const sendCommand = Effect.fnUntraced(function* (kind, id, payload) {
    const bus = yield* EventBus;
    const body = new TextEncoder().encode(JSON.stringify({ cause_id: id, payload }));
    yield* bus.publish({ address: work("media", kind), id, body });
});
/** All events that are published from now on. */
const recordEvents = Effect.gen(function* () {
    const bus = yield* EventBus;
    const bodies = [];
    yield* bus.subscribe("all-events", ({ body }) => void bodies.push(body));
    yield* bus.subscribe(ephemeral("media.>"), ({ body }) => void bodies.push(body));
    return Effect.map(Effect.forEach(bodies, (body) => Effect.option(EventCodec.decode(body))), (decoded) => decoded.flatMap((one) => (Option.isSome(one) ? [one.value.event] : []))).pipe((events) => Effect.suspend(() => events));
});
const until = (condition) => eventually(condition, { interval: "50 millis", timeout: "1 minute" });
const eventsOf = (events, type) => Effect.map(events, (all) => all.filter(({ event_type }) => event_type === type));
const keysBelow = Effect.fnUntraced(function* (prefix) {
    const storage = yield* ObjectStorage;
    return (yield* Stream.runCollect(storage.list("media", prefix))).map(({ key }) => key);
});
const uploadLongVideo = Effect.fnUntraced(function* (id, seconds) {
    const fs = yield* FileSystem.FileSystem;
    const file = yield* fs.makeTempFileScoped({ suffix: ".mp4" });
    yield* ffmpeg([...testVideo({ size: "96x64", rate: "25", seconds }), ...tone(seconds), ...h264, "-c:a", "aac", file]);
    return uploaded(id, yield* storeUpload(`uploads/${id}.mp4`, file));
});
/** The video between these shares of the file is zeros. */
const uploadDamagedVideo = Effect.fnUntraced(function* (id, from, to) {
    const fs = yield* FileSystem.FileSystem;
    const file = yield* fs.makeTempFileScoped({ suffix: ".mp4" });
    yield* ffmpeg([...testVideo({ size: "96x64", rate: "25", seconds: 14 }), ...h264, "-g", "25", file]);
    const bytes = yield* fs.readFile(file);
    // The samples are in order of time, and the index follows them.
    const samples = Buffer.from(bytes).indexOf("moov", 0, "latin1") - 4;
    bytes.fill(0, Math.round(samples * from), Math.round(samples * to));
    return uploaded(id, yield* storeUpload(`uploads/${id}.mp4`, bytes));
});
describe.skipIf(isFfmpegMissing)("ChunkService", () => {
    it.live("publishes playable before ready with rising progress, and leaves no objects besides the stream", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        yield* publish(yield* uploadLongVideo("film", 22));
        yield* until(Effect.map(eventsOf(events, "media.ready"), ({ length }) => length > 0));
        const results = (yield* events).filter(({ event_type }) => event_type !== "media.progress");
        assert.deepStrictEqual(results.map(({ event_type }) => event_type), ["media.uploaded", "media.playable", "media.ready"]);
        const percents = (yield* events).flatMap((one) => one.event_type === "media.progress" ? [one.payload.percent] : []);
        assert.deepStrictEqual(percents, [...percents].sort((a, b) => a - b));
        assert.isAbove(percents.length, 5);
        const keys = yield* keysBelow("media/film/");
        assert.isFalse(keys.some((key) => key.includes("/chunks/")));
        const storage = yield* ObjectStorage;
        const key = keys.find((one) => one.endsWith("64p/playable.m3u8")) ?? "";
        const { body } = yield* storage.get({ bucket: "media", key });
        const text = Buffer.concat(yield* Stream.runCollect(body)).toString();
        // Players that have started with the provisional playlist find the end of the video too.
        assert.include(text, "00005.m4s");
        assert.include(text, "#EXT-X-ENDLIST");
    }).pipe(Effect.provide(service(new Faults())), Effect.scoped));
    it.live("encodes an upload in one run if its chunks do not make the whole stream", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const ends = Effect.map(events, (all) => all.flatMap((one) => one.event_type === "media.ready"
            ? [[one.payload.media_id, one.payload.duration]]
            : one.event_type === "media.failed"
                ? [[one.payload.media_id, one.payload.error.code]]
                : []));
        // regression: the upload failed although one run makes a stream of its length
        yield* publish(yield* uploadDamagedVideo("hole", 0.3, 0.55));
        yield* until(Effect.map(ends, ({ length }) => length === 1));
        // One run lacks the end too.
        yield* publish(yield* uploadDamagedVideo("cut", 0.8, 1));
        yield* until(Effect.map(ends, ({ length }) => length === 2));
        assert.deepStrictEqual(yield* ends, [
            ["hole", 14],
            ["cut", "length_mismatch"],
        ]);
        // The objects of the chunks are removed.
        const prefixes = new Set((yield* keysBelow("media/hole/")).map((key) => key.split("/")[2]));
        assert.strictEqual(prefixes.size, 1);
    }).pipe(Effect.provide(service(new Faults())), Effect.scoped));
    it.live("cancels all chunks and publishes one media.failed", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        yield* publish(yield* uploadLongVideo("long", 160));
        yield* until(Effect.map(eventsOf(events, "media.playable"), ({ length }) => length > 0));
        yield* sendCommand("control", "00000000-0000-4000-9000-000000000001", { action: "cancel", media_id: "long" });
        yield* until(Effect.map(eventsOf(events, "media.failed"), ({ length }) => length > 0));
        assert.include(JSON.stringify(yield* eventsOf(events, "media.failed")), '"cancelled"');
        yield* until(Effect.map(keysBelow("media/long/"), ({ length }) => length === 0));
        const states = yield* Collection.make(mediaStates);
        yield* until(Effect.map(states.get("long"), (found) => Option.getOrUndefined(found)?.value.status === "failed"));
        const before = (yield* eventsOf(events, "media.progress")).length;
        // The queued chunk messages are consumed, but no chunk is encoded.
        yield* expectNothingFor("1 second", Effect.map(eventsOf(events, "media.progress"), ({ length }) => Math.max(0, length - before)));
        assert.deepStrictEqual(yield* keysBelow("media/long/"), []);
        assert.strictEqual((yield* eventsOf(events, "media.failed")).length, 1);
    }).pipe(Effect.provide(service(new Faults())), Effect.scoped));
    it.live("fails once if a chunk cannot be stored; a retry encodes only the missing chunks and is not charged", () => {
        const faults = new Faults();
        const charges = [];
        return Effect.gen(function* () {
            const bus = yield* EventBus;
            const events = yield* recordEvents;
            faults.refuse = (key) => /\/chunks\/2-/.test(key);
            yield* publish(yield* uploadLongVideo("again", 22));
            yield* until(Effect.map(eventsOf(events, "media.failed"), ({ length }) => length > 0));
            assert.include(JSON.stringify(yield* eventsOf(events, "media.failed")), '"unavailable"');
            const states = yield* Collection.make(mediaStates);
            yield* until(Effect.map(states.get("again"), (found) => Option.getOrUndefined(found)?.value.status === "failed"));
            assert.strictEqual((yield* bus.deadLetters.list({ limit: 10 })).length, 1);
            const encoded = new Set(faults.puts.flatMap((key) => /\/chunks\/([^-]+)-/.exec(key)?.[1] ?? []));
            faults.refuse = () => false;
            faults.puts.length = 0;
            yield* sendCommand("retry", "00000000-0000-4000-9000-000000000002", { media_id: "again", user_id: "u1" });
            yield* until(Effect.map(eventsOf(events, "media.ready"), ({ length }) => length > 0));
            const encodedByRetry = new Set(faults.puts.flatMap((key) => /\/chunks\/([^-]+)-/.exec(key)?.[1] ?? []));
            assert.isTrue(encodedByRetry.has("2"));
            // Completed chunks are reused; the others are encoded now.
            for (const chunk of ["0", "audio", "1"])
                assert.isTrue(encoded.has(chunk) && !encodedByRetry.has(chunk), chunk);
            assert.deepStrictEqual(charges, ["u1"]);
            // The output of the failed attempt is removed.
            const prefixes = new Set((yield* keysBelow("media/again/")).map((key) => key.split("/")[2]));
            assert.strictEqual(prefixes.size, 1);
        }).pipe(Effect.provide(service(faults, charges)), Effect.scoped);
    });
});
