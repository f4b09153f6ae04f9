/** Cues and caption files: the rules of readability, and files that independent parsers read. */
import { buildCues } from "@armoricore/ai/captions/Cues";
import { canonicalTag } from "@armoricore/ai/LanguageTag";
import { plainText, subRip, webVtt } from "@armoricore/ai/captions/CaptionFiles";
import { displayWidth } from "@armoricore/ai/captions/DisplayWidth";
import { captionRules, lintCues } from "@armoricore/ai/captions/CaptionRules";
import { assert, describe, it } from "@effect/vitest";
import { parse } from "@plussub/srt-vtt-parser";
import { Effect, Schema } from "effect";
/** Words of a text, at an even pace; `|` is a pause of two seconds. */
const spoken = (text, secondsPerLetter = 0.06) => {
    let at = 1;
    return text.split(/\s+/).flatMap((word) => {
        if (word === "|") {
            at += 2;
            return [];
        }
        const start = at;
        at += (word.length + 1) * secondsPerLetter;
        return [{ text: word, start, end: at - 0.02 }];
    });
};
const text = `When the first settlers arrived on the coast, they found a land that no one had described to them.
 They had been warned of forests and of rivers, but not of the wind. | It blew from the sea day and night, and it took
 the roofs off the houses that they had built. "We shall not stay", said the oldest of them, & <no one> disagreed.`;
