/**
 * The media service: turns `media.uploaded` into `media.ready` or `media.failed`, publishes `media.playable` and live
 * `media.progress` meanwhile, adds the captions of `transcription.complete` to the published stream, and answers
 * `media.delete_requested` with `media.deleted`. The service runs as long as its Layer; closing the Layer drains it.
 */
import { availableParallelism } from "node:os";
import { LongTranscodeRequest, longTranscodeKind, mediaChunkKind, MediaCommand, mediaCommandKind, mediaConcatKind, MediaRetryRequest, mediaRetryKind, } from "@armoricore/domain/MediaCommand";
import * as FfmpegPrograms from "@armoricore/ffmpeg/FfmpegPrograms";
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir";
import { Cancellation } from "@armoricore/worker/control/Cancellation";
import * as Erasure from "@armoricore/worker/erasure/Erasure";
import { on, onWork } from "@armoricore/worker/Handler";
import { emit, enqueue } from "@armoricore/worker/ResultMessage";
import * as Worker from "@armoricore/worker/Worker";
import { Clock, Duration, Effect, Layer } from "effect";
import { attach } from "../captions/Captions.ts";
import { requiredEncoders } from "../encode/codecs/Codecs.ts";
import { ChunkMessage, ConcatMessage, enqueueChunk, enqueueConcat } from "../chunked/ChunkMessages.ts";
import * as MediaErasure from "./MediaErasure.ts";
import { deleteMedia, handleCommand, longTranscodeDiscriminator, makeJobs, oneRunDiscriminator } from "./MediaJobs.ts";
import { UploadPipeline } from "./UploadPipeline.ts";
import * as WorkClass from "./WorkClass.ts";
/** The event types that the service consumes. */
export const consumedEventTypes = [
    "media.uploaded",
    "media.delete_requested",
    "user.erase_requested",
    "media.failed",
    "media.ready",
    "transcription.complete",
];
/** The pipeline applies its own timeout to each job, from the length of the source; this one only bounds it. */
const timeout = Duration.days(7);
/** The payloads of its internal work, for the check of edited dead letters. */
export const workSchemas = {
    [mediaRetryKind]: MediaRetryRequest,
    [longTranscodeKind]: LongTranscodeRequest,
    [mediaChunkKind]: ChunkMessage,
    [mediaConcatKind]: ConcatMessage,
    [mediaCommandKind]: MediaCommand,
};
/** Only the handlers, for a given `UploadPipeline`. */
export const layerNoDeps = ({ bucket, chunks, concurrency = 1, perUser, }) => Layer.effectDiscard(Effect.gen(function* () {
    const pipeline = yield* UploadPipeline;
    const jobs = yield* makeJobs;
    const erasure = yield* Erasure.handler("media", yield* MediaErasure.makeStores(bucket, pipeline, jobs));
    const { concurrency: chunkConcurrency = availableParallelism() } = chunks ?? {};
    const partitioned = (workClass, ids) => perUser === undefined ? {} : { partitionKey: partitionKeyBy(workClass, perUser, ids) };
    yield* Worker.run("media", [
        on("media.uploaded", {
            concurrency,
            timeout,
            ...partitioned("short", ({ event_id, payload }) => [payload.user_id, event_id]),
            handle: (event, job) => processUpload(pipeline, "short")(withoutToken(event), job),
            onFailure: ({ payload: { media_id, user_id } }, error, failed_at) => [
                emit("media.failed", { media_id, user_id, error, failed_at }),
            ],
        }),
        onWork(mediaRetryKind, MediaRetryRequest, {
            concurrency,
            timeout,
            handle: retryUpload(pipeline),
            onFailure: ({ media_id, user_id }, error, failed_at) => [
                emit("media.failed", { media_id, user_id, error, failed_at }),
            ],
        }),
        onWork(longTranscodeKind, LongTranscodeRequest, {
            concurrency,
            timeout,
            ...partitioned("long", ({ upload }) => [upload.user_id, upload.media_id]),
            handle: ({ upload }, job) => Effect.flatMap(uploadedEvent(job, upload), (event) => processUpload(pipeline, "long")(event, job)),
            onFailure: ({ upload: { media_id, user_id } }, error, failed_at) => [
                emit("media.failed", { media_id, user_id, error, failed_at }),
            ],
        }),
        onWork(mediaChunkKind, ChunkMessage, {
            concurrency: chunkConcurrency,
            timeout,
            handle: encodeChunk(pipeline),
            onFailure: ({ media_id, user_id, version }, error, failed_at) => [
                enqueueConcat({ media_id, user_id, version, failed: { error, failed_at } }),
            ],
        }),
        onWork(mediaConcatKind, ConcatMessage, {
            timeout,
            handle: concatChunks(pipeline),
            onFailure: ({ media_id, user_id }, error, failed_at) => [
                emit("media.failed", { media_id, user_id, error, failed_at }),
            ],
        }),
        onWork(mediaCommandKind, MediaCommand, {
            handle: handleCommand(bucket, pipeline, jobs),
            onFailure: () => [],
        }),
        on("media.delete_requested", {
            handle: ({ event_id: requestId, payload, timestamp: requestedAt }) => deleteMedia(pipeline, jobs, { mediaId: payload.media_id, requestId, requestedAt }),
            onFailure: () => [],
        }),
        // The service consumes its own result: this is the only place that receives every final failure, also those
        // after the last retry.
        on("media.failed", {
            handle: (event) => Effect.as(pipeline.recordFailure(event), []),
            onFailure: () => [],
        }),
        erasure,
        // Stream and captions are finished in any order, so both events attach the captions that exist.
        on("media.ready", {
            handle: ({ payload }) => Effect.as(attach(bucket, payload.media_id), []),
            onFailure: () => [],
        }),
        on("transcription.complete", {
            handle: ({ payload }) => Effect.as(attach(bucket, payload.media_id), []),
            onFailure: () => [],
        }),
    ]);
})).pipe(Layer.provide(Cancellation.layer));
/** Needs the ports, a quota, and the platform's file system, paths and child processes. */
export const layer = (options) => layerNoDeps(options).pipe(Layer.provide(UploadPipeline.layer(options)), Layer.provide([
    FfmpegPrograms.FfmpegPrograms.layer({ encoders: requiredEncoders(options.codecs), ...options }),
    ScratchDir.layer(options.scratchDir),
]));
const processUpload = (pipeline, workClass) => (event, { attempts, broadcast, fencingToken, publishEarly }) => {
    const { media_id, user_id } = event.payload;
    return pipeline
        .processUpload(event, { fencingToken, priorAttempts: attempts, workClass }, (stage, percent) => broadcast("media.progress", { media_id, user_id, stage, percent }), (playableEvent) => publishEarly(emitPlayable(playableEvent)))
        .pipe(Effect.map((outcome) => {
        switch (outcome._tag) {
            case "Ready":
            case "Superseded":
                return toResults(outcome);
            case "Long":
                return [
                    enqueue(longTranscodeKind, longTranscodeDiscriminator, {
                        upload: event.payload,
                    }),
                ];
            case "Chunked": {
                const { version } = outcome;
                return outcome.chunks.map((chunk) => enqueueChunk({ media_id, user_id, version, chunk }));
            }
        }
    }));
};
/** The token has served its purpose once the event was authorised; the state and later messages go without it. */
const withoutToken = (event) => {
    const { upload_token: _, ...payload } = event.payload;
    return { ...event, payload };
};
/** Processes the newest upload again, under a new event id, so that it becomes a new generation. */
const retryUpload = (pipeline) => Effect.fnUntraced(function* ({ media_id }, job) {
    const upload = (yield* pipeline.newestUpload(media_id))?.upload;
    if (upload === undefined)
        return [];
    return yield* processUpload(pipeline, "short")(yield* uploadedEvent(job, upload), job);
});
const encodeChunk = (pipeline) => ({ media_id, chunk, user_id, version }, { broadcast, fencingToken, publishEarly }) => pipeline
    .encodeChunk({
    mediaId: media_id,
    version,
    chunk,
    fencingToken,
    onProgress: (percent) => broadcast("media.progress", { media_id, user_id, stage: "transcoding", percent }),
    publishPlayable: (playableEvent) => publishEarly(emitPlayable(playableEvent)),
})
    .pipe(Effect.map((outcome) => outcome._tag === "Done" && outcome.isLast ? [enqueueConcat({ media_id, user_id, version })] : []));
