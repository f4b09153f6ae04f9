/** Renditions in several codecs: one decode, one manifest, the same key frames, in one run and in chunks. */
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import { requiredEncoders, withDefaultCodec } from "@armoricore/media/encode/codecs/Codecs";
import * as DashManifest from "@armoricore/media/packaging/DashManifest";
import * as MasterPlaylist from "@armoricore/media/packaging/MasterPlaylist";
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { assert, describe, it, layer } from "@effect/vitest";
import { Effect, FileSystem, Layer, Path } from "effect";
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts";
import { fetchAll, isFfmpegMissing, pipeline, prefixOf, storeUpload, uploaded } from "../support/Pipeline.ts";
import { check } from "../support/StreamChecker.ts";
const codecs = ["h264", "hevc", "av1"];
const ladder = [{ shortSide: 72, kilobits: 200 }];
const options = { codecs, ladder, thumbnails: 1, storyboard: false };
/** An ffmpeg whose encoders place key frames where they are asked to. */
const programs = FfmpegPrograms.layer({ encoders: requiredEncoders(codecs) }).pipe(Layer.provide(NodeServices.layer), Layer.orDie);
const anyStorage = Layer.effect(ObjectStorage, ObjectStorage);
const store = Effect.fnUntraced(function* (name, seconds) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const folder = yield* fs.makeTempDirectoryScoped();
    const source = path.join(folder, `${name}.mp4`);
    const rate = "30000/1001";
    yield* ffmpeg([...testVideo({ size: "128x72", rate, seconds }), ...tone(seconds), ...h264, "-c:a", "aac", source]);
    return { folder, event: uploaded(name, yield* storeUpload(`uploads/${name}.mp4`, source)) };
});
/** The faults of a stream, and its manifests. */
const inspect = Effect.fnUntraced(function* (folder, prefix) {
    const path = yield* Path.Path;
    const stream = path.join(folder, "stream");
    yield* fetchAll(prefix, stream);
    const { faults } = yield* check(stream);
    const fs = yield* FileSystem.FileSystem;
    return {
        faults,
        master: yield* fs.readFileString(path.join(stream, "master.m3u8")),
        dash: yield* fs.readFileString(path.join(stream, "manifest.mpd")),
    };
});
describe.skipIf(isFfmpegMissing)("Codecs", () => {
    layer(pipeline(options, anyStorage, programs), { excludeTestServices: true, timeout: "60 seconds" })((it) => {
        it.effect("one run makes every size in every codec, with their CODECS, SCORE and groups", () => Effect.gen(function* () {
            const { processUpload } = yield* UploadPipeline;
            const { event, folder } = yield* store("film", 5);
            const outcome = yield* processUpload(event, { fencingToken: 1 });
            if (outcome._tag !== "Ready")
                return yield* Effect.die(new Error(outcome._tag));
            const found = yield* inspect(folder, prefixOf(outcome.ready));
            assert.deepStrictEqual(found.faults, []);
            assert.deepStrictEqual(outcome.ready.resolutions, ["72p"]);
            assert.match(found.master, /CODECS="hvc1\.1\.6\.L\d+\.[0-9A-F]{2},mp4a\.40\.2",RESOLUTION=128x72.*SCORE=1\.1/);
            assert.match(found.master, /CODECS="av01\.0\.\d\dM\.08,mp4a\.40\.2",RESOLUTION=128x72.*SCORE=1\.2/);
            assert.match(found.dash, /selectionPriority="1".*\n(.*\n)*.*selectionPriority="3"/);
            assert.strictEqual(found.dash.match(/contentType="video"/g)?.length, 3);
        }));
    });
    const chunks = { minDuration: 10, chunkSeconds: 8 };
    layer(pipeline({ ...options, chunks }, anyStorage, programs), { excludeTestServices: true, timeout: "120 seconds" })((it) => {
        it.effect("chunks of every codec make one stream", () => Effect.gen(function* () {
            const { concatChunks, encodeChunk, processUpload } = yield* UploadPipeline;
            const { event, folder } = yield* store("chunked", 13);
            const begun = yield* processUpload(event, { fencingToken: 1 });
            if (begun._tag !== "Chunked")
                return yield* Effect.die(new Error(begun._tag));
            const { version } = begun;
            const mediaId = event.payload.media_id;
            const [onProgress, publishPlayable] = [() => Effect.void, () => Effect.void];
            for (const chunk of [...begun.chunks].reverse())
                yield* encodeChunk({ mediaId, version, chunk, fencingToken: 7, onProgress, publishPlayable });
            const outcome = yield* concatChunks({ mediaId, version });
            if (outcome._tag !== "Ready")
                return yield* Effect.die(new Error(outcome._tag));
            assert.deepStrictEqual((yield* inspect(folder, prefixOf(outcome.ready))).faults, []);
        }));
    });
});
describe("withDefaultCodec", () => {
    it("always begins with the codec that every player decodes", () => {
        assert.deepStrictEqual(withDefaultCodec(["av1", "hevc", "av1"]), ["h264", "av1", "hevc"]);
        assert.deepStrictEqual(withDefaultCodec(["h264"]), ["h264"]);
        assert.isUndefined(withDefaultCodec(["h264", "vp9"]));
    });
    it("a stream of one codec has no scores and priorities", () => {
        const rendition = {
            name: "72p",
            width: 128,
            height: 72,
            frameRate: { num: 25, den: 1 },
            codec: "avc1.64001F",
            timescale: 90_000,
            segments: [{ name: "0", seconds: 4, bytes: 1_000 }],
        };
        assert.notInclude(MasterPlaylist.render([rendition], []), "SCORE");
        const manifest = { renditions: [rendition], audioTracks: [], seconds: 4 };
        assert.notInclude(DashManifest.render(manifest), "selectionPriority");
    });
});
