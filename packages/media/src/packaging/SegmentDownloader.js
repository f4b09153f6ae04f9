/** Downloads stored segments to the work folder, for the MP4 files that are made from them. */
import { audioFolder } from "../encode/EncodingPlan.ts";
import { TransientError } from "@armoricore/domain/Errors";
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Effect, FileSystem, Path, Stream } from "effect";
import * as Mp4Files from "./Mp4Files.ts";
import * as DiskQuota from "../encode/DiskQuota.ts";
import { initName } from "./SegmentUploader.ts";
export const downloadObject = Effect.fnUntraced(function* (bucket, key, file) {
    const fs = yield* FileSystem.FileSystem;
    const storage = yield* ObjectStorage;
    const { body } = yield* Effect.catchTag(storage.get({ bucket, key }), "NotFound", () => Effect.fail(new TransientError({ dependency: "storage", code: "object_missing", message: `${key} is gone` })));
    yield* mapDiskErrors(Stream.run(body, fs.sink(file)));
});
/** Downloads the renditions and the first audio track, with the names that they have in storage. The disk must also have room for the MP4 files. */
export const download = Effect.fn("SegmentDownloader.download")(function* (request) {
    const fs = yield* FileSystem.FileSystem;
    yield* mapDiskErrors(fs.makeDirectory(request.to, { recursive: true }));
    const { scratchBytes, segments } = Mp4Files.requiredBytes(request.uploadedTracks, request.renditions);
    yield* DiskQuota.ensureFree(request.to, segments + scratchBytes, request.minFreeDisk, "the remux of files for download");
    yield* DiskQuota.withMinFree(request.to, request.minFreeDisk)(downloadTracks(request));
});
const downloadTracks = Effect.fnUntraced(function* ({ bucket, prefix, renditions, to, uploadedTracks, }) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    for (const { folder, segments } of uploadedTracks) {
        if (!renditions.includes(folder) && folder !== audioFolder(0))
            continue;
        yield* mapDiskErrors(fs.makeDirectory(path.join(to, folder), { recursive: true }));
        yield* Effect.forEach([initName, ...segments.map(({ name }) => name)], (name) => downloadObject(bucket, `${prefix}${folder}/${name}`, path.join(to, folder, name)), { concurrency: 8, discard: true });
    }
});
