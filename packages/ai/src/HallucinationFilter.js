import { graphemeCount, graphemes } from "./captions/DisplayWidth.ts";
import { joinWords } from "./captions/WordBoundaries.ts";
/** Whisper's limit. It measures bytes of UTF-8, which exceed it without any repetition in many scripts. */
const maxCompressionRatio = 2.4;
/** The fastest speakers reach 25 graphemes per second. */
const maxCharactersPerSecond = 35;
/** A word this far from all detected speech is in silence. */
const silenceToleranceSeconds = 0.3;
/** Seconds and frames (100 ms) count from the start of the chunk. */
export const filterHallucinations = (words, recognition, speech) => {
    const notes = [];
    const remove = (reason, remaining, dropped) => {
        const removed = new Set(dropped);
        if (removed.size === 0)
            return remaining;
        notes.push(`${reason}: “${graphemes(joinWords([...removed]))
            .slice(0, 80)
            .join("")}”`);
        return remaining.filter((word) => !removed.has(word));
    };
    let remaining = remove("left out, said in silence", words, words.filter(isInSilence(speech)));
    const doubtfulSegments = recognition.segments.filter(({ averageLogProbability = 0, noSpeechProbability = 0, compressionRatio = 0, text }) => (compressionRatio > maxCompressionRatio && repeatedShare(graphemes(text), minRepeatedGraphemes) > 0.5) ||
        (averageLogProbability < -1 && noSpeechProbability > 0.6));
    remaining = remove("left out, the engine doubts it", remaining, remaining.filter(({ start, end }) => doubtfulSegments.some((segment) => segment.start <= (start + end) / 2 && (start + end) / 2 < segment.end)));
    remaining = remove("left out, repeated", remaining, findLoops(remaining));
    for (const phrase of splitPhrases(remaining)) {
        const characters = graphemeCount(joinWords(phrase));
        const seconds = (phrase.at(-1)?.end ?? 0) - (phrase[0]?.start ?? 0);
        if (characters >= 20 && characters / Math.max(seconds, 0.01) > maxCharactersPerSecond) {
            remaining = remove("left out, too fast to be said", remaining, phrase);
        }
        else if (repeatsItself(phrase)) {
            remaining = remove("left out, repeats itself", remaining, phrase);
        }
    }
    return { words: remaining, notes };
};
const isInSilence = (speech) => ({ start, end }) => !speech.some(({ startFrame, endFrame }) => start < endFrame / 10 + silenceToleranceSeconds && end > startFrame / 10 - silenceToleranceSeconds);
/** Repetitions are counted from this length on; shorter ones are part of every language. */
const minRepeatedWords = 3;
const minRepeatedGraphemes = 8;
/** Graphemes. No language has a longer word, but engines return whole sentences of scripts without spaces as one. */
const minLongWord = 60;
/** A phrase of which more than this is repetition is a loop: its text occurs about three times. */
const maxRepeatedShare = 0.65;
/** Counts words, and letters within a very long word, so that scripts and their encodings make no difference. */
const repeatsItself = (phrase) => (phrase.length >= 16 &&
    repeatedShare(phrase.map(({ text }) => normalizeWord(text)), minRepeatedWords) > maxRepeatedShare) ||
    phrase.some(({ text }) => {
        if (text.length < minLongWord)
            return false;
        const letters = graphemes(text);
        return letters.length >= minLongWord && repeatedShare(letters, minRepeatedGraphemes) > maxRepeatedShare;
    });
/**
 * The share of a sequence (0 to 1) that repeats an earlier part of it; parts shorter than `minLength` do not count. A
 * part may overlap its repetition, as in `hahaha`.
 */
const repeatedShare = (sequence, minLength) => {
    const positions = new Map();
    let repeated = 0;
    let at = 0;
    while (at < sequence.length) {
        const key = sequence.slice(at, at + minLength).join("\u0000");
        const earlier = at + minLength <= sequence.length ? positions.get(key) : undefined;
        if (earlier === undefined) {
            positions.set(key, at);
            at++;
            continue;
        }
        let length = minLength;
        while (at + length < sequence.length && sequence[at + length] === sequence[earlier + length])
            length++;
        repeated += length;
        at += length;
    }
    return sequence.length === 0 ? 0 : repeated / sequence.length;
};
/** Long texts always repeat something, so repetition is measured on phrases. */
const maxPhraseWords = 40;
/** Splits at pauses of more than 0.6 s, and after `maxPhraseWords`. */
const splitPhrases = (words) => {
    const phrases = [];
    for (const word of words) {
        const last = phrases.at(-1);
        const previous = last?.at(-1);
        const isFull = last !== undefined && last.length >= maxPhraseWords;
        if (last === undefined || previous === undefined || isFull || word.start - previous.end > 0.6)
            phrases.push([word]);
        else
            last.push(word);
    }
    return phrases;
};
/** Words that an engine returns may be single characters. */
const maxLoopWords = 48;
/** "No, no, no, no!" is speech, so the limit for one word is higher. */
const minLoopRepeats = (length) => (length === 1 ? 6 : 4);
/** All repetitions of a phrase that directly follows itself, without the first occurrence. */
const findLoops = (words) => {
    const texts = words.map(({ text }) => normalizeWord(text));
    const repetitions = [];
    let at = 0;
    while (at < texts.length) {
        let skipped = 0;
        for (let length = 1; length <= maxLoopWords && skipped === 0; length++) {
            let same = at + length;
            while (same < texts.length && texts[same] === texts[same - length])
                same++;
            const times = Math.floor((same - at) / length);
            if (times >= minLoopRepeats(length)) {
                repetitions.push(...words.slice(at + length, at + times * length));
                skipped = times * length;
            }
        }
        at += Math.max(1, skipped);
    }
    return repetitions;
};
/** For comparisons: without case and punctuation. Vowel signs (marks) distinguish words in many scripts. */
export const normalizeWord = (text) => text
    .toLowerCase()
    .normalize("NFKC")
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, "");
