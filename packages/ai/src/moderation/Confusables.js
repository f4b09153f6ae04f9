/**
 * Folds text for comparisons: `ｂａｄ`, `bаd` with a Cyrillic а, `ʙᴀᴅ`, `🅱🅰🅳`, `b\u200Bad` and `bààd` all become `bad`. The
 * result is never shown.
 *
 * Each character is folded on its own, by a table that is filled as characters occur, so the cost is linear and a character
 * becomes at most four. Vowel signs stay: without them Hindi काम (work) would be कम (less).
 */
import { blankBraille, invisibleCharacter } from "@armoricore/domain/VisibleText";
import { confusables } from "./ConfusablesTable.ts";
/** White space and punctuation separate tokens; these symbols may stand for letters. */
export const letterSymbols = "@$!|€£¡";
const separator = " ";
/** Control characters too: invisible ones are left out, but the end of a line ends a word. */
const whiteSpace = /^[\t-\r\u0085\p{Z}]$/u;
/** Accents, Arabic vowel marks and Hebrew points, which writers leave out. Vowel signs of other scripts are letters. */
const optionalMark = /(?=\p{M})(?:\p{Script=Inherited}|\p{Script=Latin}|\p{Script=Cyrillic}|\p{Script=Hebrew}|\p{Script=Arabic})/gu;
/** Letters that look like others and are not in Unicode's table, since they do so only in lower case or in small capitals. */
const similarLetters = (() => {
    const pairs = new Map();
    const add = (from, to) => {
        const targets = [...to];
        for (const [index, character] of [...from].entries())
            pairs.set(character, targets[index] ?? character);
    };
    for (const [target, sources] of Object.entries(confusables)) {
        for (const character of sources)
            pairs.set(character, target);
    }
    add("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz");
    add("аеорсухіјѕԁһӏԛԝвкмнтпгё", "aeopcyxijsdhlqwbkmhtnre");
    add("αβγδεζηικλμνορστυχω", "abydezniklmvopotuxw");
    add("ıłøđħŧɓɗƙƥƭʋɑɡ", "ilodhtbdkptvag");
    return pairs;
})();
/** Scripts with letters that look like Latin ones: their own words must not become Latin words. */
const otherAlphabet = /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}\p{Script=Coptic}]/u;
export const lookalikeOf = (character) => similarLetters.get(character);
export const isOtherAlphabet = (character) => otherAlphabet.test(character);
const maxExpansion = 4;
const enclosedAlphabets = [
    [0x1f150, 0x1f169],
    [0x1f170, 0x1f189],
];
const firstIndicator = 0x1f1e6;
const lastIndicator = 0x1f1ff;
const foldOne = (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (whiteSpace.test(character))
        return separator;
    if (invisibleCharacter.test(character))
        return "";
    if (character === blankBraille)
        return separator;
    for (const [first, last] of enclosedAlphabets) {
        if (code >= first && code <= last)
            return String.fromCharCode(97 + code - first);
    }
    const plain = character.normalize("NFKD").replace(optionalMark, "").toLowerCase();
    if (plain.length > maxExpansion)
        return character;
    // A letter with a mark of its own script (が, क़) stays composed.
    if (/\p{M}/u.test(plain))
        return character.normalize("NFKC").toLowerCase();
    if (/^[\x20-\x7e]*$/.test(plain))
        return plain;
    // Capitals are replaced here; they look like Latin ones where the small letters do not.
    const capital = character.toLowerCase() === character ? undefined : similarLetters.get(character);
    return capital !== undefined && !isOtherAlphabet(character) ? capital : plain;
};
const maxTableSize = 50_000;
const table = new Map();
const foldCharacter = (character) => {
    const known = table.get(character);
    if (known !== undefined)
        return known;
    const folded = foldOne(character);
    if (table.size < maxTableSize)
        table.set(character, folded);
    return folded;
};
const nonAscii = /[^\x20-\x7e]/;
/** Lower case; without accents and invisible characters; letters in frames, circles and full width as plain letters. */
export const foldCharacters = (text) => {
    if (!nonAscii.test(text))
        return text.toLowerCase();
    let folded = "";
    let indicators = "";
    // Composed first, so that a mark never loses its letter.
    for (const character of text.normalize("NFC")) {
        const code = character.codePointAt(0) ?? 0;
        if (code >= firstIndicator && code <= lastIndicator) {
            indicators += String.fromCharCode(97 + code - firstIndicator);
            continue;
        }
        if (indicators !== "")
            folded += separator + lettersOfIndicators(indicators) + separator;
        indicators = "";
        folded += foldCharacter(character);
    }
    return indicators === "" ? folded : folded + separator + lettersOfIndicators(indicators);
};
/** One pair is a flag; more are letters. */
const lettersOfIndicators = (letters) => (letters.length > 2 ? letters : "");
/** The letters that a word looks like. */
export const foldLookalikes = (word) => {
    let folded = "";
    for (const character of word)
        folded += similarLetters.get(character) ?? character;
    return folded;
};
/** `foldCharacters` and all lookalikes, without regard to the words' script. */
export const foldConfusables = (text) => foldLookalikes(foldCharacters(text));
/** Digits and symbols that replace letters. */
const leetSubstitutions = new Map([...letterSymbols, ..."0134578"].map((character) => [character, leetLetter(character)]));
function leetLetter(character) {
    const at = "0134578@$!|€£¡".indexOf(character);
    return "oieastbasiieli"[at] ?? character;
}
/** Replaces digits and symbols by letters; `1` and `|` by `one`. A word without letters is a number and stays unchanged. */
export const foldLeetspeak = (word, one = "i") => {
    if (/^[a-z]*$/.test(word) || !/\p{L}/u.test(word))
        return word;
    let folded = "";
    for (const character of word) {
        folded +=
            one === "l" && (character === "1" || character === "|") ? one : (leetSubstitutions.get(character) ?? character);
    }
    return folded;
};
