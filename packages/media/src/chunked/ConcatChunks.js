/**
 * Publishes a stream whose chunks are all completed. It encodes no video or audio: it only makes playlists, sprites and,
 * if configured, MP4 files. Repeating it writes the same bytes under the same names.
 */
import { TransientError } from "@armoricore/domain/Errors";
import { mapDiskErrors, ScratchDir } from "@armoricore/ffmpeg/ScratchDir";
import { Clock, Duration, Effect, FileSystem, Path } from "effect";
import * as FfmpegCommand from "../encode/FfmpegCommand.ts";
import * as Mp4Files from "../packaging/Mp4Files.ts";
import * as SegmentDownloader from "../packaging/SegmentDownloader.ts";
import * as SegmentUploader from "../packaging/SegmentUploader.ts";
import * as StillImages from "../packaging/StillImages.ts";
import * as StreamPublisher from "../packaging/StreamPublisher.ts";
import { failure } from "../pipeline/Failures.ts";
import { downloadName, mp4Renditions, transcodeTimeout } from "../pipeline/TranscodeOptions.ts";
import * as MediaRecord from "../record/MediaRecord.ts";
import * as EmbeddedSubtitles from "../captions/EmbeddedSubtitles.ts";
import * as ChunkedEncodes from "./ChunkedEncodes.ts";
import { assemble, listObjects } from "./ChunkOutputs.ts";
import * as ProvisionalChunkPlaylist from "./ProvisionalChunkPlaylist.ts";
import * as RangeProxy from "./RangeProxy.ts";
const superseded = { _tag: "Superseded" };
/**
 * Each chunk holds or drops frames by itself, and one that lacks frames is short. One run fills such gaps, so these
 * failures may be those of the chunks instead of the upload.
 */
