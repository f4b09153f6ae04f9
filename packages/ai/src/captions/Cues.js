import { lineBreakCost } from "./LineBreaks.ts";
import { captionRules } from "./CaptionRules.ts";
import { toCueTokens } from "./CueTokens.ts";
/** A longer pause ends the cue. */
const maxPauseMillis = 1500;
/** How long a cue stays visible after its last word, if no other cue follows. */
const trailingMillis = 500;
/** A cue is visible for at least this time, even if the next cue then starts late. */
const minVisibleMillis = 250;
export const buildCues = (words, language) => {
    const tokens = toCueTokens(words);
    const cost = lineBreakCost(language);
    const ends = [];
    let from = 0;
    for (let index = 1; index <= tokens.length; index++) {
        const previous = tokens[index - 1];
        const next = tokens[index];
        if (previous === undefined)
            continue;
        if (next === undefined || next.start - previous.end > maxPauseMillis || next.speaker !== previous.speaker) {
            ends.push(...chooseCueEnds(tokens, from, index, cost));
            from = index;
        }
    }
    return assignTimes(tokens, ends, cost);
};
/** The width of the tokens from `from` up to `to` (exclusive) in one line. */
const lineWidth = (tokens, from, to) => {
    const first = tokens[from];
    const last = tokens[to - 1];
    return first === undefined || last === undefined ? 0 : last.endOffset - first.startOffset;
};
/** The ends of the cues of one run: positions after their last tokens. */
const chooseCueEnds = (tokens, from, to, cost) => {
    const best = new Float64Array(to - from + 1).fill(Number.POSITIVE_INFINITY);
    const cameFrom = new Int32Array(to - from + 1).fill(-1);
    best[0] = 0;
    for (let end = from + 1; end <= to; end++) {
        const last = tokens[end - 1];
        const next = tokens[end];
        if (last === undefined)
            break;
        const breakPenalty = end === to || next === undefined ? 0 : cost(last, next);
        for (let start = end - 1; start >= from; start--) {
            const first = tokens[start];
            if (first === undefined)
                break;
            const width = lineWidth(tokens, start, end);
            if (start < end - 1 &&
                (last.end - first.start > captionRules.maxDurationMillis || !fitsInTwoLines(tokens, start, end)))
                break;
            const availableMillis = Math.min(captionRules.maxDurationMillis, (next?.start ?? Number.POSITIVE_INFINITY) - captionRules.minGapMillis - first.start);
            const requiredMillis = Math.max(captionRules.minDurationMillis, (width / captionRules.maxCharactersPerSecond) * 1000);
            const missingSeconds = Math.max(0, requiredMillis - availableMillis) / 1000;
            // A very short cue is hard to read, unless it is the whole run.
            const orphanPenalty = width < 12 && (start > from || end < to) ? 2 : 0;
            const total = (best[start - from] ?? 0) + 3 + breakPenalty + orphanPenalty + missingSeconds * 30;
            if (total < (best[end - from] ?? 0)) {
                best[end - from] = total;
                cameFrom[end - from] = start - from;
            }
        }
    }
    const ends = [];
    for (let at = to - from; at > 0; at = cameFrom[at] ?? 0)
        ends.push(at + from);
    return ends.reverse();
};
const fitsInTwoLines = (tokens, from, to) => {
    if (lineWidth(tokens, from, to) <= captionRules.maxLineWidth)
        return true;
    // A full first line leaves the shortest second line.
    let second = from;
    while (second < to && lineWidth(tokens, from, second + 1) <= captionRules.maxLineWidth)
        second++;
    return lineWidth(tokens, second, to) <= captionRules.maxLineWidth;
};
const breakIntoLines = (tokens, from, to, cost) => {
    if (lineWidth(tokens, from, to) <= captionRules.maxLineWidth)
        return [joinText(tokens, from, to)];
    let best = from + 1;
    let minCost = Number.POSITIVE_INFINITY;
    for (let second = from + 1; second < to; second++) {
        const upper = lineWidth(tokens, from, second);
        const lower = lineWidth(tokens, second, to);
        if (upper > captionRules.maxLineWidth || lower > captionRules.maxLineWidth)
            continue;
        const last = tokens[second - 1];
        const next = tokens[second];
        if (last === undefined || next === undefined)
            continue;
        const total = cost(last, next) * 2 + Math.abs(upper - lower) / 5 + (upper > lower ? 1 : 0);
        if (total < minCost) {
            minCost = total;
            best = second;
        }
    }
    return [joinText(tokens, from, best), joinText(tokens, best, to)];
};
const joinText = (tokens, from, to) => {
    let text = "";
    for (let index = from; index < to; index++) {
        const token = tokens[index];
        if (token !== undefined)
            text += (index > from && token.spaceBefore ? " " : "") + token.text;
    }
    return text;
};
/** Whole milliseconds, so that all formats have the same times. */
const assignTimes = (tokens, ends, cost) => {
    const cues = [];
    let from = 0;
    let earliestStart = 0;
    for (const to of ends) {
        const first = tokens[from];
        const last = tokens[to - 1];
        if (first === undefined || last === undefined)
            break;
        const start = Math.max(first.start, earliestStart);
        const latestEnd = (tokens[to]?.start ?? Number.POSITIVE_INFINITY) - captionRules.minGapMillis;
        const requiredMillis = Math.ceil(Math.max(captionRules.minDurationMillis, (lineWidth(tokens, from, to) / captionRules.maxCharactersPerSecond) * 1000));
        const preferredEnd = Math.max(last.end + trailingMillis, start + requiredMillis);
        // A short gap between two cues flickers, so the cue is extended over it.
        const extendedEnd = latestEnd - preferredEnd < 500 ? latestEnd : preferredEnd;
        const end = Math.max(start + minVisibleMillis, Math.min(extendedEnd, latestEnd, start + captionRules.maxDurationMillis));
        cues.push({
            start: start / 1000,
            end: end / 1000,
            lines: breakIntoLines(tokens, from, to, cost),
            ...(first.speaker === undefined ? {} : { speaker: first.speaker }),
        });
        earliestStart = end + captionRules.minGapMillis;
        from = to;
    }
    return cues;
};
