/** Locates uploads in object storage and downloads them to the work folder. */
import * as ObjectRef from "@armoricore/domain/ObjectRef";
import { dirname } from "node:path";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Clock, Effect, FileSystem, Stream } from "effect";
import { failure } from "../pipeline/Failures.ts";
import { ensureFree } from "../encode/DiskQuota.ts";
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir";
/** Reads the size and etag of an upload and checks the same conditions as `download`. */
export const locate = Effect.fn("Source.locate")(function* (request) {
    const source = yield* allowedSource(request);
    const storage = yield* ObjectStorage;
    const info = yield* storage
        .head(source)
        .pipe(Effect.catchTag("NotFound", () => Effect.fail(failure("source_missing"))));
    yield* checkSize(info.size, request.bytes);
    return info;
});
const allowedSource = ({ buckets, filePath }) => {
    const source = ObjectRef.fromUrl(filePath);
    return buckets.includes(source.bucket)
        ? Effect.succeed(source)
        : Effect.fail(failure("unknown_bucket", source.bucket));
};
const checkSize = (size, maxBytes) => {
    if (size === 0)
        return Effect.fail(failure("empty_file"));
    return size > maxBytes ? Effect.fail(failure("too_large", `${size} bytes, at most ${maxBytes}`)) : Effect.void;
};
/** Downloads an upload. Fails with a `PermanentError` if it is missing, empty, too large or in a foreign bucket. */
export const download = Effect.fn("Source.download")(function* (request) {
    const fs = yield* FileSystem.FileSystem;
    const storage = yield* ObjectStorage;
    const source = yield* allowedSource(request);
    const object = yield* storage
        .get(source)
        .pipe(Effect.catchTag("NotFound", () => Effect.fail(failure("source_missing"))));
    const { size } = object.info;
    yield* checkSize(size, request.bytes);
    yield* ensureFree(dirname(request.to), size, request.minFreeDisk, "the upload");
    let received = 0;
    let reportedAt = yield* Clock.currentTimeMillis;
    const counted = Stream.tap(object.body, (chunk) => Effect.flatMap(Clock.currentTimeMillis, (now) => {
        received += chunk.byteLength;
        if (now - reportedAt < 1000)
            return Effect.void;
        reportedAt = now;
        return request.onProgress(received / size);
    }));
    yield* mapDiskErrors(Stream.run(counted, fs.sink(request.to)));
    return object.info;
});
