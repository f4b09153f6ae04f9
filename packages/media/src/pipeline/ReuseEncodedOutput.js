import { Effect, Path } from "effect";
import * as EncodeCheckpoint from "./EncodeCheckpoint.ts";
import * as Watermark from "../encode/Watermark.ts";
import * as StillImages from "../packaging/StillImages.ts";
import { download } from "../probe/Source.ts";
import * as MediaRequest from "./MediaRequest.ts";
import { transcodeTimeout } from "./TranscodeOptions.ts";
/** Undefined if objects of the checkpoint are gone or the upload was replaced: then it must be encoded again. */
export const reuse = Effect.fn("ReuseEncodedOutput.reuse")(function* (options, job, source, checkpoint, folder) {
    const path = yield* Path.Path;
    const { attempt, progress } = job;
    yield* progress.report("transcoding", 10);
    const isCopied = yield* progress.timeStage("transcoding", EncodeCheckpoint.copyTo(options, checkpoint, attempt.prefix));
    const stillImages = isCopied
        ? (checkpoint.stillImages ?? (yield* makeStillImages(options, job, source, checkpoint.plan, folder)))
        : undefined;
    if (stillImages === undefined)
        return undefined;
    yield* Effect.logInfo("The encode of an earlier attempt was reused", { from: checkpoint.prefix });
    Object.assign(progress.timings, checkpoint.timings);
    yield* progress.report("publishing", 94);
    return {
        _tag: "Reused",
        plan: checkpoint.plan,
        source,
        checkpoint: { ...checkpoint, stillImages },
        checkpointPrefix: checkpoint.prefix,
        output: path.join(folder, "output"),
        isPlayablePublished: false,
    };
});
/** Makes only the images, from a new download. Undefined if the upload was replaced. */
const makeStillImages = Effect.fnUntraced(function* (options, { attempt, event }, source, plan, folder) {
    const path = yield* Path.Path;
    const input = path.join(folder, "source");
    const downloaded = yield* download({
        filePath: event.payload.file_path,
        buckets: options.sourceBuckets,
        to: input,
        bytes: options.limits.maxBytes,
        minFreeDisk: options.minFreeDisk,
        onProgress: () => Effect.void,
    });
    if (downloaded.etag !== source.etag || downloaded.size !== source.size)
        return undefined;
    const request = yield* MediaRequest.decode(event.payload.metadata, options.protection !== undefined);
    const etag = yield* Watermark.fetch(request, options.sourceBuckets, options.minFreeDisk, folder);
    if (etag !== plan.request?.watermark?.etag)
        return undefined;
    const output = path.join(folder, "images");
    const { memoryLimit } = options;
    yield* StillImages.prepare(plan, output);
    yield* StillImages.make(plan, {
        input,
        output,
        memoryLimit,
        stallTimeout: options.stallTimeout,
        timeout: transcodeTimeout(options, plan.info.duration),
    });
    yield* StillImages.makeCoverPoster(plan, { input, output, memoryLimit });
    return yield* StillImages.upload({
        from: output,
        bucket: options.bucket,
        prefix: attempt.prefix,
        concurrency: options.uploadConcurrency,
    });
});