const concatChunks = (pipeline) => Effect.fnUntraced(function* ({ failed, media_id, user_id, version }) {
    if (failed !== undefined) {
        const rejected = yield* pipeline.rejectChunks(version, failed.error.code);
        if (rejected !== undefined)
            return [enqueueOneRun(rejected.upload)];
        yield* pipeline.abortChunks(version);
        return [emit("media.failed", { media_id, user_id, ...failed })];
    }
    const outcome = yield* pipeline.concatChunks({ mediaId: media_id, version });
    return outcome._tag === "Rejected" ? [enqueueOneRun(outcome.upload)] : toResults(outcome);
});
const enqueueOneRun = (upload) => enqueue(longTranscodeKind, oneRunDiscriminator, { upload });
const partitionKeyBy = (workClass, maxJobs, ids) => (message) => {
    const [userId, id] = ids(message);
    return WorkClass.partitionKey(workClass, userId, id, maxJobs);
};
/** The upload as an event, for a job that was enqueued with the payload only. */
const uploadedEvent = (job, payload) => Effect.map(Clock.currentTimeMillis, (now) => ({
    event_type: "media.uploaded",
    event_id: job.cause.eventId,
    timestamp: new Date(now).toISOString(),
    source: "media",
    ...(job.cause.requestId === undefined ? {} : { request_id: job.cause.requestId }),
    payload,
}));
const toResults = (outcome) => {
    if (outcome._tag === "Superseded") {
        return outcome.deleted === undefined ? [] : [emit("media.deleted", outcome.deleted)];
    }
    const playable = outcome.playableEvent === undefined ? [] : [emitPlayable(outcome.playableEvent)];
    return [...playable, emit("media.ready", outcome.ready)];
};
const emitPlayable = ({ payload, discriminator }) => emit("media.playable", payload, discriminator);
