/** Rare formats, truncated files and malicious files. */
import { gzipSync } from "node:zlib";
import { describe, layer } from "@effect/vitest";
import { h264, testVideo, tone } from "../support/Clips.ts";
import { isFfmpegMissing, pipeline } from "../support/Pipeline.ts";
import { verify } from "../support/InputCase.ts";
const words = (text) => text.split(" ");
const small = testVideo({ size: "64x48", rate: "25", seconds: 2 });
const av = [...small, ...tone(2), ...h264, ..."-c:a aac".split(" ")];
const one = (args) => () => [args];
const quiet = words("-v fatal");
const text = (content) => () => new TextEncoder().encode(content);
/** The first per mille of a file. */
const cut = (file, share) => (read) => {
    const bytes = read(file);
    return bytes.subarray(0, Math.floor((bytes.byteLength * share) / 1000));
};
const box = (type, body = new Uint8Array()) => {
    const bytes = Buffer.alloc(8 + body.byteLength);
    bytes.writeUInt32BE(bytes.byteLength);
    bytes.write(type, 4, "latin1");
    bytes.set(body, 8);
    return bytes;
};
/** Replaces the display matrix of an MP4. */
const shown = (file, [a, b, c, d]) => (read) => {
    const mp4 = Buffer.from(read(file));
    const matrix = mp4.indexOf("tkhd") + 4 + 40;
    for (const [index, value] of [a, b, 0, c, d].entries())
        mp4.writeInt32BE(Math.round(value * 65536), matrix + index * 4);
    return mp4;
};
/** A PNG whose header states a size, with hardly any data. */
const claimed = (side) => () => {
    const png = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
    png.writeUInt32BE(side, 16);
    png.writeUInt32BE(side, 20);
    return png;
};
const sources = {
    "a single frame with three seconds of audio": {
        file: "a.mp4",
        steps: one([...testVideo({ size: "64x48", rate: "25", seconds: 0.04 }), ...tone(3), ...h264, ...words("-c:a aac")]),
        expected: "64x48",
    },
    "subtitles in MP4": {
        file: "a.mp4",
        steps: (file) => [
            ["-f", "lavfi", "-i", "color=s=64x48:d=2", ...h264, file("v.mp4")],
            ["-i", file("v.mp4"), file("a.mp4")],
        ],
        expected: "64x48",
    },
    SRT: { file: "a.srt", bytes: text("1\n00:00:00,000 --> 00:00:02,000\nDemat\n"), expected: "unsupported_format" },
    "eight audio tracks": {
        file: "a.mkv",
        steps: one([
            ...small,
            ...Array.from({ length: 8 }, () => tone(2)).flat(),
            ...Array.from({ length: 9 }, (_, at) => ["-map", String(at)]).flat(),
            ...h264,
            ...words("-c:a aac"),
            ...["bre", "fra", "eng", "deu", "jpn", "ara", "und", "qaa"].flatMap((code, at) => [
                `-metadata:s:a:${at}`,
                `language=${code}`,
            ]),
        ]),
        expected: "64x48",
        tracks: 8,
    },
    "edit list that starts in the middle": {
        file: "a.mp4",
        steps: (file) => [
            [
                ...testVideo({ size: "64x48", rate: "25", seconds: 6 }),
                ...tone(6),
                ...h264,
                ...words("-bf 2 -g 250 -c:a aac"),
                file("b.mp4"),
            ],
            [...words("-ss 2.5 -i"), file("b.mp4"), ...words("-c copy")],
        ],
        expected: "64x48",
        tracks: 1,
    },
    "transport stream with a timestamp jump": {
        file: "a.ts",
        steps: (file) => [
            [...av, ...words("-f mpegts"), file("b.ts")],
            [...av, ...words("-output_ts_offset 5000 -f mpegts"), file("c.ts")],
        ],
        from: ["b.ts", "c.ts"],
        expected: "64x48",
    },
    "transport stream with decreasing timestamps": {
        file: "a.ts",
        steps: (file) => [
            [...av, ...words("-output_ts_offset 5000 -f mpegts"), file("b.ts")],
            [...av, ...words("-f mpegts"), file("c.ts")],
        ],
        from: ["b.ts", "c.ts"],
        expected: "64x48",
    },
    "transport stream that changes its size": {
        file: "a.ts",
        steps: (file) => [
            [...av, ...words("-f mpegts"), file("b.ts")],
            [
                ...testVideo({ size: "96x64", rate: "25", seconds: 2 }),
                ...tone(2),
                ...h264,
                ...words("-c:a aac -output_ts_offset 2 -f mpegts"),
                file("c.ts"),
            ],
        ],
        from: ["b.ts", "c.ts"],
        expected: "64x48",
    },
    "truncated transport stream": {
        file: "a.ts",
        steps: (file) => [[...av, ...words("-f mpegts"), file("b.ts")]],
        bytes: cut("b.ts", 611),
        expected: "64x48",
    },
    "WebM with transparency": {
        file: "a.webm",
        steps: one([...small, ...words("-c:v libvpx -pix_fmt yuva420p -auto-alt-ref 0")]),
        expected: "64x48",
    },
    "VP9 and Opus": {
        file: "a.webm",
        steps: one([...small, ...tone(2), ...words("-c:v libvpx-vp9 -deadline realtime -c:a libopus")]),
        expected: "64x48",
        tracks: 1,
    },
    "10-bit HEVC": {
        file: "a.mp4",
        steps: one([
            ...small,
            ...words("-c:v libx265 -preset ultrafast -x265-params log-level=none -pix_fmt yuv420p10le -tag:v hvc1"),
        ]),
        expected: "64x48",
    },
    AV1: {
        file: "a.mp4",
        steps: one([...small, ...quiet, ...words("-c:v libaom-av1 -cpu-used 8 -usage realtime")]),
        expected: "64x48",
    },
    Theora: {
        file: "a.ogv",
        steps: one([...small, ...tone(2), ...words("-c:v libtheora -c:a libvorbis")]),
        expected: "64x48",
        tracks: 1,
    },
    DV: {
        file: "a.dv",
        steps: one([
            ...testVideo({ size: "720x576", rate: "25", seconds: 1 }),
            ...words("-c:v dvvideo -pix_fmt yuv420p -aspect 16:9"),
        ]),
        expected: "1024x576,852x480,640x360",
    },
    "3GP with H.263": {
        file: "a.3gp",
        steps: one([...testVideo({ size: "176x144", rate: "15", seconds: 2 }), ...words("-c:v h263")]),
        expected: "176x144",
    },
    "1×1 pixels": {
        file: "a.gif",
        steps: one([...small, ...words("-vf format=rgb24,scale=1:1")]),
        expected: "too_small",
    },
    "one pixel high": {
        file: "a.mkv",
        steps: one([...small, ...words("-vf format=rgb24,scale=200:1 -c:v ffv1")]),
        expected: "too_small",
    },
    "GIF with one frame": {
        file: "a.gif",
        steps: one([...testVideo({ size: "64x48", seconds: 1 }), ...words("-frames:v 1")]),
        expected: "64x48",
    },
    "animated PNG": { file: "a.png", steps: one([...small, ...words("-plays 0 -f apng")]), expected: "64x48" },
    "animated WebP": {
        file: "a.webp",
        steps: one([...small, ...words("-c:v libwebp_anim")]),
        expected: "unsupported_format",
    },
    "truncated JPEG": {
        file: "a.jpg",
        steps: (file) => [
            [...testVideo({ size: "320x240", seconds: 1 }), ...words("-frames:v 1 -update 1"), file("b.jpg")],
        ],
        bytes: cut("b.jpg", 500),
        expected: "320x240",
    },
    "PNG that states a huge size": { file: "a.png", bytes: claimed(60_000), expected: "corrupt_media" },
    "PNG that states a larger size than its data": { file: "a.png", bytes: claimed(2_000), expected: "corrupt_media" },
    TIFF: {
        file: "a.tiff",
        steps: one([...testVideo({ size: "64x48", seconds: 1 }), ...words("-frames:v 1 -update 1")]),
        expected: "unsupported_format",
    },
    "cover on FLAC": {
        file: "a.flac",
        steps: (file) => [
            [...testVideo({ size: "64x48", seconds: 1 }), ...words("-frames:v 1 -update 1"), file("c.jpg")],
            [...tone(2), "-i", file("c.jpg"), ...words("-map 0 -map 1 -c:v copy -disposition:v attached_pic")],
        ],
        expected: "0x0",
        seconds: 2,
    },
    "cover in Ogg": {
        file: "a.ogg",
        steps: (file) => [
            [...tone(2), ...words("-c:a libvorbis -metadata METADATA_BLOCK_PICTURE=AAAAAwAAAAlpbWFnZS9wbmc"), file("a.ogg")],
        ],
        bytes: (read) => read("a.ogg"),
        expected: "0x0",
    },
    ALAC: { file: "a.m4a", steps: one([...tone(2), ...words("-c:a alac")]), expected: "0x0", seconds: 2 },
    "MP3 with data before the first frame": {
        file: "a.mp3",
        steps: (file) => [[...tone(2), file("b.mp3")]],
        bytes: (read) => Buffer.concat([Buffer.alloc(4000), read("b.mp3"), Buffer.alloc(500, 0xff)]),
        expected: "0x0",
    },
    "WAV that states four gigabytes": {
        file: "a.wav",
        steps: (file) => [[...tone(2), file("b.wav")]],
        bytes: (read) => {
            const wav = Buffer.from(read("b.wav"));
            wav.writeUInt32LE(0xffff_ff00, wav.indexOf("data") + 4);
            return wav;
        },
        expected: "0x0",
    },
    "WAV with 8 bits at 8 kHz": {
        file: "a.wav",
        steps: one([...tone(2), ...words("-c:a pcm_u8 -ar 8000")]),
        expected: "0x0",
        seconds: 2,
    },
    "WAV without samples": {
        file: "a.wav",
        steps: one([...quiet, ...tone(2), ...words("-t 0")]),
        expected: "corrupt_media",
    },
    "video track without frames": {
        file: "a.mp4",
        steps: one([...quiet, ...small, ...tone(2), ...h264, ...words("-c:a aac -frames:v 0")]),
        expected: "no_media",
    },
    "rotated and anamorphic": {
        file: "a.mp4",
        steps: (file) => [[...small, ...words("-vf setsar=3/2"), ...h264, file("b.mp4")]],
        bytes: shown("b.mp4", [0, 1, -1, 0]),
        expected: "48x96",
    },
    mirrored: {
        file: "a.mp4",
        steps: (file) => [[...small, ...h264, file("b.mp4")]],
        bytes: shown("b.mp4", [-1, 0, 0, 1]),
        expected: "64x48",
    },
    "rotated by 45 degrees": {
        file: "a.mp4",
        steps: (file) => [[...small, ...h264, file("b.mp4")]],
        bytes: shown("b.mp4", [Math.SQRT1_2, Math.SQRT1_2, -Math.SQRT1_2, Math.SQRT1_2]),
        expected: "64x48",
    },
    "two frames half a minute apart": {
        file: "a.mkv",
        steps: one([
            ...testVideo({ size: "64x48", rate: "1", seconds: 2 }),
            ...words("-vf setpts=N*30/TB -fps_mode passthrough"),
            ...h264,
        ]),
        expected: "64x48",
    },
    "a thousand frames a second": {
        file: "a.mkv",
        steps: one([...testVideo({ size: "64x48", rate: "1000", seconds: 1 }), ...h264]),
        expected: "64x48",
    },
    "truncated fragmented MP4": {
        file: "a.mp4",
        steps: (file) => [[...av, ...words("-g 10 -movflags +frag_keyframe+empty_moov"), file("b.mp4")]],
        bytes: cut("b.mp4", 700),
        expected: "64x48",
    },
    "truncated Matroska": {
        file: "a.mkv",
        steps: (file) => [[...av, file("b.mkv")]],
        bytes: cut("b.mkv", 600),
        expected: "corrupt_media",
    },
    "AVI without its index": {
        file: "a.avi",
        steps: (file) => [[...small, ...words("-c:v mpeg4"), file("b.avi")]],
        bytes: cut("b.avi", 900),
        expected: "64x48",
    },
    "MP4 whose samples are zeros": {
        file: "a.mp4",
        steps: (file) => [[...av, file("b.mp4")]],
        bytes: (read) => {
            const mp4 = Buffer.from(read("b.mp4"));
            const from = mp4.indexOf("mdat") + 4;
            return mp4.fill(0, from, mp4.indexOf("moov") - 4);
        },
        expected: "corrupt_media",
    },
    "deeply nested boxes": {
        file: "a.mp4",
        bytes: () => {
            let inner = box("free");
            for (let depth = 0; depth < 2000; depth++)
                inner = box(depth % 2 === 0 ? "moov" : "trak", inner);
            return Buffer.concat([box("ftyp", Buffer.from("isom\0\0\0\0isom")), inner]);
        },
        expected: "unsupported_format",
    },
    "data reference to another file": {
        file: "a.mov",
        steps: (file) => [[...small, ...h264, file("b.mov")]],
        bytes: (read) => {
            const mov = Buffer.from(read("b.mov"));
            const at = mov.indexOf("url ", mov.indexOf("dref"));
            // The flag means that the samples are in this file.
            mov.writeUInt32BE(0, at + 4);
            return mov;
        },
        expected: "64x48",
    },
    SVG: {
        file: "a.svg",
        bytes: text('<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><image href="file:///etc/passwd"/></svg>'),
        expected: "unsupported_format",
    },
    "SVG named .mp4": {
        file: "a.mp4",
        bytes: text('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'),
        expected: "unsupported_format",
    },
    "compressed zeros": {
        file: "a.mp4",
        bytes: () => gzipSync(Buffer.alloc(20_000_000)),
        expected: "unsupported_format",
    },
    PDF: { file: "a.mp4", bytes: text("%PDF-1.7\n1 0 obj\n<<>>\nendobj\n"), expected: "unsupported_format" },
    HTML: {
        file: "a.mp4",
        bytes: text("<!doctype html><script>alert(1)</script>".repeat(50)),
        expected: "unsupported_format",
    },
    "SDP that names a host": {
        file: "a.mp4",
        bytes: text("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"),
        expected: "unsupported_format",
    },
    "file name with quotes and special characters": {
        file: `a "b' & c?%d#;$(id) -i.mp4`,
        steps: one(av),
        expected: "64x48",
        tracks: 1,
    },
};
describe.skipIf(isFfmpegMissing)("Odd files", () => {
    layer(pipeline(), { excludeTestServices: true })((it) => {
        it.effect.each(Object.entries(sources).map(([name, source]) => ({ name, source })))("$name", ({ name, source }) => verify(name, source));
    });
});
