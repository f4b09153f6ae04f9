import * as AudioCheckpoint from "@armoricore/media/chunked/AudioCheckpoint";
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { assert, describe, it, layer } from "@effect/vitest";
import { Deferred, Effect, Fiber, FileSystem, Layer, Path, Stream } from "effect";
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts";
import { fetchAll, isFfmpegMissing, options, pipeline, prefixOf, storeUpload, uploaded } from "../support/Pipeline.ts";
import { layerWithExtraArgs, layerThrottled } from "../support/ThrottledFfmpeg.ts";
import { check } from "../support/StreamChecker.ts";
const folder = (name, length) => ({
    folder: name,
    track: { codec: "mp4a.40.2", timescale: 48000, sampleDuration: 1024 },
    init_hash: "x",
    init_bytes: 1,
    segments: Array.from({ length }, (_, index) => ({ name: `${index}`, seconds: 4, bytes: 1 })),
});
/** The next step of a video whose first window has two segments. */
const stepOf = (lengths, earlier = []) => {
    const names = ["audio", "audio-2"].slice(0, lengths.length);
    const audioTrack = { index: 0, hasLayout: true, channels: 2, codec: "aac", language: undefined, title: undefined };
    // Cast: `nextCheckpoint` reads no other field of the plan.
    const plan = { info: { audioTracks: names.map(() => audioTrack) } };
    const windows = [
        { firstFrame: 0, frames: 200, from: 0 },
        { firstFrame: 200, from: 8 },
    ];
    return AudioCheckpoint.nextCheckpoint({ plan, windows }, names.flatMap((name, track) => ((lengths[track] ?? 0) === 0 ? [] : [folder(name, lengths[track] ?? 0)])), earlier);
};
const segmentNames = (step) => step?.map(({ folder, segments }) => [folder, segments.map(({ name }) => name).join(" ")]);
describe("AudioCheckpoint", () => {
    it("starts with the length of the first window and doubles, also when more segments exist", () => {
        assert.isUndefined(stepOf([1]));
        const first = stepOf([9]) ?? [];
        assert.deepStrictEqual(segmentNames(first), [["audio", "0 1"]]);
        assert.isUndefined(stepOf([5], [first]));
        const second = stepOf([9], [first]) ?? [];
        assert.deepStrictEqual(segmentNames(second), [["audio", "2 3 4 5"]]);
        assert.deepStrictEqual(segmentNames(stepOf([14], [first, second])), [["audio", "6 7 8 9 10 11 12 13"]]);
    });
    it("waits for all tracks except one that has ended or not started, which never gets a gap", () => {
        assert.isUndefined(stepOf([5, 0]));
        const first = stepOf([10, 0]) ?? [];
        assert.deepStrictEqual(segmentNames(first), [["audio", "0 1"]]);
        assert.deepStrictEqual(segmentNames(stepOf([10, 10], [first])), [["audio", "2 3 4 5"]]);
        assert.deepStrictEqual(segmentNames(stepOf([2, 2])), [
            ["audio", "0 1"],
            ["audio-2", "0 1"],
        ]);
    });
});
const seconds = 60;
describe.skipIf(isFfmpegMissing)("IncrementalAudio", () => {
    const chunks = { minDuration: 10, chunkSeconds: 24 };
    // ffmpeg encodes eight segments a second.
    const paced = pipeline({ chunks }, undefined, layerThrottled(16));
    layer(paced, { excludeTestServices: true, timeout: "60 seconds" })((it) => {
        const begin = Effect.fnUntraced(function* (name) {
            const fs = yield* FileSystem.FileSystem;
            const path = yield* Path.Path;
            const { processUpload } = yield* UploadPipeline;
            const temporary = yield* fs.makeTempDirectoryScoped();
            const file = path.join(temporary, "film.mp4");
            const clip = testVideo({ size: "96x64", rate: "25", seconds });
            yield* ffmpeg([...clip, ...tone(seconds), ...h264, "-c:a", "aac", file]);
            const begun = yield* processUpload(uploaded(name, yield* storeUpload(`uploads/${name}.mp4`, file)), {
                fencingToken: 1,
            });
            if (begun._tag !== "Chunked")
                return yield* Effect.die(new Error(begun._tag));
            const { version } = begun;
            const make = (chunk, fencingToken, announce = Effect.void) => Effect.flatMap(UploadPipeline, (media) => media.encodeChunk({
                mediaId: name,
                version,
                chunk,
                fencingToken,
                onProgress: () => Effect.void,
                publishPlayable: () => announce,
            }));
            const prefix = `media/${name}/${version}/`;
            const storage = yield* ObjectStorage;
            const names = Effect.map(Stream.runCollect(storage.list("media", `${prefix}audio/`)), (found) => found.map(({ key }) => key.slice(`${prefix}audio/`.length)).sort());
            const read = (of) => Effect.flatMap(storage.get({ bucket: "media", key: `${prefix}${of}` }), ({ body }) => Effect.map(Stream.runCollect(body), (pieces) => Buffer.concat(pieces)));
            return { ...begun, make, names, read, temporary };
        });
        it.effect("makes a long video playable before all its audio is encoded", () => Effect.gen(function* () {
            const encode = yield* begin("soon");
            const seen = [];
            const onPlayable = Effect.orDie(Effect.map(encode.names, (names) => void seen.push(names)));
            yield* encode.make("0", 1, onPlayable);
            assert.deepStrictEqual(seen, []);
            const audio = yield* Effect.forkChild(encode.make("audio", 2, onPlayable));
            yield* Fiber.join(audio);
            // Published once, when only the first step was there.
            assert.deepStrictEqual(seen, [["00000.m4s", "00001.m4s", "init.mp4", "playable.m3u8"]]);
            const playlist = (yield* encode.read("audio/playable.m3u8")).toString();
            assert.include(playlist, "00014.m4s");
            assert.notInclude(playlist, "#EXT-X-ENDLIST");
        }));
        it.effect("publishes media.playable with the first video chunk if the audio was encoded before", () => Effect.gen(function* () {
            const encode = yield* begin("late");
            const publishers = [];
            for (const chunk of ["audio", "1", "0", "2"])
                yield* encode.make(chunk, 1, Effect.sync(() => void publishers.push(chunk)));
            assert.deepStrictEqual(publishers, ["0"]);
        }));
        it.effect("continues after the published steps when another worker's ffmpeg encodes to other bytes", () => Effect.gen(function* () {
            const path = yield* Path.Path;
            const media = yield* UploadPipeline;
            const encode = yield* begin("crash");
            const playable = yield* Deferred.make();
            yield* encode.make("0", 1);
            const first = yield* Effect.forkChild(encode.make("audio", 2, Effect.asVoid(Deferred.succeed(playable, undefined))));
            yield* Deferred.await(playable);
            yield* Fiber.interrupt(first);
            const publishedSegments = yield* Effect.forEach(["00000.m4s", "00001.m4s"], (name) => encode.read(`audio/${name}`));
            assert.isFalse((yield* encode.names).includes("00014.m4s"));
            const written = new Map();
            const watched = Layer.effect(ObjectStorage, Effect.map(ObjectStorage, (own) => ObjectStorage.of({
                ...own,
                put: (ref, body, how) => {
                    if (body instanceof Uint8Array)
                        written.set(ref.key.split("/").slice(-4).join("/"), body);
                    return own.put(ref, body, how);
                },
            })));
            const other = UploadPipeline.layer({ ...options, chunks }).pipe(Layer.provide(layerWithExtraArgs("-b:a:0", "-aac_coder:a:0 fast")), Layer.provideMerge(watched));
            yield* Effect.provide(encode.make("audio", 3), Layer.fresh(other));
            const own = written.get("chunks/audio-3/audio/00000.m4s");
            assert.isDefined(own);
            assert.isFalse(publishedSegments[0]?.equals(own ?? new Uint8Array()), "the other encoder should write other bytes");
            const rest = written.get("chunks/audio-3/audio/00009.m4s");
            assert.isTrue((yield* encode.read("audio/00009.m4s")).equals(rest ?? new Uint8Array()));
            for (const chunk of ["1", "2"])
                yield* encode.make(chunk, 4);
            const outcome = yield* media.concatChunks({ mediaId: "crash", version: encode.version });
            if (outcome._tag !== "Ready")
                return yield* Effect.die(new Error(outcome._tag));
            const finalSegments = yield* Effect.forEach(["00000.m4s", "00001.m4s"], (name) => encode.read(`audio/${name}`));
            assert.isTrue(finalSegments.every((bytes, index) => publishedSegments[index]?.equals(bytes)));
            const stream = path.join(encode.temporary, "stream");
            yield* fetchAll(prefixOf(outcome.ready), stream);
            const report = yield* check(stream);
            assert.deepStrictEqual(report.faults, []);
            assert.closeTo(report.tracks[0]?.seconds ?? 0, seconds, 0.1);
        }));
    });
});
