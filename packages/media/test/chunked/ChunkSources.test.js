import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import { assert, describe, layer } from "@effect/vitest";
import { Effect, FileSystem, Layer, Path } from "effect";
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts";
import { fetchAll, isFfmpegMissing, options, pipeline, prefixOf, storeUpload, uploaded } from "../support/Pipeline.ts";
import { run } from "../support/RunFfmpeg.ts";
const words = (text) => text.split(" ");
const small = testVideo({ size: "64x48", rate: "25", seconds: 18 });
const aac = words("-c:a aac");
/** Encoded in one run. */
const notChunked = "audio much longer than video";
const sources = {
    "audio that starts late": (file) => [
        [...small, ...tone(9), ...h264, ...aac, file("b.mkv")],
        [
            "-i",
            file("b.mkv"),
            ...words("-itsoffset 7.3 -i"),
            file("b.mkv"),
            ...words("-map 0:v -map 1:a -c copy"),
            file("a.mkv"),
        ],
    ],
    "audio that ends early": (file) => [[...small, ...tone(5), ...h264, ...aac, file("a.mp4")]],
    "a short second audio track": (file) => [
        [...small, ...tone(18), ...tone(3), ...words("-map 0 -map 1 -map 2"), ...h264, ...aac, file("a.mkv")],
    ],
    "an edit list that skips the start, rotated": (file) => [
        [...small, ...tone(18), ...h264, ...words("-bf 2 -g 250"), ...aac, file("b.mov")],
        [...words("-ss 2.5 -i"), file("b.mov"), ...words("-c copy -metadata:s:v:0 rotate=90"), file("a.mov")],
    ],
    "fragments that start after ten hours": (file) => [
        [
            ...small,
            ...tone(18),
            ...h264,
            ...aac,
            ...words("-output_ts_offset 36000 -movflags +frag_keyframe+empty_moov"),
            file("a.mp4"),
        ],
    ],
    "audio longer than video": (file) => [
        [...testVideo({ size: "64x48", rate: "25", seconds: 12 }), ...tone(13.4), ...h264, ...aac, file("a.mp4")],
    ],
    // The last frame would be held over several windows.
    [notChunked]: (file) => [
        [...testVideo({ size: "64x48", rate: "25", seconds: 11 }), ...tone(18), ...h264, ...aac, file("a.mp4")],
    ],
    "interlaced and anamorphic": (file) => [
        [
            ...testVideo({ size: "144x96", rate: "50", seconds: 18 }),
            ...words("-vf interlace,setsar=3/2 -c:v libx264 -preset ultrafast -flags +ildct+ilme -x264-params tff=1 -pix_fmt yuv420p"),
            file("a.mp4"),
        ],
    ],
};
const publish = Effect.fnUntraced(function* (event, to) {
    const media = yield* UploadPipeline;
    const begun = yield* media.processUpload(event, { fencingToken: 1 });
    const outcome = begun._tag !== "Chunked"
        ? begun
        : yield* Effect.gen(function* () {
            const { version } = begun;
            const mediaId = event.payload.media_id;
            const quiet = { onProgress: () => Effect.void, publishPlayable: () => Effect.void };
            for (const chunk of begun.chunks)
                yield* media.encodeChunk({ mediaId, version, chunk, fencingToken: 1, ...quiet });
            return yield* media.concatChunks({ mediaId, version });
        });
    if (outcome._tag !== "Ready")
        return yield* Effect.die(new Error(outcome._tag));
    yield* fetchAll(prefixOf(outcome.ready), to);
    const folders = [...outcome.ready.resolutions, "audio", "audio-2"];
    return { isChunked: begun._tag === "Chunked", seconds: outcome.ready.duration, folders };
});
/** The timestamps of all packets of a playlist. */
const timesOf = Effect.fnUntraced(function* (playlist) {
    const fs = yield* FileSystem.FileSystem;
    if (!(yield* fs.exists(playlist)))
        return undefined;
    const { stdout } = yield* run("ffprobe", [
        ...words("-v error -show_entries packet=pts_time,flags -of csv=p=0"),
        playlist,
    ]);
    return stdout.split("\n").sort();
});
describe.skipIf(isFfmpegMissing)("Chunked sources", () => {
    layer(pipeline({ chunks: { minDuration: 10, chunkSeconds: 4 } }), {
        excludeTestServices: true,
        timeout: "60 seconds",
    })((it) => {
        it.effect.each(Object.entries(sources).map(([name, steps]) => ({ name, steps })))("$name", ({ name, steps }) => Effect.gen(function* () {
            const fs = yield* FileSystem.FileSystem;
            const path = yield* Path.Path;
            const folder = yield* fs.makeTempDirectoryScoped();
            const commands = steps((local) => path.join(folder, local));
            for (const args of commands)
                yield* ffmpeg(args);
            const file = commands.at(-1)?.at(-1) ?? "";
            const id = name.replaceAll(/[^a-z]/g, "-");
            const filePath = yield* storeUpload(`uploads/${id}`, file);
            const [chunks, whole] = [path.join(folder, "chunks"), path.join(folder, "whole")];
            const chunked = yield* publish(uploaded(`${id}-c`, filePath), chunks);
            const singlePipeline = Layer.fresh(UploadPipeline.layer({ ...options, passthrough: false }));
            const single = yield* Effect.provide(publish(uploaded(`${id}-w`, filePath), whole), singlePipeline);
            assert.deepStrictEqual(chunked, { ...single, isChunked: name !== notChunked });
            assert.isFalse(single.isChunked);
            if (!chunked.isChunked)
                return;
            for (const one of chunked.folders) {
                const [a, b] = [
                    yield* timesOf(path.join(whole, one, "stream.m3u8")),
                    yield* timesOf(path.join(chunks, one, "stream.m3u8")),
                ];
                assert.deepStrictEqual(b, a, one);
            }
        }));
    });
});
