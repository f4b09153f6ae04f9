/** The output of a chunked encode equals that of a single encode. */
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import { assert, describe, layer } from "@effect/vitest";
import { Effect, FileSystem, Path, Stream } from "effect";
import { ffmpeg, h264, subtitles, testVideo, tone } from "../support/Clips.ts";
import { fetchAll, isFfmpegMissing, pipeline, prefixOf, storeUpload, uploaded } from "../support/Pipeline.ts";
import { ffmpegOutput, run } from "../support/RunFfmpeg.ts";
import { check } from "../support/StreamChecker.ts";
const sourceOf = Effect.fnUntraced(function* (name, args, extension = "mp4") {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const folder = yield* fs.makeTempDirectoryScoped();
    const source = path.join(folder, `source.${extension}`);
    yield* ffmpeg([...args, source]);
    return { folder, event: uploaded(name, yield* storeUpload(`uploads/${name}.${extension}`, source)) };
});
/** Encodes the chunks in reverse order. */
const encodeInChunks = Effect.fnUntraced(function* (event) {
    const media = yield* UploadPipeline;
    const mediaId = event.payload.media_id;
    const begun = yield* media.processUpload(event, { fencingToken: 1 });
    if (begun._tag !== "Chunked")
        return yield* Effect.die(new Error(begun._tag));
    const percents = [];
    const last = [];
    for (const chunk of [...begun.chunks].reverse()) {
        const outcome = yield* media.encodeChunk({
            mediaId,
            version: begun.version,
            chunk,
            fencingToken: 7,
            onProgress: (percent) => Effect.sync(() => void percents.push(percent)),
            publishPlayable: () => Effect.void,
        });
        if (outcome._tag === "Done" && outcome.isLast)
            last.push(chunk);
    }
    const outcome = yield* media.concatChunks({ mediaId, version: begun.version });
    if (outcome._tag !== "Ready")
        return yield* Effect.die(new Error(outcome._tag));
    return { chunks: begun.chunks, ready: outcome.ready, percents, last };
});
const singlePipeline = pipeline();
/** Encodes an upload once as a whole and once in chunks, and downloads both streams. */
const both = Effect.fnUntraced(function* (name, args, extension) {
    const path = yield* Path.Path;
    const { event, folder } = yield* sourceOf(name, args, extension);
    const chunked = yield* encodeInChunks(event);
    const parts = path.join(folder, "parts");
    yield* fetchAll(prefixOf(chunked.ready), parts);
    const whole = path.join(folder, "whole");
    const source = path.join(folder, `source.${extension ?? "mp4"}`);
    const ready = yield* Effect.gen(function* () {
        yield* storeUpload(event.payload.file_path.slice("s3://media/".length), source);
        const { processUpload } = yield* UploadPipeline;
        const outcome = yield* processUpload(event, { fencingToken: 1 });
        if (outcome._tag !== "Ready")
            return yield* Effect.die(new Error(outcome._tag));
        yield* fetchAll(prefixOf(outcome.ready), whole);
        return outcome.ready;
    }).pipe(Effect.provide(singlePipeline));
    return { folder, parts, whole, chunked, ready };
});
/** Joins the segments of a rendition or audio track to one file. */
const joined = Effect.fnUntraced(function* (stream, folder) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const from = path.join(stream, folder);
    const names = (yield* fs.readDirectory(from)).filter((name) => name.endsWith(".m4s")).sort();
    const pieces = yield* Effect.forEach(["init.mp4", ...names], (name) => fs.readFile(path.join(from, name)));
    const file = path.join(stream, `${folder}.mp4`);
    yield* fs.writeFile(file, Buffer.concat(pieces));
    return { file, names };
});
/** Display times and key frames in display order, and decode times. Encoders may choose another decode order. */
const timesOf = Effect.fnUntraced(function* (file) {
    const { stdout } = yield* run("ffprobe", [
        ..."-v error -show_entries packet=pts_time,dts_time,duration_time,flags -of csv=p=0".split(" "),
        file,
    ]);
    const packets = stdout
        .trim()
        .split("\n")
        .map((line) => line.split(","));
    return {
        shown: packets.map(([pts = "", , duration, flags]) => `${pts.padStart(12)} ${duration} ${flags}`).sort(),
        decoded: packets.map(([, dts]) => dts),
    };
});
/** The seconds at which a flash or beep begins: a value above the threshold after a second below it. */
const onsets = (values, perSecond, quiet) => {
    const begins = [];
    let last = Number.NEGATIVE_INFINITY;
    let index = 0;
    for (const value of values) {
        if (value > quiet) {
            if (index - last > perSecond)
                begins.push(index / perSecond);
            last = index;
        }
        index++;
    }
    return begins;
};
describe.skipIf(isFfmpegMissing)("Chunked encode", () => {
    layer(pipeline({ chunks: { minDuration: 10, chunkSeconds: 8 } }), {
        excludeTestServices: true,
        timeout: "180 seconds",
    })((it) => {
        it.effect("publishes a stream that passes the checker", () => Effect.gen(function* () {
            const path = yield* Path.Path;
            const { event, folder } = yield* sourceOf("film", [
                ...testVideo({ size: "160x90", rate: "30000/1001", seconds: 33 }),
                ...tone(33),
                ...subtitles("1\n00:00:20,000 --> 00:00:22,000\nin a later chunk\n"),
                ...h264,
                ..."-g 75 -c:a aac -c:s mov_text -metadata:s:s:0 language=ger".split(" "),
            ]);
            const { last, chunks, percents, ready } = yield* encodeInChunks(event);
            yield* fetchAll(prefixOf(ready), path.join(folder, "stream"));
            const report = yield* check(path.join(folder, "stream"));
            assert.deepStrictEqual(report.faults, []);
            const fs = yield* FileSystem.FileSystem;
            assert.include(yield* fs.readFileString(path.join(folder, "stream/master.m3u8")), 'LANGUAGE="de"');
            const vtt = yield* fs.readFileString(path.join(folder, "stream/subtitles/0/captions.vtt"));
            assert.include(vtt, "00:00:20.000 --> 00:00:22.000\nin a later chunk\n");
            assert.deepStrictEqual(chunks, ["0", "audio", "1", "2", "3"]);
            assert.deepStrictEqual(last, ["0"]);
            assert.closeTo(ready.duration, 33, 0.05);
            assert.strictEqual(ready.thumbnail_urls.length, 5);
            assert.isDefined(ready.storyboard_url);
            assert.isDefined(ready.poster_url);
            assert.isTrue(report.hasAudioGroup);
            assert.deepStrictEqual(percents, [...percents].sort((a, b) => a - b));
            assert.closeTo(percents.at(-1) ?? 0, 94, 0.1);
        }));
        const sources = [
            ["r23", "testsrc2=s=96x64:r=24000/1001:d=21"],
            ["r59", "testsrc2=s=96x64:r=60000/1001:d=19"],
            ["slow", "testsrc2=s=96x64:r=5:d=21"],
            [
                "uneven",
                "testsrc2=s=96x64:r=30:d=24 -vf select='not(mod(n,2))+not(mod(n,3))-between(t,14.2,19.1)' -fps_mode vfr",
                "mkv",
            ],
            [
                "open",
                "testsrc2=s=96x64:r=25:d=22 -x264-params open-gop=1:keyint=170:bframes=5:b-pyramid=strict -preset veryfast",
            ],
            ["late", "testsrc2=s=96x64:r=25:d=21 -output_ts_offset 3.21"],
        ];
        it.effect("has the same frames and timestamps as a single encode, at constant and variable frame rates", () => Effect.gen(function* () {
            for (const [name, args, extension] of sources) {
                const coding = [
                    "-c:v",
                    "libx264",
                    "-pix_fmt",
                    "yuv420p",
                    ...(name === "open" ? [] : ["-preset", "ultrafast", "-bf", "2"]),
                ];
                const { parts, whole } = yield* both(name, ["-f", "lavfi", "-i", ...args.split(" "), ...coding], extension);
                const [a, b] = [yield* joined(whole, "64p"), yield* joined(parts, "64p")];
                assert.deepStrictEqual(b.names, a.names, name);
                assert.deepStrictEqual(yield* timesOf(b.file), yield* timesOf(a.file), name);
            }
        }), 300_000);
        it.effect("keeps audio and video within 20 ms over three minutes, and makes the same images as a single encode", () => Effect.gen(function* () {
            const fs = yield* FileSystem.FileSystem;
            const path = yield* Path.Path;
            const { chunked, parts, ready, whole } = yield* both("flashes", [
                "-f",
                "lavfi",
                "-i",
                "color=black:s=160x90:r=25:d=180,drawbox=color=white:t=fill:enable='lt(mod(t+2.5,5),0.2)'",
                "-f",
                "lavfi",
                "-i",
                "aevalsrc='if(lt(mod(t+2.5,5),0.2),sin(2000*PI*t),0)':d=180",
                ...h264,
                ..."-g 250 -c:a aac".split(" "),
            ]);
            assert.strictEqual(chunked.ready.duration, ready.duration);
            assert.deepStrictEqual((yield* check(parts)).faults, []);
            const video = yield* joined(parts, "90p");
            const audio = yield* joined(parts, "audio");
            assert.strictEqual((yield* timesOf(video.file)).decoded.length, 4500);
            assert.deepStrictEqual(yield* timesOf(video.file), yield* timesOf((yield* joined(whole, "90p")).file));
            const bright = yield* ffmpegOutput([
                "-i",
                video.file,
                ..."-vf scale=1:1,format=gray -f rawvideo -".split(" "),
            ]);
            const loud = yield* ffmpegOutput(["-i", audio.file, ..."-ac 1 -ar 8000 -f s16le -".split(" ")]);
            const samples = new Int16Array(loud.buffer, loud.byteOffset, loud.byteLength >> 1);
            const flashes = onsets(bright, 25, 128);
            const beeps = onsets(samples.map(Math.abs), 8000, 3000);
            assert.strictEqual(flashes.length, 36);
            assert.strictEqual(beeps.length, 36);
            for (const [index, at] of flashes.entries())
                assert.closeTo(beeps[index] ?? 0, at, 0.02);
            for (const name of ["storyboard.vtt", "thumbnails/03.jpg", "storyboard/000.jpg", "poster.jpg"]) {
                const [a, b] = yield* Effect.forEach([whole, parts], (from) => fs.readFile(path.join(from, name)));
                assert.isBelow(Math.abs((a?.byteLength ?? 0) - (b?.byteLength ?? 0)), 800, name);
            }
        }), 300_000);
        it.effect("encodes a chunk once for repeated messages, and not at all after a newer upload is published", () => Effect.gen(function* () {
            const storage = yield* ObjectStorage;
            const media = yield* UploadPipeline;
            const { event } = yield* sourceOf("once", [...testVideo({ size: "96x64", rate: "25", seconds: 14 }), ...h264]);
            const begun = yield* media.processUpload(event, { fencingToken: 1 });
            if (begun._tag !== "Chunked")
                return yield* Effect.die(new Error(begun._tag));
            const encodeChunk = (chunk, fencingToken) => media.encodeChunk({
                mediaId: "once",
                version: begun.version,
                chunk,
                fencingToken,
                onProgress: () => Effect.void,
                publishPlayable: () => Effect.void,
            });
            const staged = Effect.map(Stream.runCollect(storage.list("media", `media/once/${begun.version}/chunks/`)), (found) => new Set(found.map(({ key }) => key.split("/")[4])));
            yield* encodeChunk("0", 1);
            yield* encodeChunk("0", 2);
            assert.deepStrictEqual([...(yield* staged)], ["0-1"]);
            // Meanwhile, a newer upload of the same media is published.
            const short = yield* sourceOf("once", [...testVideo({ size: "96x64", rate: "25", seconds: 1 }), ...h264]);
            assert.strictEqual((yield* media.processUpload(short.event, { fencingToken: 1 }))._tag, "Ready");
            assert.deepStrictEqual(yield* encodeChunk("1", 3), { _tag: "Stopped" });
            assert.strictEqual((yield* media.concatChunks({ mediaId: "once", version: begun.version }))._tag, "Superseded");
            assert.deepStrictEqual([...(yield* staged)], []);
        }));
        it.effect("fails with source_changed if the upload was replaced during the encode", () => Effect.gen(function* () {
            const media = yield* UploadPipeline;
            const { event } = yield* sourceOf("swapped", [
                ...testVideo({ size: "96x64", rate: "25", seconds: 14 }),
                ...h264,
            ]);
            const begun = yield* media.processUpload(event, { fencingToken: 1 });
            if (begun._tag !== "Chunked")
                return yield* Effect.die(new Error(begun._tag));
            yield* storeUpload("uploads/swapped.mp4", new TextEncoder().encode("another"));
            const quiet = { onProgress: () => Effect.void, publishPlayable: () => Effect.void };
            const fault = yield* Effect.flip(media.encodeChunk({ mediaId: "swapped", version: begun.version, chunk: "1", fencingToken: 1, ...quiet }));
            assert.deepInclude(fault, { _tag: "PermanentError", code: "source_changed" });
        }));
    });
});
