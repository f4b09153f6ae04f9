/**
 * Voice activity detection by loudness. It is conservative: detected silence is silence, detected speech may be music.
 * The chunker cuts at pauses, and the hallucination filter removes words in silence.
 */
/** Lower levels are always silence, such as the hum of an unused microphone. */
const minSpeechDbfs = -58;
/** Ascending intervals. A pause shorter than 0.3 s does not end an interval. */
export const detectSpeech = (loudness) => {
    const threshold = speechThreshold(loudness);
    const intervals = [];
    for (let frame = 0; frame < loudness.length; frame++) {
        if ((loudness[frame] ?? -100) < threshold)
            continue;
        const last = intervals.at(-1);
        if (last !== undefined && frame - last.endFrame < 3)
            last.endFrame = frame + 1;
        else
            intervals.push({ startFrame: frame, endFrame: frame + 1 });
    }
    return intervals;
};
/**
 * 30 dB below the maximum, but at most 10 dB above the noise floor: over steady noise only louder frames are speech, and a
 * recording without quiet frames has no silence.
 */
export const speechThreshold = (loudness) => {
    if (loudness.length === 0)
        return minSpeechDbfs;
    const sorted = Float32Array.from(loudness).sort();
    const quantile = (fraction) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? -100;
    return Math.max(minSpeechDbfs, Math.min(quantile(1) - 30, quantile(0.1) + 10));
};
export const countSpeechFrames = (speech, startFrame, endFrame) => speech.reduce((sum, interval) => sum + Math.max(0, Math.min(endFrame, interval.endFrame) - Math.max(startFrame, interval.startFrame)), 0);
