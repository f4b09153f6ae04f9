/**
 * Steps in which the audio of a chunked encode is published while it is being encoded. One ffmpeg encodes all audio,
 * which takes minutes for a long video. So the beginning, as long as the first video window, is published as soon as it
 * exists, then steps of doubling length. The segments of a step follow from the plan, so every worker that encodes
 * the audio has the same steps.
 */
import { audioFolder } from "../encode/EncodingPlan.ts";
import { audioChunk } from "./ChunkedEncodes.ts";
import { firstSegment } from "./ChunkWindow.ts";
/** The name under which a step is recorded and marked as completed. */
export const checkpointName = (index) => `${audioChunk}-${index}`;
/** The completed steps in playback order, up to the first gap. */
export const completedCheckpoints = (completed) => {
    const names = [];
    while (completed.includes(checkpointName(names.length)))
        names.push(checkpointName(names.length));
    return names;
};
/** Segments by which tracks may differ because of ffmpeg's interleaving. A track further behind has ended. */
const maxTrackLag = 8;
/**
 * The next step; undefined while its segments are incomplete. A track that ends long before the others is left out of
 * this and all later steps; it is published with the whole audio.
 */
export const nextCheckpoint = ({ plan, windows }, audio, earlier) => {
    const [, second] = windows;
    if (second === undefined)
        return undefined;
    const firstLength = firstSegment(second);
    const from = firstLength * (2 ** earlier.length - 1);
    const to = firstLength * (2 ** (earlier.length + 1) - 1);
    const longest = Math.max(0, ...audio.map(({ segments }) => segments.length));
    const expectedFolders = plan.info.audioTracks
        .map((_, track) => audioFolder(track))
        .filter((name) => earlier.every((step) => step.some(({ folder }) => folder === name)));
    const ready = audio.filter(({ folder, segments }) => expectedFolders.includes(folder) && segments.length >= to);
    const isComplete = ready.length === expectedFolders.length || longest >= to + maxTrackLag;
    return ready.length === 0 || !isComplete
        ? undefined
        : ready.map((track) => ({ ...track, segments: track.segments.slice(from, to) }));
};
