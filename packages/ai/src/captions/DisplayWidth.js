/**
 * The width of a text on the screen, in half-width characters. A full-width character (Han, kana, hangul, emoji) counts
 * 42/16, so that one limit holds for all scripts: a line of 42 half-width or 16 full-width characters is full.
 */
import stringWidth from "string-width";
const fullWidth = 42 / 16;
const graphemeSegmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });
/** What a reader sees as one character: a letter with its marks, an emoji with its modifiers. */
export const graphemes = (text) => isAscii(text) ? text.split("") : Array.from(graphemeSegmenter.segment(text), ({ segment }) => segment);
export const graphemeCount = (text) => (isAscii(text) ? text.length : graphemes(text).length);
/** The most frequent case, which needs no segmenter. */
const isAscii = (text) => /^[\x20-\x7e]*$/.test(text);
export const displayWidth = (text) => {
    if (isAscii(text))
        return text.length;
    return graphemes(text).reduce((width, grapheme) => width + graphemeWidth(grapheme), 0);
};
const emoji = /\p{RGI_Emoji}/v;
const graphemeWidth = (grapheme) => {
    const columns = stringWidth(grapheme);
    // A Thai letter with a vowel sign beside it has two columns, but both are half-width.
    const isFullWidth = columns > 1 && (stringWidth(String.fromCodePoint(grapheme.codePointAt(0) ?? 0)) > 1 || emoji.test(grapheme));
    return isFullWidth ? fullWidth : columns;
};
