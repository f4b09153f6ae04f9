/**
 * Publishes the audio of a chunked encode in steps while the rest is being encoded. Each step is recorded (the first
 * writer wins), promoted to its final names and marked as completed; the first step may make the stream playable.
 *
 * - After a crash, the next worker encodes all audio again but continues after the last completed step. Recorded segments
 *   are never replaced, since players may have them already and another ffmpeg may write other bytes.
 * - A failure here never fails the chunk: the step is attempted again with the next update, or published with the whole
 *   audio at the end.
 */
import { TransientError } from "@armoricore/domain/Errors";
import { Effect } from "effect";
import * as AudioCheckpoint from "./AudioCheckpoint.ts";
import { audioChunk } from "./ChunkedEncodes.ts";
import { listObjects } from "./ChunkOutputs.ts";
import * as ProvisionalChunkPlaylist from "./ProvisionalChunkPlaylist.ts";
export const make = (context, copier, job, request, staging) => {
    const { encodes } = context;
    const { version } = request;
    const steps = [];
    /** Another worker may have recorded steps before this one. */
    let mayHaveRecorded = true;
    let isPlayablePublished = false;
    let hasRecordedCheckpoints = false;
    const record = Effect.fnUntraced(function* (name, tracks) {
        const initHashes = Object.fromEntries(tracks.map(({ folder, init_hash }) => [folder, init_hash]));
        // A mismatch is reported once the whole audio is encoded. If the whole audio is recorded, steps are obsolete.
        if (!(yield* encodes.pinInitSegments(version, initHashes)) ||
            (yield* encodes.findOutput(version, audioChunk)) !== undefined)
            return undefined;
        hasRecordedCheckpoints = true;
        return yield* encodes.recordOutput(version, name, { staging, tracks, images: [] });
    });
    const publishSteps = Effect.fnUntraced(function* (audio) {
        for (;;) {
            const name = AudioCheckpoint.checkpointName(steps.length);
            const encoded = AudioCheckpoint.nextCheckpoint(job, audio, steps.map(({ tracks }) => tracks));
            if (encoded === undefined && !mayHaveRecorded)
                return;
            const recorded = yield* encodes.findOutput(version, name);
            mayHaveRecorded = recorded !== undefined;
            const step = recorded ?? (encoded === undefined ? undefined : yield* record(name, encoded));
            if (step === undefined)
                return;
            if (!job.completed.includes(name) && !(yield* copier.promote(job, step))) {
                yield* encodes.discardOutput(version, name);
                return;
            }
            const completed = yield* encodes.markCompleted(version, name);
            if (completed === undefined)
                return;
            steps.push(step);
            yield* ProvisionalChunkPlaylist.update(context, { ...request, chunk: name }, completed);
            isPlayablePublished = true;
        }
    });
    return {
        /** Publishes all steps that the audio so far completes. Never fails. */
        publishCheckpoints: (audio) => Effect.catch(publishSteps(audio), (error) => Effect.logDebug("The audio encoded so far could not be published", { version, error })),
        /** Whether a step has made the stream playable, so that the completed chunk need not. */
        isPlayablePublished: () => isPlayablePublished,
        /** Whether recorded steps may refer to the staging folder of this worker. */
        hasRecordedCheckpoints: () => hasRecordedCheckpoints,
        /** Names of the promoted objects, with the content that `mergeRecorded` returns. */
        promoted: () => new Set(steps.flatMap((step) => listObjects(step).map(({ name }) => name))),
        /** The whole audio of this worker, with the segments of steps that other workers have recorded. */
        mergeRecorded: Effect.fnUntraced(function* (output) {
            let { tracks } = output;
            for (let index = 0;; index++) {
                const name = AudioCheckpoint.checkpointName(index);
                const step = steps[index] ?? (yield* encodes.findOutput(version, name));
                if (step === undefined)
                    return { ...output, tracks };
                if (step.staging === staging)
                    continue;
                const merged = tracks.map((track) => mergeCheckpoint(track, step));
                if (!merged.every((track) => track !== undefined)) {
                    return yield* new TransientError({
                        dependency: "ffmpeg",
                        code: "encoder_mismatch",
                        message: "this worker's ffmpeg splits audio into other segments than that of another worker; install the same " +
                            "ffmpeg build everywhere",
                    });
                }
                if (!(yield* copier.copy(listObjects(step), step.staging, staging))) {
                    yield* encodes.discardOutput(version, name);
                    return yield* new TransientError({
                        dependency: "storage",
                        code: "object_missing",
                        message: `objects of audio step ${name} of media ${request.mediaId} are missing; it is encoded again`,
                    });
                }
                tracks = merged;
            }
        }),
    };
};
/** Undefined if the step's segments have other durations than those of this worker. */
const mergeCheckpoint = (track, step) => {
    const recorded = new Map(step.tracks.find(({ folder }) => folder === track.folder)?.segments.map((segment) => [segment.name, segment]));
    const hasSameDurations = track.segments.every(({ name, seconds }) => (recorded.get(name)?.seconds ?? seconds) === seconds);
    return hasSameDurations
        ? { ...track, segments: track.segments.map((segment) => recorded.get(segment.name) ?? segment) }
        : undefined;
};
