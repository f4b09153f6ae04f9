/**
 * The quality for a viewer, on every ffmpeg of this machine: colours, audio and video in sync, and matching storyboard
 * tiles.
 */
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import { assert, describe, layer } from "@effect/vitest";
import { Effect, FileSystem, Layer, Path } from "effect";
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts";
import { ffmpegBuilds } from "../support/FfmpegBuilds.ts";
import { fetchAll, isFfmpegMissing, pipeline, prefixOf, storeUpload, uploaded } from "../support/Pipeline.ts";
import { ffmpegOutput, run } from "../support/RunFfmpeg.ts";
import { check } from "../support/StreamChecker.ts";
import { cuesOf } from "../support/StoryboardChecker.ts";
const words = (text) => text.split(" ");
const send = Effect.fnUntraced(function* (name, upload) {
    const path = yield* Path.Path;
    const { processUpload } = yield* UploadPipeline;
    const outcome = yield* processUpload(uploaded(name, yield* storeUpload(`uploads/${name}`, upload)), {
        fencingToken: 1,
    });
    if (outcome._tag !== "Ready")
        return yield* Effect.die(new Error("superseded"));
    const stream = path.join(path.dirname(upload), "stream");
    yield* fetchAll(prefixOf(outcome.ready), stream);
    const report = yield* check(stream);
    assert.deepStrictEqual(report.faults, []);
    return { ready: outcome.ready, report, stream };
});
/** A rendition as one file. */
const joined = Effect.fnUntraced(function* (stream, folder) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const names = (yield* fs.readDirectory(path.join(stream, folder))).filter((name) => name.endsWith(".m4s")).sort();
    const parts = yield* Effect.forEach(["init.mp4", ...names], (name) => fs.readFile(path.join(stream, folder, name)));
    const file = path.join(stream, `${folder}.mp4`);
    yield* fs.writeFile(file, Buffer.concat(parts));
    return file;
});
const temporary = Effect.fnUntraced(function* (name) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    return path.join(yield* fs.makeTempDirectoryScoped(), name);
});
const options = { mp4: "all", loudness: -16 };
describe.skipIf(isFfmpegMissing).each(ffmpegBuilds)("Output quality with the ffmpeg %s", (_, programs) => {
    const withProgram = pipeline(options, undefined, Layer.fresh(programs));
    layer(withProgram, { excludeTestServices: true })((it) => {
        // Each as RGB; a wrong matrix moves some of them by 20 to 60.
        const card = [
            [200, 30, 30],
            [30, 180, 30],
            [40, 40, 200],
            [200, 180, 30],
            [128, 128, 128],
            [250, 250, 250],
        ];
        const hex = (colour) => colour.map((one) => one.toString(16).padStart(2, "0")).join("");
        const bars = card.map((colour, at) => `drawbox=x=${at * 32}:y=0:w=32:h=144:t=fill:c=0x${hex(colour)}`).join(",");
        const coded = (matrix, range = "tv") => `${bars},scale=out_color_matrix=${matrix}:out_range=${range}`;
        const tags = (matrix) => words(`-colorspace ${matrix}`);
        const cards = {
            "BT.601, tagged": [coded("bt601"), [...words("-pix_fmt yuv420p"), ...tags("smpte170m")]],
            "BT.601, untagged": [coded("bt601"), words("-pix_fmt yuv420p")],
            "BT.709, tagged": [coded("bt709"), [...words("-pix_fmt yuv420p"), ...tags("bt709")]],
            // ffmpeg 7 ignores the matrix of a `scale` to `yuvj420p`.
            "full range": [`${coded("bt709", "pc")},format=yuv420p`, [...words("-pix_fmt yuvj420p"), ...tags("bt709")]],
            "ten bits of BT.2020": [coded("bt2020"), [...words("-pix_fmt yuv420p10le"), ...tags("bt2020nc")]],
        };
        it.effect.each(Object.entries(cards).map(([name, [filter, options]]) => ({ name, filter, options })))("the output has the colours of $name", ({ filter, name, options }) => Effect.gen(function* () {
            const upload = yield* temporary("card.mp4");
            const source = words("-f lavfi -i color=gray:s=192x144:r=5:d=1,format=rgb24");
            yield* ffmpeg([
                ...source,
                "-vf",
                filter,
                ...words("-c:v libx264 -preset ultrafast -crf 5"),
                ...options,
                upload,
            ]);
            const { ready, stream } = yield* send(`card-${name.replaceAll(/\W/g, "-")}`, upload);
            const file = yield* joined(stream, "144p");
            const { stdout } = yield* run("ffprobe", [
                ...words("-v error -show_entries stream=color_range,color_space,color_transfer,color_primaries -of csv=p=0"),
                file,
            ]);
            assert.strictEqual(stdout.trim(), "tv,bt709,bt709,bt709");
            const decode = (input, matrix) => ffmpegOutput([
                "-i",
                input,
                "-vf",
                `scale=in_color_matrix=${matrix}`,
                ...words("-frames:v 1 -f rawvideo -pix_fmt rgb24 -"),
            ]);
            const near = (pixels) => card.map((colour, at) => {
                const place = (72 * 192 + at * 32 + 16) * 3;
                return Math.max(...colour.map((one, channel) => Math.abs(one - (pixels[place + channel] ?? 0))));
            });
            for (const off of near(yield* decode(file, "bt709")))
                assert.isAtMost(off, 8);
            assert.strictEqual(ready.resolutions[0], "144p");
            for (const off of near(yield* decode(`${stream}/poster.jpg`, "bt601")))
                assert.isAtMost(off, 12);
        }).pipe(Effect.scoped));
        // A flash and a beep of 0.1 s at each even second.
        const flash = [
            "-f",
            "lavfi",
            "-i",
            "color=black:s=128x72:r=50:d=7,drawbox=c=white:t=fill:enable='lt(mod(t,2),0.1)'",
        ];
        const beep = ["-f", "lavfi", "-i", "aevalsrc=lt(mod(t\\,2)\\,0.1)*sin(2*PI*1000*t):s=48000:d=7"];
        // regression: ffmpeg 7 moves the last samples of the loudness filter by up to 0.1 s
        const clips = {
            MP4: (file) => [[...flash, ...beep, ...h264, ...words("-c:a aac"), file("a.mp4")]],
            "44.1 kHz MP3 in Matroska": (file) => [
                [...flash, ...beep, ...h264, ...words("-c:a mp3 -ar 44100"), file("a.mkv")],
            ],
            "a transport stream": (file) => [[...flash, ...beep, ...h264, ...words("-c:a mp2"), file("a.ts")]],
            "a video that starts late": (file) => [
                [...flash, ...beep, "-vf", "trim=start=1", ...h264, ...words("-c:a aac"), file("a.mkv")],
            ],
            "a variable frame rate": (file) => [
                [
                    ...flash,
                    ...beep,
                    "-vf",
                    "select='not(mod(n\\,3))+lt(mod(t\\,2)\\,0.3)'",
                    ...words("-fps_mode vfr"),
                    ...h264,
                    ...words("-c:a aac"),
                    file("a.mp4"),
                ],
            ],
        };
        it.effect.each(Object.keys(clips))("audio and video are in sync within 20 ms: %s", (name) => Effect.gen(function* () {
            const path = yield* Path.Path;
            const folder = path.dirname(yield* temporary("x"));
            const steps = clips[name]?.((file) => path.join(folder, file)) ?? [];
            for (const args of steps)
                yield* ffmpeg(args);
            const { ready, report, stream } = yield* send(`sync-${name.replaceAll(/\W/g, "-")}`, steps.at(-1)?.at(-1) ?? "");
            const rate = report.variants[0]?.frameRate ?? 0;
            const gray = yield* ffmpegOutput([
                "-i",
                yield* joined(stream, ready.resolutions[0] ?? ""),
                ...words("-vf scale=1:1 -f rawvideo -pix_fmt gray -"),
            ]);
            const audio = yield* ffmpegOutput([
                "-i",
                yield* joined(stream, "audio"),
                ...words("-f f32le -ac 1 -ar 48000 -"),
            ]);
            const samples = new Float32Array(audio.buffer.slice(audio.byteOffset, audio.byteOffset + audio.byteLength));
            for (const second of [2, 4, 6]) {
                const flashAt = gray.findIndex((one, at) => at / rate > second - 0.5 && one > 128) / rate;
                const beepAt = samples.findIndex((one, at) => at / 48_000 > second - 0.5 && Math.abs(one) > 0.05) / 48_000;
                assert.closeTo(beepAt, second, 0.05);
                // The time of the flash is only exact to half a frame.
                const maxOffset = Math.max(0.02, 0.51 / rate);
                assert.isAtMost(Math.abs(beepAt - flashAt), maxOffset, `at ${second} s: beep ${beepAt}, flash ${flashAt}`);
            }
        }).pipe(Effect.scoped));
        // regression: a transport stream lost audio that begins after the part that ffprobe reads
        it.effect.each([
            ["late.mkv", []],
            ["late.ts", words("-muxrate 4M")],
        ])("audio that begins late is in sync: %s", ([name, muxing]) => Effect.gen(function* () {
            const path = yield* Path.Path;
            const { processUpload } = yield* UploadPipeline;
            const upload = yield* temporary(name);
            yield* ffmpeg([
                ...words("-f lavfi -i color=black:s=64x36:r=10:d=30,drawbox=c=white:t=fill:enable='gte(t,25)'"),
                ...words("-itsoffset 20 -f lavfi -i aevalsrc=gte(t\\,5)*sin(2*PI*1000*t):s=48000:d=10"),
                ...h264,
                ...words("-g 50 -c:a aac"),
                ...muxing,
                upload,
            ]);
            const outcome = yield* processUpload(uploaded("late", yield* storeUpload(`uploads/${name}`, upload)), {
                fencingToken: 1,
            });
            if (outcome._tag !== "Ready")
                return yield* Effect.die(new Error("superseded"));
            const stream = path.join(path.dirname(upload), "stream");
            yield* fetchAll(prefixOf(outcome.ready), stream);
            assert.deepStrictEqual((yield* check(stream)).faults, []);
            assert.closeTo(outcome.ready.duration, 30, 0.35);
            const gray = yield* ffmpegOutput([
                "-i",
                yield* joined(stream, outcome.ready.resolutions[0] ?? ""),
                ...words("-vf scale=1:1 -f rawvideo -pix_fmt gray -"),
            ]);
            assert.closeTo(gray.findIndex((one) => one > 128) / 10, 25, 0.05);
            const audio = yield* ffmpegOutput(["-i", yield* joined(stream, "audio"), ...words("-f f32le -ac 1 -ar 8000 -")]);
            const samples = new Float32Array(audio.buffer.slice(audio.byteOffset, audio.byteOffset + audio.byteLength));
            assert.closeTo(samples.findIndex((one) => Math.abs(one) > 0.05) / 8_000, 25, 0.03);
        }).pipe(Effect.scoped));
        it.effect("each storyboard cue shows the frame of its time", () => Effect.gen(function* () {
            const upload = yield* temporary("slides.mp4");
            // A shade of gray for each second.
            const slides = words("-f lavfi -i color=black:s=320x180:r=25:d=13,format=gray,geq=lum=floor(T)*18+16");
            yield* ffmpeg([...slides, ...h264, upload]);
            const { ready, stream } = yield* send("slides", upload);
            assert.match(ready.storyboard_url ?? "", /storyboard\.vtt$/);
            const cues = yield* cuesOf(stream);
            assert.strictEqual(cues.length, 13);
            for (const { from, height, sprite, width, x, y } of cues) {
                const crop = `crop=${width}:${height}:${x}:${y},scale=1:1`;
                const [shade = 0] = yield* ffmpegOutput([
                    "-i",
                    `${stream}/${sprite}`,
                    "-vf",
                    crop,
                    ...words("-f rawvideo -pix_fmt gray -"),
                ]);
                const expected = Math.floor(from) * 18 + 16;
                assert.closeTo(shade, expected, 8, `the cue at ${from} s`);
            }
        }).pipe(Effect.scoped));
        it.effect("rotates photos by their EXIF orientation", () => Effect.gen(function* () {
            const fs = yield* FileSystem.FileSystem;
            const upload = yield* temporary("photo.jpg");
            yield* ffmpeg([
                ...words("-f lavfi -i color=white:s=320x160,drawbox=x=0:y=0:w=160:h=160:c=black:t=fill -frames:v 1"),
                upload,
            ]);
            const plain = yield* fs.readFile(upload);
            // One entry: Orientation, 6: turn a quarter to the right.
            const exif = Buffer.from("45786966000049492a0008000000010012010300010000000600000000000000", "hex");
            const head = Buffer.from([0xff, 0xd8, 0xff, 0xe1, 0, exif.byteLength + 2]);
            yield* fs.writeFile(upload, Buffer.concat([head, exif, plain.subarray(2)]));
            const { ready, report, stream } = yield* send("photo", upload);
            assert.deepStrictEqual([report.variants[0]?.width, report.variants[0]?.height], [160, 320]);
            assert.include(JSON.stringify(ready.metadata), "images/160p.jpg");
            const pixels = yield* ffmpegOutput(["-i", `${stream}/images/160p.jpg`, ...words("-f rawvideo -pix_fmt gray -")]);
            // The left side of the coded image is on top.
            assert.isBelow(pixels[80 * 160 + 80] ?? 255, 40);
            assert.isAbove(pixels[240 * 160 + 80] ?? 0, 200);
        }).pipe(Effect.scoped));
    });
});
describe.skipIf(isFfmpegMissing)("Output quality", () => {
    layer(pipeline(options), { excludeTestServices: true })((it) => {
        it.effect("every audio track has its language and a name", () => Effect.gen(function* () {
            const upload = yield* temporary("tracks.mkv");
            yield* ffmpeg([
                ...testVideo({ size: "128x72", seconds: 2 }),
                ...tone(2),
                ...tone(2),
                ...tone(2),
                ...words("-map 0 -map 1 -map 2 -map 3"),
                ...h264,
                ...words("-c:a aac -metadata:s:a:0 language=fre -metadata:s:a:1 language=bre -disposition:a:0 0 -disposition:a:1 default"),
                "-metadata:s:a:2",
                'title=Say "hi"',
                upload,
            ]);
            const { report } = yield* send("tracks", upload);
            assert.deepStrictEqual(report.tracks.map(({ language, name }) => [language, name]), [
                ["br", "Breton"],
                ["fr", "French"],
                [undefined, "Say ”hi”"],
            ]);
        }).pipe(Effect.scoped));
        it.effect("a segment that does not decode is found among the others", () => Effect.gen(function* () {
            const fs = yield* FileSystem.FileSystem;
            const path = yield* Path.Path;
            const upload = yield* temporary("spoiled.mp4");
            yield* ffmpeg([...testVideo({ size: "128x72", rate: "10", seconds: 8 }), ...h264, upload]);
            const { stream } = yield* send("spoiled", upload);
            const segment = path.join(stream, "72p/00001.m4s");
            const bytes = Buffer.from(yield* fs.readFile(segment));
            const picture = bytes.indexOf("mdat", 0, "latin1") + 4;
            yield* fs.writeFile(segment, bytes.fill(255, picture, picture + 100));
            const { faults } = yield* check(stream);
            assert.match(faults.join("\n"), /72p\S* 00001.m4s does not decode/);
            assert.notInclude(faults.join("\n"), "00000.m4s does not decode");
        }).pipe(Effect.scoped));
        it.effect("makes an MP4 of each rendition with the requested loudness", () => Effect.gen(function* () {
            const path = yield* Path.Path;
            const upload = yield* temporary("quiet.mp4");
            const quiet = words("-f lavfi -i sine=440:d=10,volume=0.05");
            yield* ffmpeg([
                ...testVideo({ size: "854x480", rate: "10", seconds: 10 }),
                ...quiet,
                ...h264,
                "-c:a",
                "aac",
                upload,
            ]);
            const { ready, stream } = yield* send("quiet", upload);
            assert.deepStrictEqual(Object.keys(ready.playback_urls.mp4), ["480p", "360p"]);
            const file = path.join(stream, "mp4/480p.mp4");
            const { stdout } = yield* run("ffprobe", [
                ...words("-v error -show_entries format=duration:stream=codec_name -of csv=p=0"),
                file,
            ]);
            assert.match(stdout, /^h264\naac\n(9\.9|10\.[01])/);
            const decoded = yield* run("ffmpeg", ["-v", "error", "-i", file, "-f", "null", "-"]);
            assert.strictEqual(decoded.stderr, "");
            const { stderr } = yield* run("ffmpeg", ["-hide_banner", "-i", file, ...words("-af ebur128 -f null -")]);
            assert.closeTo(Number(/I:\s+(-?[\d.]+) LUFS\s+Threshold/.exec(stderr)?.[1]), -16, 2);
        }).pipe(Effect.scoped));
    });
});
