/**
 * What phones, cameras, tools and strangers upload: each becomes a stream that passes the checker, or fails with a code
 * of the catalogue. Small and short, for what counts is the shape.
 */
import { describe, layer } from "@effect/vitest";
import { h264, testVideo, tone } from "../support/Clips.ts";
import { isFfmpegMissing, pipeline } from "../support/Pipeline.ts";
import { verify } from "../support/InputCase.ts";
const words = (text) => text.split(" ");
const small = testVideo({ size: "128x72", rate: "25", seconds: 2 });
const av = [...small, ...tone(2), ...h264, ..."-c:a aac".split(" ")];
const one = (args) => () => [args];
const sources = {
    "AVI with MPEG-4 and MP2": {
        file: "a.avi",
        steps: one([...small, ...tone(2), ...words("-c:v mpeg4 -c:a mp2")]),
        expected: "128x72",
        tracks: 1,
    },
    FLV: {
        file: "a.flv",
        steps: one([...small, ...tone(2), ...words("-c:v flv1 -c:a mp3 -ar 44100")]),
        expected: "128x72",
        tracks: 1,
    },
    WMV: {
        file: "a.wmv",
        steps: one([...small, ...tone(2), ...words("-c:v wmv2 -c:a wmav2")]),
        expected: "128x72",
        tracks: 1,
    },
    "MPEG transport stream": {
        file: "a.ts",
        steps: one([...small, ...tone(2), ...words("-c:v mpeg2video -c:a mp2")]),
        expected: "128x72",
        tracks: 1,
    },
    "MPEG program stream": {
        file: "a.mpg",
        steps: one([...small, ...tone(2), ...words("-c:v mpeg2video -c:a mp2")]),
        expected: "128x72",
        tracks: 1,
    },
    MXF: {
        file: "a.mxf",
        steps: one([...small, ...tone(2), ...words("-c:v mpeg2video -c:a pcm_s16le -ar 48000")]),
        expected: "128x72",
        tracks: 1,
    },
    "ProRes in MOV with a time code": {
        file: "a.mov",
        steps: one([...small, ...tone(2), ...words("-c:v prores -c:a pcm_s16le -timecode 01:00:00:00")]),
        expected: "128x72",
        tracks: 1,
    },
    "animated GIF": { file: "a.gif", steps: one(small), expected: "128x72" },
    "fragmented MP4": {
        file: "a.mp4",
        steps: one([...av, ...words("-movflags +frag_keyframe+empty_moov")]),
        expected: "128x72",
        tracks: 1,
    },
    "10-bit 4:4:4": {
        file: "a.mp4",
        steps: one([...small, ...words("-c:v libx264 -preset ultrafast -pix_fmt yuv444p10le")]),
        expected: "128x72",
    },
    RGB: { file: "a.mkv", steps: one([...small, ...words("-c:v ffv1 -pix_fmt gbrp")]), expected: "128x72" },
    "full range": { file: "a.avi", steps: one([...small, ...words("-c:v mjpeg -pix_fmt yuvj422p")]), expected: "128x72" },
    gray: { file: "a.avi", steps: one([...small, ...words("-c:v rawvideo -pix_fmt gray")]), expected: "128x72" },
    transparency: { file: "a.mov", steps: one([...small, ...words("-c:v qtrle -pix_fmt argb")]), expected: "128x72" },
    "0.2 s": { file: "a.mkv", steps: one([...av, "-t", "0.2"]), expected: "128x72", tracks: 1 },
    "one frame a second": {
        file: "a.mp4",
        steps: one([...testVideo({ size: "64x64", rate: "1", seconds: 9 }), ...h264]),
        expected: "64x64",
        seconds: 9,
    },
    "distant key frames": {
        file: "a.mp4",
        steps: one([
            ...testVideo({ size: "128x72", rate: "25", seconds: 9 }),
            ...h264,
            ...words("-g 9999 -keyint_min 9999"),
        ]),
        expected: "128x72",
        seconds: 9,
    },
    "very wide": {
        file: "a.mp4",
        steps: one([...testVideo({ size: "1000x16", seconds: 1 }), ...h264]),
        expected: "1000x16",
    },
    "very tall": {
        file: "a.mp4",
        steps: one([...testVideo({ size: "16x1000", seconds: 1 }), ...h264]),
        expected: "16x1000",
    },
    "2×2 pixels": {
        file: "a.mp4",
        steps: one([...testVideo({ size: "2x2", seconds: 1 }), ...h264]),
        expected: "too_small",
    },
    "late video": {
        file: "a.mkv",
        steps: (file) => [
            [...av, file("a.mp4")],
            ["-itsoffset", "0.7", "-i", file("a.mp4"), "-i", file("a.mp4"), ...words("-map 0:v -map 1:a -c copy")],
        ],
        expected: "128x72",
        tracks: 1,
    },
    "late audio": {
        file: "a.ts",
        steps: (file) => [
            [...av, file("a.mp4")],
            ["-itsoffset", "0.7", "-i", file("a.mp4"), "-i", file("a.mp4"), ...words("-map 1:v -map 0:a -c copy")],
        ],
        expected: "128x72",
        tracks: 1,
    },
    "negative timestamps": {
        file: "a.mkv",
        steps: (file) => [
            [...av, file("a.mp4")],
            ["-i", file("a.mp4"), ...words("-c copy -output_ts_offset -5")],
        ],
        expected: "128x72",
        tracks: 1,
    },
    "a timestamp wrap-around": {
        file: "a.ts",
        steps: (file) => [
            [...av, file("a.mp4")],
            ["-i", file("a.mp4"), ...words("-c copy -output_ts_offset 95443")],
        ],
        expected: "128x72",
        tracks: 1,
    },
    "audio longer than video": {
        file: "a.mkv",
        steps: one([...small, ...tone(5), ...h264]),
        expected: "128x72",
        tracks: 1,
    },
    "no duration, as in browser recordings": {
        file: "a.webm",
        steps: one([
            ...small,
            ...tone(2),
            ...words("-c:v libvpx -deadline realtime -cpu-used 8 -c:a libopus -f webm -live 1"),
        ]),
        expected: "128x72",
        tracks: 1,
    },
    "changing frame size": {
        file: "a.ts",
        steps: (file) => [
            [...small, ...h264, file("1.ts")],
            [
                ...testVideo({ size: "320x240", rate: "25", seconds: 2 }),
                ...h264,
                ...words("-output_ts_offset 2"),
                file("2.ts"),
            ],
        ],
        from: ["1.ts", "2.ts"],
        expected: "128x72",
    },
    "changing channel layout": {
        file: "a.ts",
        steps: (file) => [
            [...av, ...words("-ac 2"), file("1.ts")],
            [...av, ...words("-ac 1 -output_ts_offset 2"), file("2.ts")],
        ],
        from: ["1.ts", "2.ts"],
        expected: "128x72",
        tracks: 1,
        seconds: 4,
    },
    "subtitle, attachment and data tracks": {
        file: "a.mkv",
        steps: (file) => [
            [...av, file("a.mp4")],
            [
                "-i",
                file("a.mp4"),
                ...words("-f lavfi -i anullsrc=d=1 -c copy -c:a:1 aac -map 0 -attach"),
                file("a.mp4"),
                "-metadata:s:t",
                "mimetype=application/octet-stream",
            ],
        ],
        expected: "128x72",
        tracks: 1,
    },
    "malicious file name and tags": {
        file: `a '&?"; rm -rf é%00 $(x).mp4`,
        steps: one([...av, "-metadata", 'title="><script>alert(1)</script>', "-metadata:s:a:0", 'title=",URI="x"']),
        expected: "128x72",
        tracks: 1,
    },
    "garbage after the end": {
        file: "a.mp4",
        steps: (file) => [[...av, file("1.mp4")]],
        from: ["1.mp4"],
        bytes: (read) => Buffer.concat([read("1.mp4"), Buffer.alloc(9999, 0xa5)]),
        expected: "128x72",
        tracks: 1,
    },
    "flipped bits": {
        file: "a.mp4",
        steps: (file) => [[...av, file("1.mp4")]],
        bytes: (read) => rotten(read("1.mp4")),
        expected: "128x72",
        tracks: 1,
    },
    zeros: { file: "a.mp4", bytes: () => new Uint8Array(50_000), expected: "unsupported_format" },
    noise: {
        file: "a.mp4",
        bytes: () => Buffer.from(Array.from({ length: 50_000 }, (_, at) => (at * 7919 * (at % 251)) % 256)),
        expected: "unsupported_format",
    },
    photo: {
        file: "a.jpg",
        steps: one([...words("-f lavfi -i testsrc2=s=640x360"), ...words("-frames:v 1")]),
        expected: "640x360",
        seconds: 4,
    },
    "PNG with transparency": {
        file: "a.png",
        steps: one([...words("-f lavfi -i testsrc2=s=640x360"), ...words("-frames:v 1 -pix_fmt rgba")]),
        expected: "640x360",
    },
    WebP: {
        file: "a.webp",
        steps: one([...words("-f lavfi -i testsrc2=s=640x360"), ...words("-frames:v 1")]),
        expected: "640x360",
    },
    WAV: { file: "a.wav", steps: one(tone(3)), expected: "0x0", seconds: 3 },
    FLAC: { file: "a.flac", steps: one(tone(3)), expected: "0x0", seconds: 3 },
    M4A: { file: "a.m4a", steps: one(tone(3)), expected: "0x0", seconds: 3 },
    Opus: { file: "a.opus", steps: one(tone(3)), expected: "0x0", seconds: 3 },
    "raw AAC": { file: "a.aac", steps: one(tone(3)), expected: "0x0" },
    "three channels without a layout": {
        file: "a.wav",
        steps: one([...words("-f lavfi -i aevalsrc=sin(440*t)|sin(440*t)|0:d=2"), ...words("-c:a pcm_s16le")]),
        expected: "0x0",
    },
    "sixteen channels": {
        file: "a.wav",
        steps: one([
            ...words(`-f lavfi -i aevalsrc=${Array.from({ length: 16 }, () => "sin(440*t)").join("|")}:d=2`),
            ...words("-c:a pcm_s16le"),
        ]),
        expected: "0x0",
    },
    "192 kHz": {
        file: "a.wav",
        steps: one([...words("-f lavfi -i sine=440:d=2:r=192000 -c:a pcm_s24le")]),
        expected: "0x0",
    },
    "ten milliseconds of audio": { file: "a.wav", steps: one(tone(0.01)), expected: "0x0" },
};
/** Changes a few bytes in the middle of the samples. */
const rotten = (bytes) => {
    const copy = Buffer.from(bytes);
    const from = copy.indexOf("mdat") + 400;
    for (let at = 0; at < 40; at++)
        copy[from + ((at * 6007) % (copy.byteLength - from - 4000))] = (at * 37) % 256;
    return copy;
};
describe.skipIf(isFfmpegMissing)("Matrix", () => {
    layer(pipeline(), { excludeTestServices: true })((it) => {
        it.effect.each(Object.entries(sources).map(([name, source]) => ({ name, source })))("$name", ({ name, source }) => verify(name, source));
    });
});
