import { displayWidth } from "./DisplayWidth.ts";
/** Times in milliseconds. */
export const captionRules = {
    /** Half-width characters, see `displayWidth`: 42 of Latin, 16 of Han. */
    maxLineWidth: 42,
    maxLines: 2,
    /** Reading speed in half-width characters. */
    maxCharactersPerSecond: 20,
    minDurationMillis: 833,
    maxDurationMillis: 7000,
    /** Two frames at 24 frames per second. */
    minGapMillis: 83,
};
/** Returns the violations. Speech that is faster than the reading speed cannot satisfy every rule. */
export const lintCues = (cues) => cues.flatMap(({ end: endSeconds, lines, start: startSeconds }, cue) => {
    const violations = [];
    const start = Math.round(startSeconds * 1000);
    const end = Math.round(endSeconds * 1000);
    const longestLine = Math.max(0, ...lines.map(displayWidth));
    if (longestLine > captionRules.maxLineWidth)
        violations.push({ cue, rule: "line_length", measured: longestLine });
    if (lines.length > captionRules.maxLines)
        violations.push({ cue, rule: "lines", measured: lines.length });
    const charactersPerSecond = (displayWidth(lines.join(" ")) * 1000) / Math.max(1, end - start);
    if (charactersPerSecond > captionRules.maxCharactersPerSecond + 0.001)
        violations.push({ cue, rule: "reading_speed", measured: Math.round(charactersPerSecond * 10) / 10 });
    if (end - start < captionRules.minDurationMillis)
        violations.push({ cue, rule: "too_short", measured: (end - start) / 1000 });
    if (end - start > captionRules.maxDurationMillis)
        violations.push({ cue, rule: "too_long", measured: (end - start) / 1000 });
    const next = cues[cue + 1];
    if (next !== undefined && Math.round(next.start * 1000) - end < captionRules.minGapMillis) {
        violations.push({ cue, rule: "gap", measured: Math.round(next.start * 1000 - end) / 1000 });
    }
    return violations;
});
