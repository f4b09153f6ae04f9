/**
 * Where words begin and end in scripts that write without spaces, and where a line may not break.
 *
 * - Chinese and Japanese have no spaces. Thai, Lao, Khmer, Burmese and others have spaces only between phrases.
 * - Closing punctuation, small kana and repetition signs do not start a line; opening punctuation does not end one.
 */
import { graphemes } from "./DisplayWidth.ts";
const ideographic = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Bopomofo}\p{sc=Yi}\u3000-\u303f\u30fb\u30fc\uff01-\uff9f\uffe0-\uffe6]/u;
/** Scripts whose spaces separate phrases. */
export const spacedByPhrase = /[\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{sc=Tibetan}\p{sc=Javanese}\p{sc=Balinese}\p{sc=Tai_Tham}\p{sc=Tai_Le}\p{sc=New_Tai_Lue}\p{sc=Tai_Viet}\p{sc=Cham}]/u;
const spacingOf = (character) => ideographic.test(character) ? "none" : spacedByPhrase.test(character) ? "phrases" : "words";
/** Code points, not UTF-16 units: Han characters exist beyond U+FFFF. */
const firstCharacter = (text) => String.fromCodePoint(text.codePointAt(0) ?? 0x20);
const lastCharacter = (text) => /.$/su.exec(text)?.[0] ?? " ";
const lastLetter = (text) => lastCharacter(text.replace(/[\p{sc=Inherited}\p{Cf}]+$/u, ""));
const isAscii = (unit) => unit > 0x20 && unit < 0x7f;
/** Whether a space separates two words; `written` says whether the engine wrote one. */
export const hasSpaceBetween = (before, after, written) => {
    // The most frequent case.
    if (isAscii(before.charCodeAt(before.length - 1)) && isAscii(after.charCodeAt(0)))
        return written ?? true;
    // Some engines return the marks of a letter apart from it.
    if (/^\p{M}/u.test(after))
        return false;
    const left = spacingOf(lastLetter(before));
    const right = spacingOf(firstCharacter(after));
    // Engines separate tokens of Chinese and Japanese by spaces that no reader expects.
    if (left === "none" && right === "none")
        return false;
    if (written !== undefined)
        return written;
    return left === "words" || right === "words" ? left !== "none" && right !== "none" : false;
};
/** The text of words, with spaces where their scripts have them. */
export const joinWords = (words) => words.reduce((text, word) => text === "" ? word.text : `${text}${hasSpaceBetween(text, word.text, word.space_before) ? " " : ""}${word.text}`, "");
const wordSegmenter = new Intl.Segmenter(undefined, { granularity: "word" });
/**
 * The words of a text without spaces, with punctuation at the word that it belongs to. A text in a script with spaces is
 * one word. No word begins or ends inside a grapheme.
 */
export const segmentWords = (text) => {
    if (!ideographic.test(text) && !spacedByPhrase.test(text))
        return [text];
    const graphemeStarts = new Set();
    let offset = 0;
    for (const grapheme of graphemes(text)) {
        graphemeStarts.add(offset);
        offset += grapheme.length;
    }
    const words = [];
    for (const { index, segment } of wordSegmenter.segment(text)) {
        const last = words.at(-1);
        const joins = last !== undefined && (!graphemeStarts.has(index) || mustNotStartLine(segment) || mustNotEndLine(last));
        if (joins)
            words[words.length - 1] = last + segment;
        else
            words.push(segment);
    }
    return words;
};
// Beside closing brackets and quotation marks (\p{Pe}, \p{Pf}): the sentence and phrase marks of each script.
const closingMarks = String.raw `\p{Pe}\p{Pf}.,:;!?%…‥、。，．：；！？・％‰°′″々〻ゝゞヽヾー゠〜～‐ｰﾞﾟ｡､･ๆฯຯໆ។៕៖ៗ၊။་།༎༏༑༔।॥،؛؟۔։՝՜՞׃።፣፤፥፦፧᠂᠃꧈꧉᭞᭟`;
const smallKana = "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰ-ㇿｧ-ｯ";
const closingOnly = new RegExp(String.raw `^["']*[${closingMarks}]["'${closingMarks}]*$`, "u");
const startsWithNonStarter = new RegExp(String.raw `^[、。，．：；！？・％々〻ゝゞヽヾー゠〜～‐ｰﾞﾟ｡､･ๆฯຯໆ។៕៖ៗ၊။་།༎༏༑༔।॥،؛؟۔։՝։׃።፣፤፥፦፧᠂᠃꧈꧉᭞᭟\u300d\u300f\u3011\u3015\u3009\u300b\uff09\uff3d\uff5d\p{M}${smallKana}]`, "u");
const openingOnly = /^[\p{Ps}\p{Pi}¿¡«“‘$£¥€＄￥￡]+$/u;
/** Closing punctuation, and characters that only continue a word. */
export const mustNotStartLine = (text) => closingOnly.test(text) || startsWithNonStarter.test(text);
/** Opening punctuation. */
export const mustNotEndLine = (text) => openingOnly.test(text);
