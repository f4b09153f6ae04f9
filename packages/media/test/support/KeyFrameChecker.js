/** I-frame playlists: every byte range, behind the initialisation segment, decodes to one picture that is a key frame. */
import { Effect, FileSystem, Path } from "effect";
import * as HLS from "hls-parser";
import { decrypted } from "./Decryption.ts";
import { run } from "./RunFfmpeg.ts";
/** Decoded one by one: the first, the last and one between; the boxes of all are looked at. */
export const checkKeyFrames = Effect.fnUntraced(function* (folder, uri, keys = []) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const faults = [];
    const text = yield* fs.readFileString(path.join(folder, uri));
    const media = HLS.parse(text);
    if (!(media instanceof HLS.types.MediaPlaylist) || media.isIFrame !== true) {
        return [`${uri} is no I-frame playlist`];
    }
    const base = path.join(folder, path.dirname(uri));
    const init = yield* fs.readFile(path.join(base, media.segments[0]?.map?.uri ?? ""));
    const decoded = new Set([0, Math.floor(media.segments.length / 2), media.segments.length - 1]);
    for (const [index, entry] of media.segments.entries()) {
        const { byterange, uri: segment } = entry;
        const { bytes: whole, inputArgs = [] } = decrypted(entry, yield* fs.readFile(path.join(base, segment)), keys);
        if (byterange === undefined || byterange.offset + byterange.length > whole.byteLength) {
            faults.push(`${uri} has no byte range inside ${segment}`);
            continue;
        }
        const part = whole.subarray(byterange.offset, byterange.offset + byterange.length);
        if (Buffer.from(part).toString("latin1", 4, 8) !== "moof")
            faults.push(`${uri} ${segment} does not begin with moof`);
        if (!decoded.has(index))
            continue;
        const file = path.join(base, "keyframe.mp4");
        yield* fs.writeFile(file, Buffer.concat([init, part]));
        const entries = "frame=key_frame,pict_type";
        const { stdout } = yield* run("ffprobe", [
            "-v",
            "quiet",
            "-show_entries",
            entries,
            "-of",
            "csv=p=0",
            ...inputArgs,
            file,
        ]);
        yield* fs.remove(file);
        const pictures = stdout.trim().split(/\s+/);
        if (pictures.length !== 1 || pictures[0]?.startsWith("1,I") !== true) {
            faults.push(`${uri} ${segment} gives the pictures ${pictures.join(" ")}`);
        }
    }
    return faults;
});
