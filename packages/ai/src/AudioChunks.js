/**
 * Splits a recording into chunks of a length that engines accept. A cut is at a pause if there is one, otherwise at the
 * quietest 100 ms, with an overlap that `OverlapMerge` resolves. Positions are sample counts, so they do not drift.
 *
 * Engines hallucinate text for silence, so chunks have no silence at their ends, and silent chunks are dropped.
 */
import { samplesPerFrame, sampleRate } from "./Pcm.ts";
/** Seconds of audio that are in both chunks of a forced cut. */
export const overlapSeconds = 1.5;
/** Seconds of silence before and after the speech of a chunk. */
const paddingSeconds = 0.5;
/** `maxSeconds` is at least ten times the overlap. */
export const planChunks = (measurement, speech, maxSeconds) => {
    const frames = measurement.loudness.length;
    const maxFrames = Math.floor(Math.max(maxSeconds, overlapSeconds * 10) * 10);
    const chunks = [];
    let start = 0;
    let isForced = false;
    while (start < frames) {
        // The overlap counts towards the length of the chunk, so a forced cut is earlier by it.
        const cut = frames - start <= maxFrames ? { at: frames, forced: false } : findCut(measurement, speech, start, maxFrames);
        const intervals = speech.filter(({ startFrame, endFrame }) => endFrame > start && startFrame < cut.at);
        const first = intervals[0];
        const last = intervals.at(-1);
        if (first !== undefined && last !== undefined) {
            const from = isForced ? start : Math.max(start, first.startFrame - paddingSeconds * 10);
            const to = cut.forced ? cut.at + overlapSeconds * 10 : Math.min(cut.at, last.endFrame + paddingSeconds * 10);
            chunks.push({
                index: chunks.length,
                startSample: Math.round(from) * samplesPerFrame,
                endSample: Math.min(measurement.sampleCount, Math.round(to) * samplesPerFrame),
                overlapsPrevious: isForced,
            });
        }
        start = cut.at;
        isForced = cut.forced;
    }
    return chunks;
};
export const toSeconds = (samples) => samples / sampleRate;
/** The middle of the longest pause in the last two fifths of the maximal length, otherwise the quietest frame there. */
const findCut = ({ loudness }, speech, start, maxFrames) => {
    const earliest = start + Math.floor(maxFrames * 0.6);
    const latest = start + maxFrames - overlapSeconds * 10;
    let best;
    speech.forEach(({ endFrame }, index) => {
        const next = speech[index + 1]?.startFrame ?? loudness.length;
        const from = Math.max(endFrame, earliest);
        const until = Math.min(next, latest);
        const length = until - from;
        if (length >= 3 && (best === undefined || length > best.length)) {
            best = { at: from + Math.floor(length / 2), length };
        }
    });
    if (best !== undefined)
        return { at: best.at, forced: false };
    let quietest = latest;
    for (let frame = earliest; frame < latest; frame++) {
        if ((loudness[frame] ?? 0) < (loudness[quietest] ?? 0))
            quietest = frame;
    }
    return { at: quietest, forced: true };
};
