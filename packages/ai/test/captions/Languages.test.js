/**
 * Captions in 23 languages and 19 scripts, from the three shapes of an engine's answer. The measures of this test (widths,
 * line starts, graphemes) are its own, and the files are read by an independent parser.
 */
import { plainText, subRip, webVtt } from "@armoricore/ai/captions/CaptionFiles";
import { lintCues } from "@armoricore/ai/captions/CaptionRules";
import { buildCues } from "@armoricore/ai/captions/Cues";
import { toRecognition } from "@armoricore/ai/engines/OpenAiResponse";
import { filterHallucinations } from "@armoricore/ai/HallucinationFilter";
import { toTimedWords } from "@armoricore/ai/WordTiming";
import { assert, describe, it } from "@effect/vitest";
import { parse } from "@plussub/srt-vtt-parser";
import { corpus } from "../support/LanguageCorpus.ts";
const graphemeSegmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const graphemesOf = (text) => Array.from(graphemeSegmenter.segment(text), ({ segment }) => segment);
const isFullWidth = (grapheme) => /^[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\u3000-\u303f\u30fc\uff01-\uff60]/u.test(grapheme);
const fullness = (line) => graphemesOf(line).reduce((sum, grapheme) => sum + (isFullWidth(grapheme) ? 1 / 16 : 1 / 42), 0);
const lettersOf = (text) => text.normalize("NFC").replace(/[^\p{L}\p{M}\p{N}]+/gu, "");
const forbiddenAtLineStart = /^[、。，．！？」』）】・ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ”’»)\].,!?:;%ๆฯໆຯ។៖ៗ၊။।،؛؟։፣።\p{M}]/u;
/** Seconds that a person needs to say a text: 12 half-width characters a second. */
const spokenSeconds = (text) => fullness(text) * 42 * (1 / 12);
const timedSentences = ({ sentences }) => {
    let at = 0.5;
    return sentences.map((text) => {
        const start = at;
        at += spokenSeconds(text);
        return { text, start, end: at };
    });
};
/** Pieces as engines return them: words, or a few characters without regard for words and letters. */
const divide = ({ division }, sentence) => division === "spaces"
    ? sentence.split(" ")
    : sentence.split(" ").flatMap((phrase, index) => {
        const characters = [...phrase];
        const pieces = Array.from({ length: Math.ceil(characters.length / 2) }, (_, at) => characters.slice(at * 2, at * 2 + 2).join(""));
        return pieces.map((piece, position) => (index > 0 && position === 0 ? ` ${piece}` : piece));
    });
const answers = {
    words: (text) => ({
        words: timedSentences(text).flatMap(({ end, start, text: sentence }) => {
            const pieces = divide(text, sentence);
            const length = (end - start) / pieces.length;
            return pieces.map((word, index) => ({
                word,
                start: start + index * length,
                end: start + (index + 1) * length - 0.01,
            }));
        }),
    }),
    segments: (text) => ({
        // Bytes of UTF-8 compress well in scripts of three bytes, so Whisper reports ratios above its own limit.
        segments: timedSentences(text).map((segment) => ({ ...segment, avg_logprob: -0.2, compression_ratio: 2.8 })),
    }),
    "text only": (text) => ({ text: text.sentences.join(text.division === "spaces" ? " " : "") }),
};
const captionsOf = (text, shape, repeats = 1) => {
    const source = { ...text, sentences: Array.from({ length: repeats }, () => text.sentences).flat() };
    const seconds = (timedSentences(source).at(-1)?.end ?? 0) + 0.5;
    const speech = [{ startFrame: 5, endFrame: Math.round(seconds * 10) - 5 }];
    const recognition = toRecognition(answers[shape](source), seconds);
    const filtered = filterHallucinations(toTimedWords(recognition, seconds, speech), recognition, speech);
    return { ...filtered, cues: buildCues(filtered.words, text.language) };
};
const assertWithinRules = (cues, text) => {
    const letters = graphemesOf(lettersOf(text.sentences.join("")));
    let passed = 0;
    for (const line of cues.flatMap(({ lines }) => lines)) {
        assert.isAtMost(fullness(line), 1.0001, line);
        assert.notMatch(line, forbiddenAtLineStart);
        assert.notMatch(line, /^\s|\s$|\s\s/u);
        const own = graphemesOf(lettersOf(line));
        // A grapheme that is cut in two would not be in the text.
        assert.deepStrictEqual(own, letters.slice(passed, passed + own.length), line);
        passed += own.length;
    }
    assert.strictEqual(passed, letters.length);
    assert.deepStrictEqual(lintCues(cues), []);
};
describe.each(corpus.map((text) => [text.language, text]))("captions in %s", (_, text) => {
    describe.each(["words", "segments", "text only"])("from %s", (shape) => {
        const { cues, notes, words } = captionsOf(text, shape);
        const original = text.sentences.join(text.division === "spaces" ? " " : "");
        // regression: Thai, Tamil, Georgian, Malayalam and Burmese came out empty
        it("have every letter", () => {
            assert.deepStrictEqual(notes, []);
            assert.strictEqual(lettersOf(cues.flatMap(({ lines }) => lines).join("")), lettersOf(original));
            assert.strictEqual(lettersOf(plainText.render(words)), lettersOf(original));
        });
        it("have readable lines", () => {
            assertWithinRules(cues, text);
        });
        it("have the spaces of the text", () => {
            assert.strictEqual(plainText.render(words).trim(), original);
        });
        it("are read by an independent parser", () => {
            const expected = cues.map(({ end, lines, start }) => ({
                from: Math.round(start * 1000),
                to: Math.round(end * 1000),
                text: lines.join("\n"),
            }));
            for (const file of [webVtt.render(cues), subRip.render(cues)]) {
                const entries = parse(file).entries;
                assert.deepStrictEqual(entries.map(({ from, text: read, to }) => ({ from, to, text: read.replaceAll("\r", "").trim() })), expected);
            }
        });
    });
    it.each(["words", "segments"])("leave out a loop of the engine, from %s", (shape) => {
        const { cues, notes } = captionsOf({ ...text, sentences: text.sentences.slice(0, 1) }, shape, 8);
        assert.isAtLeast(notes.length, 1);
        const letters = lettersOf(cues.flatMap(({ lines }) => lines).join(""));
        assert.isBelow(letters.length, lettersOf(text.sentences[0] ?? "").length * 3);
    });
});
it("the corpus has at least 20 languages and 12 scripts", () => {
    assert.isAtLeast(corpus.length, 20);
    assert.isAtLeast(new Set(corpus.map(({ script }) => script)).size, 12);
});
describe("Japanese lines", () => {
    const sentence = "今日はコンピューターのサーバーでデータを処理して、その結果をユーザーへ送ります。";
    const words = [...sentence].map((text, index) => ({ text, start: index * 0.2, end: index * 0.2 + 0.2 }));
    // regression: words of single characters were cut anywhere, at 42 full-width characters
    it("break between words", () => {
        const lines = buildCues(words, "ja").flatMap((cue) => cue.lines);
        const boundaries = new Set(Array.from(new Intl.Segmenter("ja", { granularity: "word" }).segment(sentence), ({ index }) => index));
        let at = 0;
        for (const line of lines) {
            assert.isTrue(boundaries.has(at), `${line} at ${at}`);
            assert.isAtMost([...line].length, 16);
            at += line.length;
        }
        assert.strictEqual(lines.join(""), sentence);
    });
});
