/**
 * Decides whether an upload is encoded in chunks, and plans them. It only reads the index of the upload, so its slot in
 * the queue is free again soon; the worker that completes the last chunk enqueues the concatenation.
 */
import { TransientError } from "@armoricore/domain/Errors";
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir";
import { Clock, Effect, Equal } from "effect";
import * as MediaRequest from "../pipeline/MediaRequest.ts";
import { planEncoding } from "../pipeline/TranscodeOptions.ts";
import { probe } from "../probe/Probe.ts";
import { locate } from "../probe/Source.ts";
import { versionFromPrefix } from "../record/MediaRecord.ts";
import * as ChunkedEncodes from "./ChunkedEncodes.ts";
import * as ChunkWindow from "./ChunkWindow.ts";
import * as RangeProxy from "./RangeProxy.ts";
/** A smaller file cannot be a video of the minimum duration, and is not probed. */
const minBytesPerSecond = 4_000;
/** Undefined: the upload is encoded by one worker. */
export const planChunks = Effect.fn("ChunkPlanner.planChunks")(function* ({ contentKeys, encodes, options, record }, { attempt, charge, event }) {
    const { chunks, limits } = options;
    if (chunks === undefined)
        return undefined;
    const request = yield* MediaRequest.decode(event.payload.metadata, options.protection !== undefined);
    if (MediaRequest.needsOneRun(request))
        return undefined;
    const { bucket, etag, key, size } = yield* locate({
        filePath: event.payload.file_path,
        buckets: options.sourceBuckets,
        bytes: limits.maxBytes,
    });
    const startedAt = yield* Clock.currentTimeMillis;
    const source = { bucket, key, size, etag };
    if (size < chunks.minDuration * minBytesPerSecond)
        return undefined;
    const version = versionFromPrefix(attempt.prefix);
    const earlierVersions = ((yield* record.find(event.payload.media_id))?.attempts ?? [])
        .map(({ prefix }) => versionFromPrefix(prefix))
        .filter((earlier) => earlier !== version)
        .reverse();
    const earlierEncodes = yield* Effect.forEach(earlierVersions, (earlier) => Effect.map(encodes.find(earlier), (job) => ({ job, version: earlier })));
    if (earlierEncodes.some(({ job }) => job?.rejected === true && Equal.equals(job.source, source)))
        return undefined;
    const probed = yield* probeRemote(source, limits, chunks);
    if (probed === undefined)
        return undefined;
    const info = yield* MediaRequest.apply(probed, request);
    if (info.video === undefined)
        return undefined;
    const programs = yield* FfmpegPrograms;
    const planned = planEncoding(options, info, programs.toneMapping, MediaRequest.planRequestOf(request));
    yield* charge({ bytes: size, seconds: info.duration });
    const protection = yield* contentKeys.prepare(event.payload, info.duration);
    const plan = planned.with({ protection });
    const windows = ChunkWindow.planWindows(info, plan.frameRate, chunks.chunkSeconds);
    const reusable = earlierEncodes.find(({ job }) => job !== undefined &&
        job.completed.length > 0 &&
        Equal.equals(job.source, source) &&
        job.plan.isSameAs(plan) &&
        Equal.equals(job.windows, windows));
    const job = {
        source_event_id: event.event_id,
        upload: event.payload,
        attempt,
        source,
        plan,
        windows,
        completed: [],
        init_hashes: {},
        timings: { probing: (yield* Clock.currentTimeMillis) - startedAt },
        started_at: startedAt,
        ...(reusable === undefined ? {} : { reuse_version: reusable.version }),
    };
    yield* encodes.create(version, job);
    return { _tag: "Chunked", version, chunks: ChunkedEncodes.chunkNames(job) };
});
/** The longest sequential read of a remote probe: the index of a video of half a day, or a share of a small file. */
const maxSequentialBytes = ({ size }) => Math.max(32e6, Math.min(100e6, size / 4));
/**
 * Probes the upload in the storage, without a download. Undefined if it cannot be chunked, or if it is invalid or its last
 * packets are not where its index says: then the transcode on one worker measures the whole file and reports a reason. A recording that was written as a live stream has no index, so
 * every chunk would read everything before it; such a probe exceeds the read limits.
 */
const probeRemote = Effect.fnUntraced(function* (source, limits, chunks) {
    const folder = yield* Effect.flatMap(ScratchDir, ({ make }) => make);
    const proxy = yield* RangeProxy.open(source);
    const maxBytes = maxSequentialBytes(source);
    const exceedsLimit = () => proxy.longestRead() > maxBytes || proxy.bytesServed() > 2 * maxBytes;
    const probed = probe({ url: proxy.url }, source.size, folder, limits);
    const chunkable = Effect.gen(function* () {
        const info = yield* Effect.catchTag(probed, "PermanentError", () => Effect.undefined);
        return info !== undefined && ChunkWindow.shouldChunk(info, chunks) ? info : undefined;
    });
    const limitExceeded = Effect.sleep("50 millis").pipe(Effect.repeat({ until: exceedsLimit }), Effect.as(undefined));
    const info = yield* Effect.raceFirst(chunkable, limitExceeded);
    const fault = proxy.fault();
    if (fault !== undefined)
        return yield* Effect.fail(fault);
    return exceedsLimit() ? undefined : info;
}, Effect.scoped);
