/**
 * "Speech" that a test can make without a voice and a fake can understand without a model: each word is a short tone
 * whose pitch is its number, 0 to 49. A tone that is cut in half is half a word.
 */
export const sampleRate = 16_000;
/** Distinguishable words; after the last one the numbers start again. */
export const vocabularySize = 50;
/** Seconds of one tone. */
export const wordSeconds = 0.25;
/** Words one after another, `gap` seconds of silence between them, `before` ahead of the first. */
export const synthesize = (count, options = {}) => {
    const { after = 0, before = 0, gap = 0.15 } = options;
    const words = Array.from({ length: count }, (_, index) => {
        const start = before + index * (wordSeconds + gap);
        return { start, end: start + wordSeconds, text: `w${index % vocabularySize}` };
    });
    const samples = new Int16Array(Math.round(((words.at(-1)?.end ?? before) + after) * sampleRate));
    words.forEach(({ start }, index) => {
        const pitch = pitchOf(index % vocabularySize);
        const from = Math.round(start * sampleRate);
        for (let at = 0; at < wordSeconds * sampleRate; at++) {
            samples[from + at] = Math.round(12_000 * Math.sin((2 * Math.PI * pitch * at) / sampleRate));
        }
    });
    return { samples, words };
};
/** The words in these samples. */
export const recognize = (samples) => {
    const frame = sampleRate / 100;
    const words = [];
    let from;
    const frames = Math.ceil(samples.length / frame);
    for (let index = 0; index <= frames; index++) {
        const loud = samples.subarray(index * frame, (index + 1) * frame).some((value) => Math.abs(value) > 3_000);
        if (loud && from === undefined)
            from = index * frame;
        if (loud || from === undefined)
            continue;
        const until = Math.min(samples.length, index * frame);
        const whole = until - from > wordSeconds * sampleRate * 0.8;
        const text = whole ? `w${numberOf(samples.subarray(from, until))}` : "?";
        words.push({ start: from / sampleRate, end: until / sampleRate, text });
        from = undefined;
    }
    return words;
};
const pitchOf = (number) => 400 + number * 40;
const numberOf = (tone) => {
    const inner = tone.subarray(Math.floor(tone.length * 0.2), Math.floor(tone.length * 0.8));
    let crossings = 0;
    for (let at = 1; at < inner.length; at++)
        if ((inner[at - 1] ?? 0) < 0 !== (inner[at] ?? 0) < 0)
            crossings++;
    const pitch = (crossings / 2 / inner.length) * sampleRate;
    return Math.max(0, Math.min(vocabularySize - 1, Math.round((pitch - 400) / 40)));
};
