/**
 * Finds the words and phrases of a list in a message.
 *
 * - Scripts with spaces: whole words. `baaad` is `bad`, since no language triples a letter; `good` is not `god`. Separated
 *   letters (`b a d`, `b.a.d`) are one word, and so are parts that cannot be words themselves (`sc am`).
 * - Scripts without spaces (Chinese, Japanese, Thai, …): within the text; short entries only where words begin and end.
 *
 * The words of a list are in a tree of letters: the cost of a message does not depend on the length of the list.
 */
import { foldCharacters, foldLeetspeak, foldLookalikes, isOtherAlphabet, letterSymbols, lookalikeOf, } from "./Confusables.ts";
const rightToLeft = "\u202e";
export const foldText = (content) => {
    const folded = foldCharacters(content);
    const tokenizations = [tokenize(folded, "i"), tokenize(folded, "i", true)];
    if (/[1|]/.test(folded))
        tokenizations.push(tokenize(folded, "l"));
    // Text after this control is shown from its end.
    if (content.includes(rightToLeft))
        tokenizations.push(tokenize([...folded].reverse().join(""), "i"));
    return { folded, tokenizations };
};
export const make = (entries) => {
    const root = newNode();
    const unspaced = [];
    for (const entry of entries) {
        const text = entry.trim();
        const folded = foldCharacters(text.replace(/\*$/, ""));
        if (unspacedScript.test(folded)) {
            const squeezed = folded.replace(/\s+/gu, "");
            if (squeezed !== "")
                unspaced.push(unspacedEntry(squeezed));
            continue;
        }
        const words = tokenize(folded, "i").map(runsOf);
        const [first, ...rest] = words;
        if (first !== undefined)
            insert(root, first, { isPrefix: text.endsWith("*"), words, rest });
    }
    return {
        matches: ({ folded, tokenizations }) => (root.children.size > 0 && tokenizations.some((tokens) => hasEntry(root, tokens))) ||
            (unspaced.length > 0 && unspacedScript.test(folded) && hasUnspaced(unspaced, folded)),
    };
};
// Tokens ----------------------------------------------------------------------------------------------------------------
/**
 * Words, with lookalikes and digits as letters. With `plain`, symbols around a word are not letters (`¡bad!`, `$bad`), and
 * `a` and `i` are words (`a b a d`).
 */
