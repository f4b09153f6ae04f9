import { normalizeWord } from "./HallucinationFilter.ts";
import { overlapSeconds, toSeconds } from "./AudioChunks.ts";
import { roundToMillis } from "./WordTiming.ts";
/** Seconds. The start of the same word may differ by this much between two chunks. */
const maxTimeDifference = 0.3;
/** `chunks` are in order. The result has seconds from the start of the recording. */
export const mergeOverlaps = (chunks) => {
    const merged = [];
    for (const { chunk, words } of chunks) {
        const offset = toSeconds(chunk.startSample);
        const current = words.map((word) => ({
            ...word,
            start: roundToMillis(word.start + offset),
            end: roundToMillis(word.end + offset),
        }));
        if (!chunk.overlapsPrevious) {
            merged.push(...current);
            continue;
        }
        const overlap = merged.findIndex(({ end }) => end > offset);
        const previous = overlap < 0 ? [] : merged.slice(overlap);
        const seam = findSeam(previous, current, offset);
        merged.splice(merged.length - previous.length, previous.length, ...previous.slice(0, seam.before), ...current.slice(seam.after));
    }
    return merged;
};
/** `before`: words of the first chunk's end to keep. `after`: words of the second chunk's beginning to drop. */
const findSeam = (before, after, offset) => {
    const middle = offset + overlapSeconds / 2;
    let best;
    before.forEach((first, index) => {
        after.forEach((second, position) => {
            if (second.start > offset + overlapSeconds)
                return;
            const same = normalizeWord(first.text) === normalizeWord(second.text) &&
                Math.abs(first.start - second.start) <= maxTimeDifference;
            const distance = Math.abs((first.start + first.end) / 2 - middle);
            if (same && (best === undefined || distance < best.distance)) {
                best = { before: index + 1, after: position + 1, distance };
            }
        });
    });
    if (best !== undefined)
        return best;
    const isLate = ({ start, end }) => (start + end) / 2 >= middle;
    const firstLate = before.findIndex(isLate);
    const secondLate = after.findIndex(isLate);
    return { before: firstLate < 0 ? before.length : firstLate, after: secondLate < 0 ? after.length : secondLate };
};
