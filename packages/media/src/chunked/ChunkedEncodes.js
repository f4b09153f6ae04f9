import { MediaUploaded } from "@armoricore/domain/events/media";
import { EventId } from "@armoricore/domain/Ids";
import { MediaAttempt } from "@armoricore/domain/MediaState";
import * as Collection from "@armoricore/state/Collection";
import { Duration, Effect, Option, Schema } from "effect";
import { EncodingPlan } from "../encode/EncodingPlan.ts";
import * as CompressedSegments from "./CompressedSegments.ts";
import { Segment } from "../packaging/MediaPlaylist.ts";
import { Track } from "../packaging/Mp4.ts";
const ChunkWindow = Schema.Struct({
    firstFrame: Schema.Int,
    frames: Schema.optionalKey(Schema.Int),
    from: Schema.Finite,
});
export const ChunkedEncode = Schema.Struct({
    /** The id of the `media.uploaded` event or of the retry request, and the payload. */
    source_event_id: EventId,
    upload: MediaUploaded,
    attempt: MediaAttempt,
    /** The source object at the time of planning. */
    source: Schema.Struct({ bucket: Schema.String, key: Schema.String, size: Schema.Finite, etag: Schema.String }),
    plan: EncodingPlan,
    /** Windows of the video. The name of a video chunk is its index here. */
    windows: Schema.Array(ChunkWindow),
    /** Names of completed chunks and of published audio steps (`AudioCheckpoint`). */
    completed: Schema.Array(Schema.String),
    /** Hashes of the initialisation segments by folder, pinned by the first worker. */
    init_hashes: Schema.Record(Schema.String, Schema.String),
    /** Wall-clock milliseconds of the stages before the chunks were enqueued. */
    timings: Schema.Record(Schema.String, Schema.Finite),
    started_at: Schema.Finite,
    /** The version of an earlier encode of the same upload, whose chunks can be reused. */
    reuse_version: Schema.optionalKey(Schema.String),
    /** Failed, cancelled or rejected: running chunks stop. */
    aborted: Schema.optionalKey(Schema.Boolean),
    /** Chunks of this source do not make its stream: another attempt encodes it in one run. */
    rejected: Schema.optionalKey(Schema.Boolean),
});
const ChunkTrack = Schema.Struct({
    folder: Schema.String,
    track: Track,
    /** SHA-256 of the initialisation segment, and its size. */
    init_hash: Schema.String,
    init_bytes: Schema.Int,
    segments: Schema.Array(Segment),
});
export const ChunkOutput = Schema.Struct({
    /** The prefix that the worker wrote to; ends with a slash. */
    staging: Schema.String,
    /** Empty: the source ends before this chunk begins. */
    tracks: Schema.Array(ChunkTrack),
    /** Names of the images below `staging`. */
    images: Schema.Array(Schema.String),
});
/** The stored form: long segment lists are compressed. */
const StoredChunkOutput = Schema.Struct({
    ...ChunkOutput.fields,
    tracks: Schema.Array(Schema.Struct({ ...ChunkTrack.fields, segments: Schema.Union([Schema.Array(Segment), Schema.String]) })),
});
const toStored = (output) => ({
    ...output,
    tracks: output.tracks.map((track) => ({ ...track, segments: CompressedSegments.compress(track.segments) })),
});
const fromStored = Effect.fnUntraced(function* (output) {
    const tracks = yield* Effect.forEach(output.tracks, (track) => Effect.map(CompressedSegments.decompress(track.segments), (segments) => ({ ...track, segments })));
    return { ...output, tracks };
});
/** Longer than any encode, plus the time that users have to retry a failed one. */
const maxAge = Duration.days(14);
export const chunkedEncodes = {
    bucket: { name: "media_chunked_encodes", maxAge },
    schema: ChunkedEncode,
};
export const chunkOutputs = {
    bucket: { name: "media_chunk_outputs", maxAge },
    schema: StoredChunkOutput,
};
/** One chunk holds all audio. */
export const audioChunk = "audio";
/** In encoding order: the stream is playable after the first video chunk and the audio. */
export const chunkNames = ({ plan, windows }) => {
    const [first = "0", ...others] = windows.map((_, index) => String(index));
    return [first, ...(plan.info.audioTracks.length === 0 ? [] : [audioChunk]), ...others];
};
/** The prefix that the workers of an attempt write chunks to, before these are promoted. */
export const stagingPrefix = (prefix) => `${prefix}chunks/`;
/** The event that an encode belongs to, restored from its document. */
export const uploadEvent = ({ source_event_id, started_at, upload }) => ({
    event_type: "media.uploaded",
    event_id: source_event_id,
    timestamp: new Date(started_at).toISOString(),
    source: "media",
    payload: upload,
});
export const make = Effect.gen(function* () {
    const encodes = yield* Collection.make(chunkedEncodes);
    const outputs = yield* Collection.make(chunkOutputs);
    const keyOf = (version, chunk) => `${version}.${chunk}`;
    const modify = (version, change, ifMissing) => Collection.retryConflicts(encodes.modify(version, (current) => Effect.sync(() => {
        if (Option.isNone(current))
            return [ifMissing, Option.none()];
        const [result, next] = change(current.value.value);
        return [result, Option.fromNullishOr(next)];
    })));
    const findOutput = Effect.fnUntraced(function* (version, chunk) {
        const document = Option.getOrUndefined(yield* outputs.get(keyOf(version, chunk)));
        return document === undefined ? undefined : yield* fromStored(document.value);
    });
    return {
        create: (version, job) => encodes.put(version, job),
        find: (version) => Effect.map(encodes.get(version), (document) => Option.getOrUndefined(document)?.value),
        findOutput,
        /** The first worker pins its initialisation segments. Returns false if these differ from the pinned ones. */
        pinInitSegments: (version, initHashes) => modify(version, (job) => {
            const isEqual = Object.entries(initHashes).every(([folder, hash]) => (job.init_hashes[folder] ?? hash) === hash);
            const isNew = Object.keys(initHashes).some((folder) => job.init_hashes[folder] === undefined);
            return [
                isEqual,
                isEqual && isNew ? { ...job, init_hashes: { ...job.init_hashes, ...initHashes } } : undefined,
            ];
        }, true),
        /** Records an output unless another worker was faster. Returns the recorded output. */
        recordOutput: (version, name, output) => {
            const key = keyOf(version, name);
            const recorded = Effect.as(outputs.create(key, toStored(output)), output);
            return Effect.catchTag(recorded, "Conflict", () => Effect.map(findOutput(version, name), (existing) => existing ?? output));
        },
        /** Removes an output whose objects are missing, so that the chunk is encoded again. */
        discardOutput: (version, name) => Collection.retryConflicts(outputs.remove(keyOf(version, name))),
        /** Marks a promoted chunk as completed. Returns all completed names; undefined if the encode is over or aborted. */
        markCompleted: (version, name) => modify(version, (job) => {
            if (job.aborted === true)
                return [undefined, undefined];
            if (job.completed.includes(name))
                return [job.completed, undefined];
            const completed = [...job.completed, name];
            return [completed, { ...job, completed }];
        }, undefined),
        abort: (version) => modify(version, (job) => [undefined, job.aborted === true ? undefined : { ...job, aborted: true }], undefined),
        /** Aborts the encode, and lets later attempts at the same source encode it in one run. */
        reject: (version) => modify(version, (job) => [undefined, job.rejected === true ? undefined : { ...job, aborted: true, rejected: true }], undefined),
        /** Removes all documents of an encode, once its stream is published. */
        remove: (version, job) => Collection.retryConflicts(Effect.andThen(Effect.forEach(new Set([...chunkNames(job), ...job.completed]), (chunk) => outputs.remove(keyOf(version, chunk)), { concurrency: 8, discard: true }), encodes.remove(version))),
    };
});
