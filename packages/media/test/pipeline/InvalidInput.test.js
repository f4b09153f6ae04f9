/** Invalid uploads: each fails with a code and a sentence, and none makes ffmpeg read another file. */
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import { failureMessages } from "@armoricore/media/pipeline/Failures";
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { assert, describe, layer } from "@effect/vitest";
import { Effect, FileSystem, Path, Stream } from "effect";
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts";
import { isFfmpegMissing, ScratchParent, pipeline, storeUpload, uploaded } from "../support/Pipeline.ts";
/** Expects a failure that leaves no objects and no work folder, and returns the error. */
const expectFailure = Effect.fnUntraced(function* (name, filePath) {
    const { processUpload } = yield* UploadPipeline;
    const error = yield* Effect.flip(processUpload(uploaded(name, filePath), { fencingToken: 1 }));
    const storage = yield* ObjectStorage;
    const master = yield* Stream.runCollect(storage.list("media", `media/${name}/`));
    assert.notExists(master.find(({ key }) => key.endsWith(".m3u8")));
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    yield* ScratchDir;
    const parent = yield* ScratchParent;
    for (const own of yield* fs.readDirectory(parent)) {
        assert.deepStrictEqual(yield* fs.readDirectory(path.join(parent, own)), []);
    }
    if (error._tag !== "PermanentError")
        return yield* Effect.die(error);
    assert.property(failureMessages, error.code);
    return error;
});
const text = (content) => new TextEncoder().encode(content);
describe.skipIf(isFfmpegMissing)("Invalid input", () => {
    layer(pipeline(), { excludeTestServices: true })((it) => {
        it.effect("a bucket that is not a source", () => Effect.gen(function* () {
            assert.strictEqual((yield* expectFailure("b1", "s3://elsewhere/a.mp4")).code, "unknown_bucket");
        }));
        it.effect("a missing object", () => Effect.gen(function* () {
            assert.strictEqual((yield* expectFailure("b2", "s3://media/uploads/none.mp4")).code, "source_missing");
        }));
        it.effect("an empty file", () => Effect.gen(function* () {
            const path = yield* storeUpload("uploads/empty.mp4", new Uint8Array());
            assert.strictEqual((yield* expectFailure("b3", path)).code, "empty_file");
        }));
        it.effect("a text file named .mp4", () => Effect.gen(function* () {
            const path = yield* storeUpload("uploads/text.mp4", text("This is not a film.\n".repeat(100)));
            assert.strictEqual((yield* expectFailure("b4", path)).code, "unsupported_format");
        }));
        it.effect("a truncated file with its index at the end", () => Effect.gen(function* () {
            const fs = yield* FileSystem.FileSystem;
            const file = yield* fs.makeTempFileScoped({ suffix: ".mp4" });
            yield* ffmpeg([...testVideo({ seconds: 4 }), ...h264, file]);
            const bytes = yield* fs.readFile(file);
            const path = yield* storeUpload("uploads/cut.mp4", bytes.subarray(0, Math.floor(bytes.byteLength / 2)));
            assert.strictEqual((yield* expectFailure("b5", path)).code, "corrupt_media");
        }));
        it.effect("a truncated file with its index at the start", () => Effect.gen(function* () {
            const fs = yield* FileSystem.FileSystem;
            const file = yield* fs.makeTempFileScoped({ suffix: ".mp4" });
            yield* ffmpeg([...testVideo({ seconds: 6 }), ...tone(6), ...h264, "-movflags", "+faststart", file]);
            const bytes = yield* fs.readFile(file);
            const path = yield* storeUpload("uploads/cut-front.mp4", bytes.subarray(0, Math.floor(bytes.byteLength / 2)));
            const error = yield* expectFailure("b6", path);
            assert.strictEqual(error.code, "corrupt_media");
            assert.match(error.message, /ends after/);
        }));
        it.effect("manifests renamed .mp4 do not make ffmpeg read a local file", () => Effect.gen(function* () {
            const fs = yield* FileSystem.FileSystem;
            const secret = yield* fs.makeTempFileScoped({ suffix: ".mp4" });
            yield* ffmpeg([...testVideo({ seconds: 2 }), ...h264, secret]);
            const hls = `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile:${secret}\n#EXT-X-ENDLIST\n`;
            const dash = `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4"><Representation id="0" bandwidth="1000" codecs="avc1.64001e" width="640" height="360"><BaseURL>${secret}</BaseURL></Representation></AdaptationSet></Period></MPD>`;
            const concat = `ffconcat version 1.0\nfile '${secret}'\n`;
            for (const [name, content] of Object.entries({ hls, dash, concat })) {
                const path = yield* storeUpload(`uploads/${name}.mp4`, text(content));
                assert.strictEqual((yield* expectFailure(`b7-${name}`, path)).code, "unsupported_format");
            }
        }));
        it.effect("a file with only subtitles", () => Effect.gen(function* () {
            const fs = yield* FileSystem.FileSystem;
            const path = yield* Path.Path;
            const folder = yield* fs.makeTempDirectoryScoped();
            yield* fs.writeFileString(path.join(folder, "a.srt"), "1\n00:00:00,000 --> 00:00:02,000\nDemat\n");
            yield* ffmpeg(["-i", path.join(folder, "a.srt"), path.join(folder, "a.mkv")]);
            const at = yield* storeUpload("uploads/subtitles.mkv", path.join(folder, "a.mkv"));
            assert.strictEqual((yield* expectFailure("b8", at)).code, "no_media");
        }));
    });
    const limits = { maxBytes: 5_000_000, maxSeconds: 10, maxPixels: 640 * 360, maxStreams: 3 };
    layer(pipeline({ limits }), { excludeTestServices: true })("limits", (it) => {
        const make = Effect.fnUntraced(function* (name, args, extension = "mp4") {
            const fs = yield* FileSystem.FileSystem;
            const file = yield* fs.makeTempFileScoped({ suffix: `.${extension}` });
            yield* ffmpeg([...args, file]);
            return yield* storeUpload(`uploads/${name}.${extension}`, file);
        });
        it.effect("a small file that states a duration of a hundred hours", () => Effect.gen(function* () {
            const hours = ["-vf", "settb=1,setpts=N*180000", "-fps_mode", "passthrough"];
            const path = yield* make("long", [...testVideo({ size: "64x64", rate: "1", seconds: 3 }), ...hours, ...h264], "mkv");
            assert.strictEqual((yield* expectFailure("l1", path)).code, "too_long");
        }));
        it.effect("more pixels than allowed", () => Effect.gen(function* () {
            const path = yield* make("wide", [...testVideo({ size: "1280x720", seconds: 1 }), ...h264]);
            assert.strictEqual((yield* expectFailure("l2", path)).code, "too_many_pixels");
        }));
        it.effect("more bytes than allowed", () => Effect.gen(function* () {
            const path = yield* storeUpload("uploads/big.mp4", new Uint8Array(5_000_001));
            assert.strictEqual((yield* expectFailure("l3", path)).code, "too_large");
        }));
        it.effect("more tracks than allowed", () => Effect.gen(function* () {
            const maps = "-map 0 -map 0 -map 0 -map 0".split(" ");
            const path = yield* make("tracks", [...testVideo({ seconds: 1 }), ...maps, ...h264], "mkv");
            assert.strictEqual((yield* expectFailure("l4", path)).code, "too_many_streams");
        }));
        it.effect("a video that is too small", () => Effect.gen(function* () {
            const path = yield* make("tiny", [...testVideo({ size: "64x8", seconds: 1 }), ...h264]);
            assert.strictEqual((yield* expectFailure("l5", path)).code, "too_small");
        }));
    });
});
