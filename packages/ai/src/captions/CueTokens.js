import { captionRules } from "./CaptionRules.ts";
import { displayWidth, graphemes } from "./DisplayWidth.ts";
import { hasSpaceBetween, mustNotEndLine, mustNotStartLine, segmentWords } from "./WordBoundaries.ts";
/** Pieces of one word that an engine returns apart are closer than this. */
const maxGapInWordMillis = 600;
export const toCueTokens = (words) => {
    const tokens = [];
    // Piece by piece, so that a long recording needs no copies of its words.
    for (const piece of splitWide(attachPunctuation(divideRuns(joinRuns(toPieces(words)))))) {
        const previous = tokens.at(-1);
        const spaceBefore = previous !== undefined && piece.spaceBefore;
        const startOffset = (previous?.endOffset ?? 0) + (spaceBefore ? 1 : 0);
        tokens.push({ ...piece, spaceBefore, startOffset, endOffset: startOffset + displayWidth(piece.text) });
    }
    return tokens;
};
// Control characters and direction marks have no meaning in a caption and may break a file.
const invisibleCharacters = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
// Joiners shape letters and emoji, tags make flags, and the number signs of Arabic and Syriac are visible.
const visibleFormatCharacters = /\u200c|\u200d|[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2]|[\u{e0020}-\u{e007f}]/u;
const cleanText = (text) => text
    .replace(/\s+/gu, " ")
    .replace(invisibleCharacters, (character) => (visibleFormatCharacters.test(character) ? character : ""))
    .trim();
function* toPieces(words) {
    let previous;
    const ordered = words
        .filter(({ end, start }) => Number.isFinite(start) && Number.isFinite(end))
        .sort((a, b) => a.start - b.start);
    for (const word of ordered) {
        const parts = cleanText(word.text)
            .split(" ")
            .filter((part) => part !== "");
        const begin = Math.max(0, Math.round(word.start * 1000));
        const length = Math.max(1, Math.round(word.end * 1000) - begin);
        for (const [index, text] of parts.entries()) {
            const piece = {
                text,
                start: begin + Math.round((length * index) / parts.length),
                end: begin + Math.round((length * (index + 1)) / parts.length),
                speaker: word.speaker,
                spaceBefore: previous !== undefined && hasSpaceBetween(previous.text, text, index > 0 ? true : word.space_before),
            };
            yield piece;
            previous = piece;
        }
    }
}
function* joinRuns(pieces) {
    let run = [];
    for (const piece of pieces) {
        const previous = run.at(-1);
        const continues = previous !== undefined &&
            !piece.spaceBefore &&
            previous.speaker === piece.speaker &&
            piece.start - previous.end <= maxGapInWordMillis;
        if (!continues && previous !== undefined) {
            yield run;
            run = [];
        }
        run.push(piece);
    }
    if (run.length > 0)
        yield run;
}
function* divideRuns(runs) {
    for (const run of runs)
        yield* toWords(run);
}
/** Divides a run into words. A position within a piece has a time in proportion to its letters. */
const toWords = (run) => {
    let index = 0;
    let passedLetters = 0;
    /** Offsets must not decrease between calls. */
    const timeAt = (offset, isEnd) => {
        for (let piece = run[index]; piece !== undefined; piece = run[++index]) {
            const { end, start, text } = piece;
            const within = offset - passedLetters;
            if (within < text.length || (isEnd && within === text.length))
                return start + Math.round(((end - start) * within) / text.length);
            passedLetters += text.length;
        }
        return run.at(-1)?.end ?? 0;
    };
    let offset = 0;
    return segmentWords(run.map(({ text }) => text).join("")).map((text, position) => {
        const start = timeAt(offset, false);
        offset += text.length;
        return {
            text,
            start,
            end: Math.max(start + 1, timeAt(offset, true)),
            speaker: run[0]?.speaker,
            spaceBefore: position === 0 && run[0]?.spaceBefore === true,
        };
    });
};
/** Closing punctuation joins the token before it, opening punctuation the token after it. */
function* attachPunctuation(pieces) {
    let last;
    for (const piece of pieces) {
        if (last !== undefined && isAttached(last, piece)) {
            const isAfterPause = piece.start - last.end > maxGapInWordMillis;
            last = {
                ...last,
                text: `${last.text}${piece.spaceBefore ? " " : ""}${piece.text}`,
                // Punctuation has no sound, so after a pause it does not extend the word.
                end: isAfterPause ? last.end : Math.max(last.end, piece.end),
            };
            continue;
        }
        if (last !== undefined)
            yield last;
        last = piece;
    }
    if (last !== undefined)
        yield last;
}
const isAttached = (last, piece) => last.speaker === piece.speaker &&
    (mustNotStartLine(piece.text) || (mustNotEndLine(last.text) && piece.start - last.end <= maxGapInWordMillis));
function* splitWide(pieces) {
    for (const piece of pieces) {
        if (displayWidth(piece.text) <= captionRules.maxLineWidth)
            yield piece;
        else
            yield* toLines(piece);
    }
}
/** Divides a token that is wider than a line between graphemes, and not before closing punctuation. */
const toLines = (piece) => {
    const texts = [];
    let line = [];
    let width = 0;
    for (const grapheme of graphemes(piece.text)) {
        const graphemeWidth = displayWidth(grapheme);
        if (width + graphemeWidth > captionRules.maxLineWidth) {
            const moved = graphemesToMove(line, grapheme);
            texts.push(line.slice(0, line.length - moved).join(""));
            line = line.slice(line.length - moved);
            width = displayWidth(line.join(""));
        }
        line.push(grapheme);
        width += graphemeWidth;
    }
    texts.push(line.join(""));
    const length = piece.end - piece.start;
    return texts
        .map((text) => text.trim())
        .map((text, index) => ({
        ...piece,
        text,
        start: piece.start + Math.round((length * index) / texts.length),
        end: piece.start + Math.round((length * (index + 1)) / texts.length),
        spaceBefore: index === 0 && piece.spaceBefore,
    }))
        .filter(({ text }) => text !== "");
};
/** How many graphemes at the end of a full line go to the next line, so that both lines begin and end well. */
const graphemesToMove = (line, next) => {
    const maxMoved = Math.min(4, line.length - 1);
    for (let moved = 0; moved <= maxMoved; moved++) {
        const first = moved === 0 ? next : (line[line.length - moved] ?? "");
        const last = line[line.length - moved - 1] ?? "";
        if (!mustNotStartLine(first) && !mustNotEndLine(last))
            return moved;
    }
    return 0;
};