const tokenize = (folded, one, plain = false) => {
    const parts = folded.split(notInWord);
    const isGenuine = parts.some(isGenuineWord);
    const tokens = [];
    let letters = "";
    const add = (word) => {
        const latin = isGenuine && isOnlyOtherAlphabet(word) ? word : foldLookalikes(word);
        const token = foldLeetspeak(latin, one);
        if (token !== "")
            tokens.push(token);
    };
    for (const raw of [...parts, ""]) {
        const part = plain ? raw.replace(symbolsAround, "") : raw;
        if (part === "" && raw !== "")
            continue;
        if (isOneCharacter(part)) {
            if (plain && letters === "" && /^[ai]$/.test(part))
                tokens.push(part);
            else
                letters += part;
            continue;
        }
        if (letters !== "")
            add(letters);
        letters = "";
        // A symbol at the end is punctuation.
        if (part !== "")
            add(part.replace(/[!|¡]+$/u, "") || part);
    }
    return tokens;
};
const notInWord = new RegExp(`[^\\p{L}\\p{N}\\p{M}${letterSymbols}]+`, "u");
const symbolsAround = new RegExp(`^[${letterSymbols}]+|[${letterSymbols}]+$`, "gu");
const isOneCharacter = (text) => text.length === 1 || (text.length === 2 && (text.codePointAt(0) ?? 0) > 0xffff);
const isOnlyOtherAlphabet = (word) => [...word].every(isOtherAlphabet);
/** A word of another alphabet with a letter that looks like no Latin one: the message is in that alphabet. */
const isGenuineWord = (word) => word !== "" && isOnlyOtherAlphabet(word) && [...word].some((letter) => lookalikeOf(letter) === undefined);
const newNode = () => ({ children: new Map(), entries: [] });
const insert = (root, runs, entry) => {
    let node = root;
    for (const { letter } of runs) {
        const next = node.children.get(letter) ?? newNode();
        node.children.set(letter, next);
        node = next;
    }
    node.entries.push(entry);
};
const runsOf = (word) => {
    const runs = [];
    for (const letter of word) {
        const last = runs.at(-1);
        if (last?.letter === letter)
            last.count++;
        else
            runs.push({ letter, count: 1 });
    }
    return runs;
};
/** Longer tokens are no words. */
const maxWordLength = 64;
/** Letters that are often double in short words: `goood` is a stretched `good`, not `god`. */
const oftenDouble = /[oe]/;
const shortWord = 4;
const sameWord = (runs, pattern, isPrefix) => {
    if (isPrefix ? runs.length < pattern.length : runs.length !== pattern.length)
        return false;
    const isShort = pattern.reduce((sum, { count }) => sum + count, 0) <= shortWord;
    return pattern.every(({ count, letter }, index) => {
        const run = runs[index];
        if (run === undefined || run.letter !== letter)
            return false;
        if (run.count === count)
            return true;
        const isLast = index === pattern.length - 1;
        if (isPrefix && isLast)
            return run.count > count;
        if (run.count < 3 || run.count < count)
            return false;
        return count > 1 || isLast || !isShort || !oftenDouble.test(letter);
    });
};
const hasEntry = (root, tokens) => {
    const runs = tokens.map((token) => runsOf(token.length > maxWordLength ? token.slice(0, maxWordLength) : token));
    for (let at = 0; at < tokens.length; at++) {
        if (startsEntry(root, runs, at))
            return true;
        const joined = joinedParts(tokens, at);
        if (joined !== undefined && startsEntry(root, [runsOf(joined)], 0))
            return true;
    }
    return false;
};
const startsEntry = (root, words, at) => {
    let node = root;
    const first = words[at] ?? [];
    for (const [index, { letter }] of first.entries()) {
        node = node.children.get(letter);
        if (node === undefined)
            return false;
        const isEnd = index === first.length - 1;
        for (const { isPrefix, rest, words: pattern } of node.entries) {
            if (!isEnd && !(isPrefix && rest.length === 0))
                continue;
            if (!sameWord(first, pattern[0] ?? [], isPrefix && rest.length === 0))
                continue;
            const isWhole = rest.every((word, offset) => {
                const isLast = offset === rest.length - 1;
                return sameWord(words[at + 1 + offset] ?? [], word, isPrefix && isLast);
            });
            if (isWhole)
                return true;
        }
    }
    return false;
};
const maxParts = 4;
const minJoinedLength = 4;
/** `sc am`: words written in parts, of which one has no vowel and so is no word. */
const joinedParts = (tokens, at) => {
    let joined = tokens[at] ?? "";
    let hasFragment = isFragment(joined);
    if (!/^[a-z]{1,8}$/.test(joined))
        return undefined;
    for (let next = at + 1; next < at + maxParts; next++) {
        const part = tokens[next];
        if (part === undefined || !/^[a-z]{1,8}$/.test(part))
            return undefined;
        joined += part;
        hasFragment ||= isFragment(part);
        // Only pairs that need no further part are tried; the parts of longer words are fragments too.
        if (hasFragment && joined.length >= minJoinedLength && !isFragment(tokens[next + 1] ?? ""))
            return joined;
        if (!hasFragment)
            return undefined;
    }
    return undefined;
};
/** `ll` ends words such as `he'll`. */
const isFragment = (token) => token !== "ll" && /^[bcdfghjklmnpqrstvwxz]{1,3}$/.test(token);
// Scripts without spaces ------------------------------------------------------------------------------------------------
/** Han, kana, Thai, Lao, Khmer, Burmese, Tibetan. */
const unspacedScript = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}]/u;
const minFreeLength = 4;
const unspacedEntry = (text) => {
    if (/^[\p{Script=Katakana}ー]+$/u.test(text))
        return { text, within: "katakana" };
    const hasHan = /\p{Script=Han}/u.test(text);
    return { text, within: [...text].length >= (hasHan ? 2 : minFreeLength) ? "anywhere" : "words" };
};
const hasUnspaced = (entries, folded) => {
    // Symbols between the characters of a word are left out; letters of other scripts and digits stay.
    const text = folded.replace(/[^\p{L}\p{M}\p{N}ー]+/gu, "");
    let boundaries;
    return entries.some(({ text: word, within }) => {
        for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + word.length)) {
            const end = at + word.length;
            // The next character is a vowel sign or a tone of the last one: another syllable.
            if (/^\p{M}/u.test(text.slice(end, end + 2)))
                continue;
            if (within === "anywhere")
                return true;
            if (within === "katakana") {
                if (!isKatakana(text[at - 1]) && !isKatakana(text[end]))
                    return true;
                continue;
            }
            boundaries ??= wordBoundaries(text);
            if (boundaries.has(at) && boundaries.has(end))
                return true;
        }
        return false;
    });
};
const isKatakana = (character) => character !== undefined && /[\p{Script=Katakana}ー]/u.test(character);
const segmenter = new Intl.Segmenter(undefined, { granularity: "word" });
const wordBoundaries = (text) => new Set([0, text.length, ...Array.from(segmenter.segment(text), ({ index }) => index)]);
