import { displayWidth } from "./captions/DisplayWidth.ts";
import { hasSpaceBetween, segmentWords } from "./captions/WordBoundaries.ts";
/** Ascending, within the chunk, each at least 10 ms long. */
export const toTimedWords = (recognition, seconds, speech) => {
    const rawWords = recognition.words.some(({ text }) => /\S/u.test(text))
        ? recognition.words
        : recognition.segments.flatMap(distributeWords(seconds, speech));
    const words = joinMarks(rawWords
        .map((word) => ({ ...word, ...(/^\s/u.test(word.text) ? { space_before: true } : {}), text: word.text.trim() }))
        .filter(({ start, end, text }) => text !== "" && Number.isFinite(start) && Number.isFinite(end))
        .map((word) => ({ ...word, start: Math.max(0, word.start) }))
        .sort((a, b) => a.start - b.start));
    const lastEnd = Math.max(0, ...words.map(({ end }) => end));
    // A word after the end of the audio means that the engine's clock runs fast. The drift is assumed to be constant.
    const speechEnd = Math.min(seconds, (speech.at(-1)?.endFrame ?? seconds * 10) / 10);
    const timeScale = lastEnd > seconds + 0.3 ? speechEnd / lastEnd : 1;
    return words.map((word, index) => {
        const start = speechOnset(Math.min(word.start * timeScale, seconds), Math.min(word.end * timeScale, seconds), speech);
        const next = words[index + 1];
        const until = Math.min(seconds, word.end * timeScale, next === undefined ? seconds : next.start * timeScale);
        return { ...word, start: roundToMillis(start), end: roundToMillis(Math.max(start + 0.01, until)) };
    });
};
export const roundToMillis = (seconds) => Math.round(seconds * 1000) / 1000;
/** Moves the start of a word in silence to the start of the speech: a caption must not precede the voice. */
const speechOnset = (start, end, speech) => {
    if (speech.some(({ startFrame, endFrame }) => startFrame / 10 <= start && start < endFrame / 10))
        return start;
    const next = speech.find(({ startFrame }) => startFrame / 10 > start);
    return next !== undefined && next.startFrame / 10 < end - 0.05 ? next.startFrame / 10 : start;
};
/**
 * A token of some models is a part of a letter: a mark without its letter, or half of a surrogate pair. It belongs to the
 * word before it. Removes `space_before` where the scripts decide the same.
 */
const joinMarks = (words) => {
    const joined = [];
    for (const word of words) {
        const previous = joined.at(-1);
        if (previous !== undefined && /^(?:\p{M}|\u200c|\u200d|[\udc00-\udfff])/u.test(word.text)) {
            joined[joined.length - 1] = {
                ...previous,
                text: previous.text + word.text,
                end: Math.max(previous.end, word.end),
            };
            continue;
        }
        const { space_before: spaceBefore } = word;
        if (spaceBefore === undefined) {
            joined.push(word);
            continue;
        }
        const isDefault = previous === undefined ||
            hasSpaceBetween(previous.text, word.text, spaceBefore) === hasSpaceBetween(previous.text, word.text);
        const { space_before: _, ...rest } = word;
        joined.push(isDefault ? rest : word);
    }
    return joined;
};
/** Distributes the words of a segment by their width: over its time, or over the speech of the chunk. */
const distributeWords = (seconds, speech) => (segment) => {
    const words = segment.text.split(/\s+/u).flatMap((phrase, phraseIndex) => phrase === ""
        ? []
        : segmentWords(phrase).map((text, index) => ({
            text,
            width: displayWidth(text) + 1,
            // The first word of a segment may begin in the middle of a phrase.
            ...(phraseIndex === 0 && index === 0 ? {} : { space_before: index === 0 }),
        })));
    const totalWidth = words.reduce((sum, { width }) => sum + width, 0);
    const hasTimes = segment.end > segment.start;
    const intervals = hasTimes
        ? [{ startFrame: segment.start * 10, endFrame: segment.end * 10 }]
        : speech.length > 0
            ? speech
            : [{ startFrame: 0, endFrame: seconds * 10 }];
    const total = intervals.reduce((sum, { startFrame, endFrame }) => sum + endFrame - startFrame, 0);
    /** The time after a fraction (0 to 1) of the speech; at a pause its end (`after`) or its start (`before`). */
    const timeAt = (fraction, atPause) => {
        let remaining = fraction * total;
        for (const { startFrame, endFrame } of intervals) {
            if (remaining < endFrame - startFrame || (atPause === "before" && remaining <= endFrame - startFrame + 1e-9))
                return (startFrame + remaining) / 10;
            remaining -= endFrame - startFrame;
        }
        return (intervals.at(-1)?.endFrame ?? 0) / 10;
    };
    let passedWidth = 0;
    return words.map(({ width, ...word }) => {
        const start = timeAt(passedWidth / totalWidth, "after");
        passedWidth += width;
        const end = timeAt(passedWidth / totalWidth, "before");
        return { start, end, ...word, ...(segment.speaker === undefined ? {} : { speaker: segment.speaker }) };
    });
};
