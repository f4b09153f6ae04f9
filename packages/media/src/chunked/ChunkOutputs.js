import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Effect } from "effect";
import { trackFolders } from "../encode/EncodingPlan.ts";
import { initName, retryTransient } from "../packaging/SegmentUploader.ts";
import { completedCheckpoints } from "./AudioCheckpoint.ts";
import { audioChunk } from "./ChunkedEncodes.ts";
export const makeCopier = ({ options: { bucket, uploadConcurrency } }) => {
    const copyObject = Effect.fnUntraced(function* (from, to, bytes) {
        const storage = yield* ObjectStorage;
        const copied = Effect.map(storage.copy({ bucket, key: from }, { bucket, key: to }), ({ size }) => size === (bytes ?? size));
        return yield* retryTransient(Effect.catchTag(copied, "NotFound", () => Effect.succeed(false)));
    });
    const copy = (objects, from, to) => Effect.map(Effect.forEach(objects, ({ bytes, name }) => copyObject(`${from}${name}`, `${to}${name}`, bytes), {
        concurrency: uploadConcurrency,
    }), (results) => !results.includes(false));
    return {
        copy,
        promote: ({ attempt }, output, promoted = new Set()) => copy(listObjects(output).filter(({ name }) => !promoted.has(name)), output.staging, attempt.prefix),
    };
};
/** Initialisation segments and segments of an output, without images. */
export const listObjects = ({ tracks }) => tracks.flatMap(({ folder, init_bytes, segments }) => [
    { name: `${folder}/${initName}`, bytes: init_bytes },
    ...segments.map(({ bytes, name }) => ({ name: `${folder}/${name}`, bytes })),
]);
/** Joins the completed chunks up to the first gap. */
export const assemble = Effect.fnUntraced(function* (encodes, version, job, completed) {
    const videoChunks = job.windows.map((_, index) => String(index));
    const firstGap = videoChunks.findIndex((name) => !completed.includes(name));
    const names = [
        ...(firstGap === -1 ? videoChunks : videoChunks.slice(0, firstGap)),
        ...(completed.includes(audioChunk) ? [audioChunk] : completedCheckpoints(completed)),
    ];
    const recorded = yield* Effect.forEach(names, (name) => encodes.findOutput(version, name), { concurrency: 8 });
    const outputs = recorded.filter((output) => output !== undefined);
    const uploadedTracks = trackFolders(job.plan).flatMap((folder) => {
        const tracks = outputs.flatMap((output) => output.tracks.filter((track) => track.folder === folder));
        const [first] = tracks;
        return first === undefined
            ? []
            : [{ folder, track: first.track, init: initName, segments: tracks.flatMap(({ segments }) => segments) }];
    });
    return { uploadedTracks, outputs };
});
