/** Uploads of all kinds through the whole pipeline with a real ffmpeg; a checker reads the stream as a player would. */
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg";
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { assert, describe, layer } from "@effect/vitest";
import { Effect, FileSystem, Path } from "effect";
import { ffmpeg, h264, testVideo, silence, tone } from "../support/Clips.ts";
import { fetchAll, isFfmpegMissing, pipeline, prefixOf, storeUpload, uploaded } from "../support/Pipeline.ts";
import { check } from "../support/StreamChecker.ts";
/** Makes a source with the ffmpeg commands of `steps`, processes it and checks the stream. The last step makes the upload. */
const send = Effect.fnUntraced(function* (name, steps, extension = "mp4") {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const folder = yield* fs.makeTempDirectoryScoped();
    const source = path.join(folder, `source.${extension}`);
    const all = steps((file) => path.join(folder, file));
    for (const [index, args] of all.entries())
        yield* ffmpeg(index === all.length - 1 ? [...args, source] : args);
    const filePath = yield* storeUpload(`uploads/${name}.${extension}`, source);
    const { processUpload } = yield* UploadPipeline;
    const outcome = yield* processUpload(uploaded(name, filePath), { fencingToken: 1 });
    if (outcome._tag !== "Ready")
        return yield* Effect.die(new Error("superseded"));
    const stream = path.join(folder, "stream");
    yield* fetchAll(prefixOf(outcome.ready), stream);
    const report = yield* check(stream);
    assert.deepStrictEqual(report.faults, []);
    return { ready: outcome.ready, report, stream };
});
/** The transfer function of the first segment. */
const transferOf = Effect.fnUntraced(function* (folder) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const whole = path.join(folder, "whole.mp4");
    const parts = yield* Effect.forEach(["init.mp4", "00000.m4s"], (name) => fs.readFile(path.join(folder, name)));
    yield* fs.writeFile(whole, Buffer.concat(parts));
    const { stdout } = yield* Ffmpeg.inspect(["-v", "error", "-show_entries", "stream=color_transfer", "-of", "csv=p=0", whole], folder);
    return stdout.trim();
});
const sizes = (report) => report.variants.map(({ width, height }) => `${width}x${height}`);
describe.skipIf(isFfmpegMissing)("UploadPipeline", () => {
    layer(pipeline(), { excludeTestServices: true })((it) => {
        it.effect("encodes all renditions of a landscape video with audio", () => Effect.gen(function* () {
            const { ready, report } = yield* send("landscape", () => [
                [...testVideo({ size: "854x480", seconds: 7 }), ...tone(7), ...h264, "-c:a", "aac"],
            ]);
            assert.deepStrictEqual(ready.resolutions, ["480p", "360p"]);
            assert.deepStrictEqual(sizes(report), ["854x480", "640x360"]);
            assert.isTrue(report.hasAudioGroup);
            assert.closeTo(ready.duration, 7, 0.1);
            assert.strictEqual(ready.thumbnail_urls.length, 5);
            const storage = yield* ObjectStorage;
            const master = yield* storage.head({ bucket: "media", key: `${prefixOf(ready)}master.m3u8` });
            const segment = yield* storage.head({ bucket: "media", key: `${prefixOf(ready)}480p/00000.m4s` });
            assert.include(segment.cacheControl, "immutable");
            assert.notInclude(master.cacheControl, "immutable");
            assert.strictEqual(master.contentType, "application/vnd.apple.mpegurl");
        }));
        it.effect("sizes a portrait video by its short side, and adds no audio group without audio", () => Effect.gen(function* () {
            const { ready, report } = yield* send("portrait", () => [
                [...testVideo({ size: "480x854", seconds: 3 }), ...h264],
            ]);
            assert.deepStrictEqual(sizes(report), ["480x854", "360x640"]);
            assert.deepStrictEqual(ready.resolutions, ["480p", "360p"]);
            assert.isFalse(report.hasAudioGroup);
            assert.deepStrictEqual([ready.width, ready.height], [480, 854]);
        }));
        it.effect("applies the rotation of a phone video", () => Effect.gen(function* () {
            const { report } = yield* send("rotated", (file) => [
                [...testVideo({ seconds: 3 }), ...h264, file("plain.mp4")],
                ["-display_rotation", "90", "-i", file("plain.mp4"), "-c", "copy"],
            ]).pipe(
            // ffmpeg before 6 has no such option; its muxer writes the matrix from the tag.
            Effect.catchDefect(() => send("rotated", (file) => [
                [...testVideo({ seconds: 3 }), ...h264, file("plain.mp4")],
                ["-i", file("plain.mp4"), "-c", "copy", "-metadata:s:v:0", "rotate=90"],
            ])));
            assert.deepStrictEqual(sizes(report), ["360x640"]);
        }));
        it.effect("keeps a silent audio track", () => Effect.gen(function* () {
            const { report } = yield* send("silent", () => [
                [...testVideo({ seconds: 3 }), ...silence(3), ...h264, "-c:a", "aac"],
            ]);
            assert.isTrue(report.hasAudioGroup);
        }));
        it.effect("does not upscale, and rounds odd sizes to even ones", () => Effect.gen(function* () {
            const { ready, report } = yield* send("odd", () => [[...testVideo({ size: "321x241", seconds: 3 }), "-c:v", "ffv1", "-pix_fmt", "yuv444p"]], "mkv");
            assert.deepStrictEqual(sizes(report), ["320x240"]);
            assert.deepStrictEqual(ready.resolutions, ["240p"]);
        }));
        it.effect("scales anamorphic video to square pixels", () => Effect.gen(function* () {
            const { report } = yield* send("anamorphic", () => [
                [...testVideo({ size: "480x360", seconds: 3 }), "-vf", "setsar=4/3", ...h264],
            ]);
            assert.deepStrictEqual(sizes(report), ["640x360"]);
        }));
        it.effect("converts a variable frame rate to a constant one", () => Effect.gen(function* () {
            const { report } = yield* send("vfr", () => [
                [
                    ...testVideo({ rate: "30", seconds: 6 }),
                    "-vf",
                    "select='if(lt(t\\,3)\\,1\\,not(mod(n\\,3)))'",
                    "-fps_mode",
                    "vfr",
                    ...h264,
                ],
            ]);
            assert.deepStrictEqual(report.variants.map(({ frameRate }) => frameRate), [30]);
            assert.closeTo(report.variants[0]?.seconds ?? 0, 6, 0.15);
        }));
        it.effect("limits the frame rate to 60 frames a second", () => Effect.gen(function* () {
            const { report } = yield* send("fast", () => [[...testVideo({ rate: "120", seconds: 3 }), ...h264]]);
            assert.strictEqual(report.variants[0]?.frameRate, 60);
        }));
        it.effect("maps HDR to SDR", () => Effect.gen(function* () {
            const { toneMapping } = yield* FfmpegPrograms;
            const colours = "-pix_fmt yuv420p10le -color_trc smpte2084 -colorspace bt2020nc -color_primaries bt2020";
            const { ready, stream } = yield* send("hdr", () => [
                [...testVideo({ seconds: 1 }), "-c:v", "libx264", "-preset", "ultrafast", ...colours.split(" ")],
            ]);
            assert.include(JSON.stringify(ready.metadata), '"hdr":true');
            if (!toneMapping)
                return;
            assert.deepStrictEqual(yield* transferOf(`${stream}/360p`), "bt709");
        }));
        it.effect("processes a single frame and an interlaced video", () => Effect.gen(function* () {
            const single = yield* send("frame", () => [[...testVideo({ seconds: 1 }), "-frames:v", "1", ...h264]]);
            assert.deepStrictEqual(single.ready.resolutions, ["360p"]);
            const lines = ["-vf", "tinterlace=interleave_top,fieldorder=tff", "-flags", "+ildct+ilme", ...h264];
            const { report } = yield* send("interlaced", () => [[...testVideo({ rate: "50", seconds: 3 }), ...lines]]);
            assert.strictEqual(report.variants[0]?.frameRate, 25);
        }));
        it.effect("processes a recording without a duration in its header", () => Effect.gen(function* () {
            const { ready } = yield* send("live", () => [[...testVideo({ seconds: 3 }), ...h264, "-f", "matroska", "-live", "1"]], "mkv");
            assert.closeTo(ready.duration, 3, 0.2);
        }));
        it.effect("encodes audio with a cover image as audio only", () => Effect.gen(function* () {
            const { ready, report } = yield* send("sound", (file) => [
                ["-f", "lavfi", "-i", "color=red:s=64x64:d=1", "-frames:v", "1", file("cover.png")],
                [
                    ...tone(5),
                    ..."-map 0 -map 1 -c:v copy -disposition:v attached_pic"
                        .split(" ")
                        .toSpliced(0, 0, "-i", file("cover.png")),
                ],
            ], "mp3");
            assert.deepStrictEqual(ready.resolutions, []);
            assert.isUndefined(ready.width);
            assert.deepStrictEqual(report.variants.map(({ codecs }) => codecs), ["mp4a.40.2"]);
        }));
        it.effect("adds metadata of the source to that of the publisher", () => Effect.gen(function* () {
            const fs = yield* FileSystem.FileSystem;
            const source = yield* fs.makeTempFileScoped({ suffix: ".mp4" });
            yield* ffmpeg([...testVideo({ seconds: 1 }), ...h264, source]);
            const event = uploaded("described", yield* storeUpload("uploads/described.mp4", source));
            const { processUpload } = yield* UploadPipeline;
            const outcome = yield* processUpload({ ...event, payload: { ...event.payload, metadata: { title: "Gwenn ha Du" } } }, { fencingToken: 1 });
            assert.strictEqual(outcome._tag, "Ready");
            if (outcome._tag !== "Ready")
                return;
            assert.strictEqual(outcome.ready.metadata["title"], "Gwenn ha Du");
            assert.include(JSON.stringify(outcome.ready.metadata["source"]), '"video_codec":"h264"');
        }));
    });
});
