/**
 * Reads the segments of a rendition with ffmpeg and ffprobe, independently of the code under test. A process starts in
 * about 0.1 s of a core, so one process reads many segments.
 */
import { Effect, FileSystem, Path, Schema } from "effect";
import { run } from "./RunFfmpeg.ts";
/** Segments that one ffmpeg decodes: each opens a decoder. */
const maxInputs = 24;
const decode = (files) => run("ffmpeg", [
    "-v",
    "error",
    ...files.flatMap(({ file, inputArgs = [] }) => ["-threads", "1", ...inputArgs, "-i", file]),
    ...files.flatMap((_, index) => ["-map", String(index), "-f", "null", "-"]),
]);
/** One message of ffmpeg for each segment that does not decode by itself behind the initialisation segment. */
export const decodeFaults = Effect.fnUntraced(function* (folder, init, segments) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const files = yield* Effect.forEach(segments, ({ bytes, inputArgs, uri }, index) => {
        const file = path.join(folder, `checked-${index}.mp4`);
        return Effect.as(fs.writeFile(file, Buffer.concat([init, bytes])), { file, inputArgs, uri });
    });
    const faults = [];
    for (let at = 0; at < files.length; at += maxInputs) {
        const batch = files.slice(at, at + maxInputs);
        const { code, stderr } = yield* decode(batch);
        if (code === 0 && stderr === "")
            continue;
        const before = faults.length;
        for (const { uri, ...input } of batch) {
            const alone = yield* decode([input]);
            if (alone.code !== 0 || alone.stderr !== "")
                faults.push(`${uri} does not decode: ${alone.stderr.trim()}`);
        }
        if (faults.length === before)
            faults.push(`segments do not decode in one run: ${stderr.trim()}`);
    }
    for (const { file } of files)
        yield* fs.remove(file);
    return faults;
}, Effect.scoped);
const Probed = Schema.fromJsonString(Schema.Struct({
    packets: Schema.Array(Schema.Struct({ pts_time: Schema.String, flags: Schema.String, pos: Schema.String })),
    streams: Schema.Array(Schema.Struct({ width: Schema.optional(Schema.Number), height: Schema.optional(Schema.Number) })),
}));
/** The packets of each segment, by their place in the file, and the size of the picture. */
export const readPackets = Effect.fnUntraced(function* (folder, init, segments) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const file = path.join(folder, "checked.mp4");
    yield* fs.writeFile(file, Buffer.concat([init, ...segments.map(({ bytes }) => bytes)]));
    const entries = "packet=pts_time,flags,pos:stream=width,height";
    const { stdout } = yield* run("ffprobe", ["-v", "error", "-show_entries", entries, "-of", "json", file]);
    yield* fs.remove(file);
    const { packets, streams } = yield* Schema.decodeUnknownEffect(Probed)(stdout);
    let end = init.byteLength;
    const ends = segments.map(({ bytes }) => (end += bytes.byteLength));
    const bySegment = segments.map(() => []);
    for (const { flags, pos, pts_time } of packets) {
        bySegment[ends.findIndex((one) => Number(pos) < one)]?.push({ time: Number(pts_time), key: flags.includes("K") });
    }
    return { packets: bySegment, width: streams[0]?.width, height: streams[0]?.height };
});