describe("cues", () => {
    it("break between phrases", () => {
        const cues = buildCues(spoken(text), "en");
        assert.deepStrictEqual(lintCues(cues), []);
        assert.deepStrictEqual(cues.map(({ lines }) => lines), [
            ["When the first settlers arrived", "on the coast,"],
            ["they found a land", "that no one had described to them."],
            ["They had been warned of forests", "and of rivers, but not of the wind."],
            ["It blew from the sea day and night,"],
            ["and it took the roofs off the houses", "that they had built."],
            ['"We shall not stay", said the oldest', "of them, & <no one> disagreed."],
        ]);
    });
    it("stay visible after the last word, but not until the next cue", () => {
        const [first, second] = buildCues(spoken("Go on. | Then stop."), "en");
        assert.closeTo(first?.start ?? 0, 1, 0.001);
        assert.isAtLeast((first?.end ?? 0) - (first?.start ?? 0), captionRules.minDurationMillis / 1000);
        assert.isAtMost(first?.end ?? 0, (second?.start ?? 0) - captionRules.minGapMillis / 1000);
    });
    it("never have two speakers", () => {
        const words = spoken("Where are you? Here I am.").map((word, index) => ({
            ...word,
            speaker: index < 3 ? "A" : "B",
        }));
        assert.deepStrictEqual(buildCues(words, "en").map(({ lines, speaker }) => [speaker, ...lines]), [
            ["A", "Where are you?"],
            ["B", "Here I am."],
        ]);
    });
    it("have no spaces in a script that writes none", () => {
        const words = ["今日", "は", "とても", "いい", "天気", "です", "。"].map((text, index) => ({
            text,
            start: index * 0.4,
            end: index * 0.4 + 0.4,
        }));
        assert.deepStrictEqual(buildCues(words, "ja")[0]?.lines, ["今日はとてもいい天気です。"]);
    });
    it("that are too fast to read are reported by lintCues", () => {
        const faults = lintCues(buildCues(spoken(text, 0.02), "en"));
        assert.isTrue(faults.some(({ rule }) => rule === "reading_speed"));
    });
});
// regression: the space was lost
it("a space inside a word of an engine stays in the cue", () => {
    const cues = buildCues([{ text: "New York", start: 1, end: 2 }], "en");
    assert.deepStrictEqual(cues[0]?.lines, ["New York"]);
});
// regression: an internal error
it("canonicalTag returns undefined for an invalid tag", () => {
    assert.isUndefined(canonicalTag("en-us-us"));
    assert.strictEqual(canonicalTag("en-gb"), "en-GB");
});
describe("caption files", () => {
    const cues = [
        { start: 0.0004, end: 1.9996, lines: ["Fish & chips <b>", "--> here"] },
        { start: 3599.9996, end: 3601.5, lines: ["An hour later"], speaker: "Ann <1>" },
    ];
    it("are valid WebVTT", () => {
        assert.strictEqual(webVtt.render(cues), `WEBVTT

00:00:00.000 --> 00:00:02.000
Fish &amp; chips &lt;b&gt;
--&gt; here

01:00:00.000 --> 01:00:01.500
<v Ann &lt;1&gt;>An hour later
`);
        assert.strictEqual(webVtt.render([]), "WEBVTT\n");
    });
    it("are valid SRT", () => {
        assert.strictEqual(subRip.render(cues), "1\r\n00:00:00,000 --> 00:00:02,000\r\nFish & chips <b>\r\n→ here\r\n\r\n" +
            "2\r\n01:00:00,000 --> 01:00:01,500\r\nAn hour later\r\n\r\n");
    });
    it("are plain text with paragraphs", () => {
        assert.strictEqual(plainText.render(spoken("One two | three")), "One two\n\nthree\n");
        assert.strictEqual(plainText.render([]), "");
    });
});
/** Arbitrary text and times of an engine. */
const AnyWord = Schema.Struct({
    start: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 40 })),
    seconds: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 12 })),
    text: Schema.String,
});
const assertReadable = (cues) => {
    cues.forEach(({ end, lines, start }, index) => {
        assert.isAbove(end, start);
        assert.isAtMost(end - start, 7.0001);
        assert.isAtLeast(lines.length, 1);
        assert.isAtMost(lines.length, 2);
        for (const line of lines) {
            assert.isAtMost(displayWidth(line), captionRules.maxLineWidth);
            assert.match(line, /\S/);
            assert.notMatch(line, /[\r\n]/);
        }
        const next = cues[index + 1];
        if (next !== undefined)
            assert.isAbove(next.start, end);
    });
};
/** The times that an independent parser reads. */
const times = (file) => {
    const entries = parse(file).entries;
    return entries.map(({ from, to }) => [from, to]);
};
const millis = (cues) => cues.map(({ end, start }) => [Math.round(start * 1000), Math.round(end * 1000)]);
describe("arbitrary engine output", () => {
    it.effect.prop("becomes ordered cues without overlap, in files that independent parsers read", [Schema.Array(AnyWord)], ([any]) => Effect.sync(() => {
        const words = any.map(({ seconds, start, text }) => ({ start, end: start + seconds, text }));
        const cues = buildCues(words, "en");
        assertReadable(cues);
        if (cues.length === 0)
            return;
        assert.deepStrictEqual(times(webVtt.render(cues)), millis(cues));
        assert.deepStrictEqual(times(subRip.render(cues)), millis(cues));
    }));
    const Pace = Schema.Struct({
        words: Schema.Array(Schema.String.check(Schema.isPattern(/^[a-z]{1,9}[.,?!]?$/))),
        pauses: Schema.Array(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 3 }))),
    });
    it.effect.prop("at a natural pace satisfies all rules", [Pace], ([{ pauses, words: texts }]) => Effect.sync(() => {
        let at = 0;
        const words = texts.map((text, index) => {
            const start = at;
            at += Math.max(0.25, (text.length + 1) * 0.07);
            const end = at - 0.03;
            // Natural pauses between sentences.
            if (index % 9 === 8)
                at += 1.2 + (pauses[index % Math.max(1, pauses.length)] ?? 0);
            return { text, start, end };
        });
        const cues = buildCues(words, "en");
        assertReadable(cues);
        assert.deepStrictEqual(lintCues(cues), []);
        assert.strictEqual(cues.flatMap(({ lines }) => lines).join(" "), texts.join(" "));
    }));
});
