import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg";
import { TransientError } from "@armoricore/domain/Errors";
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Duration, Effect, FileSystem, Path } from "effect";
import * as FfmpegCommand from "../encode/FfmpegCommand.ts";
import * as FfmpegExit from "../encode/FfmpegExit.ts";
import { retryTransient, immutableCacheControl } from "./SegmentUploader.ts";
import * as Storyboard from "./Storyboard.ts";
import * as ToneMap from "../encode/ToneMap.ts";
export const contentType = "image/jpeg";
/** The images in one of `FfmpegCommand.stillImageFolders`. */
export const namesIn = (images, folder) => [...images.keys()].filter((name) => name.startsWith(`${folder}/`));
export const upload = Effect.fn("StillImages.upload")(function* (target) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const storage = yield* ObjectStorage;
    const names = [];
    for (const folder of FfmpegCommand.stillImageFolders) {
        const files = yield* mapDiskErrors(fs.readDirectory(path.join(target.from, folder)));
        names.push(...[...files].sort().map((name) => `${folder}/${name}`));
    }
    const { posterName } = FfmpegCommand;
    if (yield* mapDiskErrors(fs.exists(path.join(target.from, posterName))))
        names.push(posterName);
    const sizes = yield* Effect.forEach(names.filter((name) => isPublished(name, names)), Effect.fnUntraced(function* (name) {
        const bytes = yield* mapDiskErrors(fs.readFile(path.join(target.from, name)));
        const ref = { bucket: target.bucket, key: `${target.prefix}${name}` };
        yield* storage
            .put(ref, bytes, { contentType, cacheControl: immutableCacheControl })
            .pipe(retryTransient);
        return [name, bytes.byteLength];
    }), { concurrency: target.concurrency });
    return new Map(sizes);
});
/** The first thumbnail shows the first frame, often black, so it is published only if it is the only one. */
const isPublished = (name, names) => {
    const thumbnails = names.filter((other) => other.startsWith("thumbnails/"));
    return thumbnails.length < 2 || name !== thumbnails[0];
};
/** Creates the folders for images, and the lookup table for HDR if the plan needs it. */
export const prepare = Effect.fnUntraced(function* (plan, output) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    yield* Effect.forEach(FfmpegCommand.outputFolders, (name) => mapDiskErrors(fs.makeDirectory(path.join(output, name), { recursive: true })));
    yield* ToneMap.prepare(plan, output);
});
/** Makes the images of a video or photo in a folder that `prepare` set up. */
export const make = Effect.fn("StillImages.make")(function* (plan, request) {
    if (plan.renditions.length === 0)
        return;
    const result = yield* Ffmpeg.run({
        args: FfmpegCommand.imagesOnlyArgs(plan, request.input),
        cwd: request.output,
        onProgress: () => Effect.void,
        stallTimeout: request.stallTimeout,
        timeout: request.timeout,
        memoryLimit: request.memoryLimit,
    });
    if (result.code !== 0)
        return yield* FfmpegExit.classify(result, { hasMemoryLimit: true });
    yield* drawSprites(plan, request.output);
});
/** Draws the storyboard tiles that ffmpeg wrote to this folder on sprites, in another folder below it. */
export const drawSprites = Effect.fn("StillImages.drawSprites")(function* (plan, folder) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const board = plan.storyboard;
    if (board === undefined || !(yield* mapDiskErrors(fs.exists(path.join(folder, Storyboard.tileName(0))))))
        return;
    const result = yield* Ffmpeg.run({
        args: FfmpegCommand.spriteArgs(board),
        cwd: folder,
        onProgress: () => Effect.void,
        stallTimeout: Duration.minutes(1),
        timeout: Duration.minutes(10),
    });
    if (result.code !== 0) {
        const message = `ffmpeg could not draw the storyboard sprites: ${result.stderr.trim()}`;
        return yield* new TransientError({ dependency: "ffmpeg", code: "failed", message });
    }
    yield* mapDiskErrors(fs.remove(path.join(folder, Storyboard.tileFolder), { recursive: true }));
});
/** Makes the poster of an audio file from its cover image. A broken cover image does not fail the upload. */
export const makeCoverPoster = Effect.fnUntraced(function* (plan, request) {
    const { cover, video } = plan.info;
    if (video !== undefined || cover === undefined)
        return;
    yield* Ffmpeg.run({
        args: FfmpegCommand.coverArgs(cover, request.input),
        cwd: request.output,
        onProgress: () => Effect.void,
        stallTimeout: Duration.seconds(20),
        timeout: Duration.minutes(1),
        memoryLimit: request.memoryLimit,
    }).pipe(Effect.tap((result) => result.code === 0 ? Effect.void : Effect.logInfo("the cover image is not decodable; the upload gets no poster")), Effect.catch((error) => Effect.logInfo("the poster could not be made from the cover image", { error })));
});
