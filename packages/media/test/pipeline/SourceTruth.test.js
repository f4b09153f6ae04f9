/** A stream is as long as its source, and a file that cannot be shown rightly is refused with its reason. */
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import { assert, describe, layer } from "@effect/vitest";
import { Effect, FileSystem, Path } from "effect";
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts";
import { withCaptions } from "../support/CaptionUnits.ts";
import { verify } from "../support/InputCase.ts";
import { appendToEntry, renameBox, withMatrix } from "../support/Mp4Edits.ts";
import { fetchAll, isFfmpegMissing, pipeline, prefixOf, storeUpload, uploaded } from "../support/Pipeline.ts";
import { ffmpegOutput, run } from "../support/RunFfmpeg.ts";
import { concatTrack } from "../support/Tracks.ts";
const words = (text) => text.split(" ");
const video = (seconds, rate = "25") => testVideo({ size: "64x48", rate, seconds });
const one = (args) => () => [args];
const aac = words("-c:a aac");
const clip = [...video(2), ...tone(2), ...h264, ...aac];
/** Makes `b.mp4`, which `bytes` changes. */
const clipFile = (file) => [[...clip, file("b.mp4")]];
/** A Dolby Vision configuration: profile 5 without a base layer that other decoders can show. */
const dolbyVision = (compatibility) => {
    const box = Buffer.alloc(32);
    box.writeUInt32BE(32);
    box.write("dvcC", 4, "latin1");
    box[8] = 1;
    box[10] = (5 << 1) | 0;
    box[11] = (1 << 3) | 0b101;
    box[12] = compatibility << 4;
    return box;
};
/** Sets the composition offset of the first samples of an M4A without an edit list, as tools of about 2006 wrote it. */
const withCompositionOffset = (file, offset) => {
    const mp4 = Buffer.from(renameBox(file, "edts", "free"));
    const samples = mp4.readUInt32BE(mp4.indexOf("stsz", 0, "latin1") + 12);
    const ctts = Buffer.alloc(24);
    ctts.writeUInt32BE(24);
    ctts.write("ctts", 4, "latin1");
    ctts.writeUInt32BE(1, 12);
    ctts.writeUInt32BE(samples, 16);
    ctts.writeUInt32BE(offset, 20);
    const end = mp4.indexOf("stsz", 0, "latin1") - 4;
    for (const parent of ["stbl", "minf", "mdia", "trak", "moov"]) {
        const at = mp4.lastIndexOf(parent, end, "latin1") - 4;
        mp4.writeUInt32BE(mp4.readUInt32BE(at) + ctts.byteLength, at);
    }
    return Buffer.concat([mp4.subarray(0, end), ctts, mp4.subarray(end)]);
};
const sources = {
    // regression: the stream ended after the length of the first part
    "joined transport streams": {
        file: "a.ts",
        steps: (file) => [[...video(3), ...tone(3), ...h264, ...aac, file("p.ts")]],
        from: ["p.ts", "p.ts", "p.ts", "p.ts"],
        expected: "64x48",
        seconds: 12,
    },
    // regression: audio longer than the video was cut, or playback stopped before its end
    "audio much longer than the video": {
        file: "a.mp4",
        steps: one([...video(2), ...tone(7), ...h264, ...aac]),
        expected: "64x48",
        seconds: 7,
    },
    "a still frame with audio": {
        file: "a.mp4",
        steps: one([...video(0.04), ...tone(9), ...h264, ...aac]),
        expected: "64x48",
        seconds: 9,
    },
    "audio shorter than the video": {
        file: "a.mkv",
        steps: one([...video(6), ...tone(1.5), ...h264, ...aac]),
        expected: "64x48",
        seconds: 6,
    },
    "two audio tracks of different lengths": {
        file: "a.mkv",
        steps: one([...video(3), ...tone(1), ...tone(5), ...words("-map 0 -map 1 -map 2"), ...h264, ...aac]),
        expected: "64x48",
        tracks: 2,
        seconds: 5,
    },
    // regression: the copy had a decode time before zero, written as a huge number
    "an M4A with a composition offset": {
        file: "a.m4a",
        steps: (file) => [[...tone(5), ...words("-c:a aac -b:a 96k -ac 2"), file("b.m4a")]],
        bytes: (read) => withCompositionOffset(read("b.m4a"), 1024),
        expected: "0x0",
        seconds: 5,
    },
    "a Matroska file that states half of its length": {
        file: "a.mkv",
        steps: (file) => [[...video(4), ...tone(4), ...h264, ...aac, file("b.mkv")]],
        bytes: (read) => {
            const mkv = Buffer.from(read("b.mkv"));
            // The duration element: its id, a size of eight bytes, and a float.
            const at = mkv.indexOf(Buffer.from("448988", "hex"));
            mkv.writeDoubleBE(mkv.readDoubleBE(at + 3) / 2, at + 3);
            return mkv;
        },
        expected: "64x48",
        seconds: 4,
    },
    // regression: attachments counted as tracks
    "66 attached fonts": {
        file: "a.mkv",
        steps: (file) => [
            [...tone(0.1), ...words("-f wav"), file("font.ttf")],
            [
                ...clip,
                ...Array.from({ length: 66 }, (_, at) => [
                    "-attach",
                    file("font.ttf"),
                    `-metadata:s:t:${at}`,
                    "mimetype=font/ttf",
                ]).flat(),
            ],
        ],
        expected: "64x48",
        tracks: 1,
    },
    // regression: the frame was squeezed into the turned size
    "a rotation of 45 degrees": {
        file: "a.mp4",
        steps: clipFile,
        bytes: (read) => withMatrix(read("b.mp4"), [Math.SQRT1_2, -Math.SQRT1_2, Math.SQRT1_2, Math.SQRT1_2]),
        expected: "64x48",
    },
    // regression: some encrypted files became a grey picture
    "encrypted samples": {
        file: "a.mp4",
        steps: one([
            ...clip,
            ...words("-encryption_scheme cenc-aes-ctr -encryption_key 76a6c65c5ea762046bd749a2e632ccbb"),
            ...words("-encryption_kid a7e61c373e219033c21091fa607bf3b8"),
        ]),
        expected: "encrypted",
    },
    "an encrypted sample entry": {
        file: "a.mp4",
        steps: clipFile,
        bytes: (read) => renameBox(read("b.mp4"), "mp4a", "drms"),
        expected: "encrypted",
    },
    // regression: the colours were wrong
    "Dolby Vision without a base layer": {
        file: "a.mp4",
        steps: clipFile,
        bytes: (read) => appendToEntry(read("b.mp4"), "avc1", dolbyVision(0)),
        expected: "unsupported_hdr",
    },
    "Dolby Vision over SDR": {
        file: "a.mp4",
        steps: clipFile,
        bytes: (read) => appendToEntry(read("b.mp4"), "avc1", dolbyVision(2)),
        expected: "64x48",
    },
    "a video codec without a decoder": {
        file: "a.mp4",
        steps: clipFile,
        bytes: (read) => renameBox(renameBox(read("b.mp4"), "avc1", "zzzz"), "avcC", "zzzC"),
        expected: "unsupported_codec",
    },
    "an audio codec without a decoder": {
        file: "a.mp4",
        steps: clipFile,
        bytes: (read) => renameBox(renameBox(read("b.mp4"), "mp4a", "mhm1"), "esds", "free"),
        expected: "unsupported_codec",
    },
};
describe.skipIf(isFfmpegMissing)("Source truth", () => {
    layer(pipeline(), { excludeTestServices: true })((it) => {
        it.effect.each(Object.entries(sources).map(([name, source]) => ({ name, source })))("$name", ({ name, source }) => verify(name, source));
        /** The frame rate and the mean values of all frames, as YUV. */
        const framesOf = Effect.fnUntraced(function* (name, args) {
            const fs = yield* FileSystem.FileSystem;
            const path = yield* Path.Path;
            const folder = yield* fs.makeTempDirectoryScoped();
            const file = path.join(folder, name);
            yield* ffmpeg([...args, file]);
            const { processUpload } = yield* UploadPipeline;
            const event = uploaded(name.replace(".", "-"), yield* storeUpload(`uploads/${name}`, file));
            const outcome = yield* processUpload(event, { fencingToken: 1 });
            if (outcome._tag !== "Ready")
                return yield* Effect.die(new Error("superseded"));
            const stream = path.join(folder, "stream");
            yield* fetchAll(prefixOf(outcome.ready), stream);
            const bytes = yield* ffmpegOutput([
                "-i",
                yield* concatTrack(stream, outcome.ready.resolutions[0] ?? ""),
                ...words("-fps_mode passthrough -vf scale=1:1:flags=area,format=yuv444p -f rawvideo -"),
            ]);
            const master = yield* fs.readFileString(path.join(stream, "master.m3u8"));
            const rate = Number(/FRAME-RATE=([0-9.]+)/.exec(master)?.[1]);
            const frames = Array.from({ length: bytes.byteLength / 3 }, (_, at) => [...bytes.subarray(at * 3, at * 3 + 3)]);
            return { frames, master, rate };
        });
        // regression: only the average rate counted, so bursts lost most of their frames
        for (const [name, select, expected] of [
            ["bursts", "between(mod(t\\,2)\\,0\\,0.4)", 60],
            ["pauses", "not(mod(n\\,2))*not(between(mod(t\\,2)\\,1\\,1.7))", 30],
        ]) {
            it.effect(`a variable frame rate has the rate of its moving parts: ${name}`, () => Effect.gen(function* () {
                const { rate } = yield* framesOf(`${name}.mp4`, [
                    ...video(6, "60"),
                    ...words(`-vf select=${select} -fps_mode vfr -enc_time_base 1/60000`),
                    ...h264,
                ]);
                assert.closeTo(rate, expected, 0.01);
            }).pipe(Effect.scoped));
        }
        it.effect("the colours of BT.2020 primaries are converted", () => Effect.gen(function* () {
            // regression: the primaries were ignored, so that colours were pale
            const [wide, plain] = yield* Effect.all([
                framesOf("wide.mp4", [
                    ...words("-f lavfi -i color=0xC02020:s=64x48:r=25:d=1,scale=out_color_matrix=bt709:out_range=limited,format=yuv420p"),
                    "-vf",
                    "setparams=range=limited:color_primaries=bt709:color_trc=bt709:colorspace=bt709," +
                        "colorspace=all=bt2020:format=yuv420p10",
                    ...words("-c:v libx264 -preset ultrafast -crf 5"),
                    ...words("-color_primaries bt2020 -color_trc bt2020-10 -colorspace bt2020nc -color_range tv"),
                ]),
                framesOf("plain.mp4", [
                    ...words("-f lavfi -i color=0xC02020:s=64x48:r=25:d=1,scale=out_color_matrix=bt709:out_range=limited,format=yuv420p"),
                    ...words("-c:v libx264 -preset ultrafast -crf 5"),
                    ...words("-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv"),
                ]),
            ]);
            for (const [plane, value] of (wide.frames[5] ?? []).entries()) {
                assert.closeTo(value, plain.frames[5]?.[plane] ?? 0, 4, `plane ${plane}`);
            }
        }).pipe(Effect.scoped));
        // White paper has 203 nits (ITU-R BT.2408): 58 % of the PQ signal and 75 % of the HLG signal.
        for (const [transfer, luma] of [
            ["smpte2084", 573],
            ["arib-std-b67", 721],
        ]) {
            it.effect(`white paper in HDR (${transfer}) is almost white`, () => Effect.gen(function* () {
                const { frames } = yield* framesOf(`white-${transfer}.mp4`, [
                    ...words(`-f lavfi -i color=s=64x48:r=25:d=1,format=yuv420p10le,geq=lum=${luma}:cb=512:cr=512`),
                    ...words("-c:v libx264 -preset ultrafast -crf 5 -pix_fmt yuv420p10le"),
                    ...words(`-color_trc ${transfer} -color_primaries bt2020 -colorspace bt2020nc -color_range tv`),
                ]);
                const [y = 0, u = 0, v = 0] = frames[5] ?? [];
                // Limited range.
                assert.closeTo(((y - 16) * 255) / 219, 240, 6);
                assert.closeTo(u, 128, 2);
                assert.closeTo(v, 128, 2);
            }).pipe(Effect.scoped));
        }
        const captionsOf = Effect.fnUntraced(function* (file) {
            const { stdout } = yield* run("ffprobe", [
                ...words("-v error -select_streams v -show_entries frame=pts:frame_side_data=side_data_type -of csv=p=0"),
                file,
            ]);
            return stdout.split("Closed Captions").length - 1;
        });
        for (const [name, coding, profile] of [
            ["encoded", h264, "avc1.64"],
            [
                "copied",
                words("-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50 -keyint_min 50 -sc_threshold 0 -b:v 50k " +
                    "-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv"),
                "avc1.42",
            ],
        ]) {
            it.effect(`captions inside the video are removed when it is ${name}`, () => Effect.gen(function* () {
                const fs = yield* FileSystem.FileSystem;
                const path = yield* Path.Path;
                const folder = yield* fs.makeTempDirectoryScoped();
                const [plain, captioned, source] = ["a.h264", "b.h264", "c.mp4"].map((file) => path.join(folder, file));
                if (plain === undefined || captioned === undefined || source === undefined)
                    return;
                yield* ffmpeg([...video(2), ...coding, plain]);
                yield* fs.writeFile(captioned, withCaptions(yield* fs.readFile(plain)));
                yield* ffmpeg([...words("-r 25 -i"), captioned, ...words("-c copy"), source]);
                assert.strictEqual(yield* captionsOf(source), 50);
                const { processUpload } = yield* UploadPipeline;
                const event = uploaded(`captions-${name}`, yield* storeUpload(`uploads/captions-${name}.mp4`, source));
                const outcome = yield* processUpload(event, { fencingToken: 1 });
                if (outcome._tag !== "Ready")
                    return yield* Effect.die(new Error("superseded"));
                const stream = path.join(folder, "stream");
                yield* fetchAll(prefixOf(outcome.ready), stream);
                assert.strictEqual(yield* captionsOf(yield* concatTrack(stream, outcome.ready.resolutions[0] ?? "")), 0);
                const [variant = ""] = (yield* fs.readFileString(path.join(stream, "master.m3u8")))
                    .split("\n")
                    .filter((line) => line.startsWith("#EXT-X-STREAM-INF") && line.includes("RESOLUTION"));
                assert.include(variant, profile);
                assert.include(variant, "CLOSED-CAPTIONS=NONE");
            }).pipe(Effect.scoped));
        }
    });
});
