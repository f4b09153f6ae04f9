/** MP4 files for download, one for each rendition: ffmpeg remuxes its segments with those of the first audio track. */
import { audioFolder } from "../encode/EncodingPlan.ts";
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg";
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir";
import { TransientError } from "@armoricore/domain/Errors";
import { Duration, Effect, FileSystem, Path, Stream } from "effect";
import * as DiskQuota from "../encode/DiskQuota.ts";
/** The bytes of the segments, and the most additional bytes that remuxing needs. */
export const requiredBytes = (uploaded, renditions) => {
    const of = (name) => (uploaded.find(({ folder }) => folder === name)?.segments ?? []).reduce((sum, { bytes }) => sum + bytes, 0);
    const audioBytes = of(audioFolder(0));
    const videoBytes = renditions.map(of);
    const segments = videoBytes.reduce((sum, bytes) => sum + bytes, audioBytes);
    // The joined video is removed once its file is complete. Every file contains the audio.
    return { segments, scratchBytes: Math.max(0, ...videoBytes) + audioBytes * Math.max(1, renditions.length) };
};
/** Returns the local files by rendition. Removes the segments, which must be in their folders. */
export const make = Effect.fn("Mp4Files.make")(function* (request) {
    const { minFreeDisk, from, renditions, uploadedTracks } = request;
    yield* DiskQuota.ensureFree(from, requiredBytes(uploadedTracks, renditions).scratchBytes, minFreeDisk, "the remux of files for download");
    return yield* DiskQuota.withMinFree(from, minFreeDisk)(remux(request));
});
const remux = Effect.fnUntraced(function* (request) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const out = path.join(request.from, "mp4");
    yield* mapDiskErrors(fs.makeDirectory(out, { recursive: true }));
    /** Joins the segments of a track into one file and removes each joined segment, so that the disk does not hold it twice. */
    const concatSegments = Effect.fnUntraced(function* (folder) {
        const track = request.uploadedTracks.find((uploaded) => uploaded.folder === folder);
        if (track === undefined || track.segments.length === 0)
            return undefined;
        const file = path.join(request.from, folder, "joined.mp4");
        for (const name of [track.init, ...track.segments.map((segment) => segment.name)]) {
            const piece = path.join(request.from, folder, name);
            yield* mapDiskErrors(Stream.run(fs.stream(piece), fs.sink(file, { flag: "a" })));
            yield* mapDiskErrors(fs.remove(piece));
        }
        return file;
    });
    const audioFile = yield* concatSegments(audioFolder(0));
    const files = {};
    for (const name of request.renditions.length === 0 ? [audioFolder(0)] : request.renditions) {
        const videoFile = request.renditions.length === 0 ? undefined : yield* concatSegments(name);
        const inputs = [videoFile, audioFile].filter((file) => file !== undefined);
        const file = path.join(out, `${name}.mp4`);
        const result = yield* Ffmpeg.run({
            args: [
                ..."-hide_banner -nostdin -loglevel error -y".split(" "),
                ...inputs.flatMap((input) => ["-i", `file:${input}`]),
                ...inputs.flatMap((_, index) => ["-map", `${index}:0`]),
                ..."-c copy -map_metadata -1 -movflags +faststart".split(" "),
                `file:${file}`,
            ],
            cwd: out,
            onProgress: () => Effect.void,
            stallTimeout: Duration.minutes(5),
            timeout: request.timeout,
        });
        if (result.code !== 0) {
            return yield* new TransientError({
                dependency: "ffmpeg",
                code: "failed",
                message: `ffmpeg could not remux the segments of ${name}: ${result.stderr.trim()}`,
            });
        }
        if (videoFile !== undefined)
            yield* mapDiskErrors(fs.remove(videoFile));
        files[name] = file;
    }
    return files;
});