const isRejection = (code) => code === "corrupt_media" || code === "length_mismatch";
/** Stops the chunks of an encode and marks it as rejected. Undefined: it has no document, or was aborted before. */
export const reject = ({ encodes, publisher }) => Effect.fn("UploadPipeline.rejectChunks")(function* (version, code) {
    const job = isRejection(code) ? yield* encodes.find(version) : undefined;
    if (job === undefined || (job.aborted === true && job.rejected !== true))
        return undefined;
    yield* encodes.reject(version);
    yield* Effect.logInfo("The chunks do not make the stream of the upload; it is encoded in one run", {
        version,
        code,
    });
    yield* publisher.removeStale([ChunkedEncodes.stagingPrefix(job.attempt.prefix)]);
    return { _tag: "Rejected", upload: job.upload };
});
export const concat = (context) => {
    const { publisher, encodes, options, record } = context;
    const { audioOnly, bucket } = options;
    const rejectChunks = reject(context);
    const retryWhileUnavailable = SegmentUploader.retryWhileUnavailable(options.publishTimeout);
    /** The result of an earlier attempt that has published and crashed before it could return. */
    const findPublished = Effect.fnUntraced(function* ({ mediaId, version }) {
        const state = yield* record.find(mediaId);
        const isOurs = state?.version?.prefix === MediaRecord.versionPrefix(mediaId, version);
        return isOurs && state.ready !== undefined && state.deleted_at === undefined ? state.ready : undefined;
    });
    const assembleAll = Effect.fnUntraced(function* ({ mediaId, version }, job) {
        const assembled = yield* assemble(encodes, version, job, job.completed);
        if (assembled.outputs.length < ChunkedEncodes.chunkNames(job).length) {
            const message = `outputs of completed chunks of media ${mediaId} are missing in the state store`;
            return yield* new TransientError({ dependency: "state", code: "object_missing", message });
        }
        yield* checkNoGaps(job, assembled.outputs);
        return assembled;
    });
    const publishStream = Effect.fnUntraced(function* (job, { outputs, uploadedTracks }) {
        const { attempt, plan } = job;
        const { prefix } = attempt;
        const folder = yield* Effect.flatMap(ScratchDir, ({ make }) => make);
        yield* downloadImages(bucket, plan, outputs, folder);
        const objects = new Map(outputs.flatMap(listObjects).map(({ bytes, name }) => [`${prefix}${name}`, bytes]));
        const mp4 = yield* makeMp4Files(options, plan, prefix, uploadedTracks, folder);
        for (const [name, bytes] of yield* extractSubtitles(options, job, uploadedTracks, folder))
            objects.set(`${prefix}${name}`, bytes);
        const target = { bucket, prefix, concurrency: options.uploadConcurrency };
        return yield* retryWhileUnavailable(Effect.gen(function* () {
            const stillImages = yield* StillImages.upload({ ...target, from: folder });
            return yield* StreamPublisher.publish(plan, { uploadedTracks, objects, stillImages }, { ...target, audioOnly, mp4, downloadName: downloadName(plan, job.source.key) });
        }));
    });
    return Effect.fn("UploadPipeline.concatChunks")(function* (request) {
        const { mediaId, version } = request;
        const published = yield* findPublished(request);
        if (published !== undefined)
            return { _tag: "Ready", ready: published, playableEvent: undefined };
        const job = yield* encodes.find(version);
        // The worker that rejected the chunks has crashed before it could return.
        if (job?.rejected === true)
            return { _tag: "Rejected", upload: job.upload };
        if (job === undefined || job.aborted === true)
            return superseded;
        const startedAt = yield* Clock.currentTimeMillis;
        const { attempt } = job;
        if (MediaRecord.isSuperseded(yield* record.find(mediaId), attempt)) {
            yield* publisher.removeStale([attempt.prefix]);
            return superseded;
        }
        const stream = yield* assembleAll(request, job).pipe(Effect.flatMap((assembled) => publishStream(job, assembled)), publisher.unlessSuperseded(mediaId, attempt), Effect.catchTag("PermanentError", (error) => Effect.flatMap(rejectChunks(version, error.code), (rejected) => rejected === undefined ? Effect.fail(error) : Effect.succeed(rejected))));
        if (stream === undefined)
            return superseded;
        if ("_tag" in stream)
            return stream;
        const { playable_prefix, playable_published_prefix } = (yield* record.find(mediaId)) ?? {};
        const isPlayablePublished = playable_published_prefix === attempt.prefix;
        if (playable_prefix === attempt.prefix)
            yield* retryWhileUnavailable(ProvisionalChunkPlaylist.finalize(bucket, attempt.prefix, stream, {
                audioOnly,
                protection: job.plan.protection,
            }));
        const endedAt = yield* Clock.currentTimeMillis;
        const outcome = yield* publisher.publish({
            event: ChunkedEncodes.uploadEvent(job),
            attempt,
            stream,
            info: job.plan.info,
            bytes: job.source.size,
            timings: { ...job.timings, transcoding: startedAt - job.started_at, publishing: endedAt - startedAt },
            isPlayablePublished,
        });
        yield* publisher.removeStale([ChunkedEncodes.stagingPrefix(attempt.prefix)]);
        yield* encodes.remove(version, job).pipe(
        // Best effort: the documents expire.
        Effect.catch((error) => Effect.logDebug("Documents of a chunked encode could not be removed", { version, error })));
        return outcome;
    }, Effect.scoped);
};
/** Downloads thumbnails and poster and draws the sprites, into the folders that a single encode would write to. */
const downloadImages = Effect.fnUntraced(function* (bucket, plan, outputs, folder) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    for (const name of FfmpegCommand.outputFolders) {
        yield* mapDiskErrors(fs.makeDirectory(path.join(folder, name), { recursive: true }));
    }
    const images = outputs.flatMap(({ images, staging }) => images.map((name) => ({ name, key: `${staging}${name}` })));
    yield* Effect.forEach(images, ({ key, name }) => SegmentDownloader.downloadObject(bucket, key, path.join(folder, name)), { concurrency: 8, discard: true });
    // `StillImages` skips the first of several thumbnails, which a single encode takes from the first frame.
    const firstThumbnail = images.find(({ name }) => name.startsWith("thumbnails/"));
    if (firstThumbnail !== undefined) {
        yield* mapDiskErrors(fs.copyFile(path.join(folder, firstThumbnail.name), path.join(folder, "thumbnails/00.jpg")));
    }
    yield* StillImages.drawSprites(plan, folder);
});
const makeMp4Files = Effect.fnUntraced(function* (options, plan, prefix, uploadedTracks, folder) {
    const { bucket, minFreeDisk } = options;
    const renditions = mp4Renditions(options, plan);
    if (renditions.length === 0)
        return {};
    yield* SegmentDownloader.download({ bucket, prefix, to: folder, uploadedTracks, renditions, minFreeDisk });
    const timeout = Duration.seconds(300 + plan.info.duration);
    return yield* Mp4Files.make({ from: folder, uploadedTracks, renditions, timeout, minFreeDisk });
});
/** Reads the upload by range requests; a file without text subtitles is not read. */
const extractSubtitles = Effect.fnUntraced(function* (options, { attempt: { prefix }, plan, source }, uploadedTracks, folder) {
    const { bucket, memoryLimit, stallTimeout } = options;
    if (plan.info.subtitles === undefined)
        return new Map();
    const proxy = yield* RangeProxy.open(source);
    const timeout = transcodeTimeout(options, plan.info.duration);
    const subtitles = yield* EmbeddedSubtitles.extract(plan, {
        input: { url: proxy.url },
        folder,
        bucket,
        prefix,
        presentationStart: uploadedTracks[0]?.segments[0]?.presented,
        timeout,
        stallTimeout,
        memoryLimit,
    });
    const fault = proxy.fault();
    return fault === undefined ? subtitles : yield* Effect.fail(fault);
}, Effect.scoped);
/** A source may end before its stated duration. A short chunk with video after it means that the source is damaged. */
const checkNoGaps = (job, outputs) => {
    const [main] = job.plan.renditions;
    const { den, num } = job.plan.frameRate;
    const lengths = job.windows.map((window, index) => {
        const track = outputs[index]?.tracks.find(({ folder }) => folder === main?.name);
        const seconds = (track?.segments ?? []).reduce((total, segment) => total + segment.seconds, 0);
        return { seconds, missing: window.frames === undefined ? 0 : window.frames - Math.round((seconds * num) / den) };
    });
    const firstShort = lengths.findIndex(({ missing }) => missing !== 0);
    return firstShort !== -1 && lengths.slice(firstShort + 1).some(({ seconds }) => seconds > 0)
        ? Effect.fail(failure("corrupt_media", "part of its video is missing"))
        : Effect.void;
};
