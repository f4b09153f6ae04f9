/** Completes a stream from encoded output: last segments, images, MP4 files, playlists and finally the master playlist. */
import { TransientError } from "@armoricore/domain/Errors";
import { Effect } from "effect";
import * as EmbeddedSubtitles from "../captions/EmbeddedSubtitles.ts";
import * as EncodeCheckpoint from "./EncodeCheckpoint.ts";
import * as SegmentDownloader from "../packaging/SegmentDownloader.ts";
import * as Mp4Files from "../packaging/Mp4Files.ts";
import * as StillImages from "../packaging/StillImages.ts";
import * as SegmentUploader from "../packaging/SegmentUploader.ts";
import * as StreamPublisher from "../packaging/StreamPublisher.ts";
import { downloadName, mp4Renditions, transcodeTimeout } from "./TranscodeOptions.ts";
/**
 * `prefix` ends with a slash. Uploads are retried while the storage is unavailable. If the step fails in the end, the
 * checkpoint stays in storage for the next attempt.
 */
export const finalize = Effect.fn("Packaging.finalize")(function* (options, encoded, prefix, timings) {
    const { audioOnly, bucket, minFreeDisk, publishTimeout, uploadConcurrency } = options;
    const { output, plan } = encoded;
    const target = { bucket, prefix, concurrency: uploadConcurrency };
    const retryWhileUnavailable = SegmentUploader.retryWhileUnavailable(publishTimeout);
    const isReused = encoded._tag === "Reused";
    const checkpoint = isReused ? encoded.checkpoint : yield* storeCheckpoint(options, encoded, target, timings);
    const { objects, stillImages, uploadedTracks } = checkpoint;
    const renditions = mp4Renditions(options, plan);
    const packaging = Effect.gen(function* () {
        if (isReused && renditions.length > 0) {
            yield* retryWhileUnavailable(SegmentDownloader.download({ bucket, prefix, to: output, uploadedTracks, renditions, minFreeDisk }));
        }
        const timeout = transcodeTimeout(options, plan.info.duration);
        const mp4 = renditions.length === 0
            ? {}
            : yield* Mp4Files.make({ from: output, uploadedTracks, renditions, timeout, minFreeDisk });
        const sizes = new Map([...objects].map(([name, bytes]) => [`${prefix}${name}`, bytes]));
        return yield* retryWhileUnavailable(StreamPublisher.publish(plan, { uploadedTracks, objects: sizes, stillImages }, { ...target, audioOnly, mp4, downloadName: downloadName(plan, encoded.source.key) }));
    });
    const checkpointPrefix = isReused ? encoded.checkpointPrefix : prefix;
    return yield* packaging.pipe(Effect.tapError((error) => 
    // ffmpeg may fail because of copied tracks: without the checkpoint, the next attempt encodes them.
    plan.passthrough !== undefined && error instanceof TransientError && error.dependency === "ffmpeg"
        ? EncodeCheckpoint.discard(options, checkpointPrefix)
        : Effect.void));
});
/** Uploads the last segments and the images, then writes the checkpoint. */
const storeCheckpoint = Effect.fnUntraced(function* (options, { input, output, plan, source, uploader }, target, timings) {
    const { prefix } = target;
    const retryWhileUnavailable = SegmentUploader.retryWhileUnavailable(options.publishTimeout);
    yield* retryWhileUnavailable(uploader.sync);
    const uploadedTracks = uploader.uploadedTracks();
    yield* StreamPublisher.validateInventory(plan, uploadedTracks);
    const objects = new Map([...uploader.objects()].map(([key, bytes]) => [key.slice(prefix.length), bytes]));
    const { memoryLimit, stallTimeout } = options;
    const timeout = transcodeTimeout(options, plan.info.duration);
    const extraction = {
        ...target,
        input,
        folder: output,
        timeout,
        stallTimeout,
        memoryLimit,
        presentationStart: uploadedTracks[0]?.segments[0]?.presented,
    };
    const subtitles = yield* retryWhileUnavailable(EmbeddedSubtitles.extract(plan, extraction));
    for (const [name, bytes] of subtitles)
        objects.set(name, bytes);
    const checkpoint = { plan, uploadedTracks, objects, timings: { ...timings } };
    const writeCheckpoint = (stillImages) => EncodeCheckpoint.write(options, prefix, source, { ...checkpoint, stillImages });
    const stillImages = yield* retryWhileUnavailable(StillImages.upload({ ...target, from: output })).pipe(
    // Without the images, the segments can still be reused.
    Effect.tapError(() => Effect.ignore(writeCheckpoint(undefined))));
    yield* retryWhileUnavailable(writeCheckpoint(stillImages));
    return { ...checkpoint, stillImages };
});
