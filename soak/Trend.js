/** Whether a figure stays where it is: a straight line through its samples, and what it says of the whole run. */
/** Least squares. The warm-up belongs not in the samples: caches fill, code is compiled. */
export const trendOf = (samples) => {
    const count = samples.length;
    const mean = (of) => samples.reduce((sum, sample) => sum + of(sample), 0) / (count || 1);
    const at = mean((sample) => sample.at);
    const value = mean((sample) => sample.value);
    const spread = samples.reduce((sum, sample) => sum + (sample.at - at) ** 2, 0);
    const slope = samples.reduce((sum, sample) => sum + (sample.at - at) * (sample.value - value), 0) / (spread || 1);
    const seconds = (samples.at(-1)?.at ?? 0) - (samples[0]?.at ?? 0);
    return {
        first: samples[0]?.value ?? 0,
        last: samples.at(-1)?.value ?? 0,
        highest: Math.max(0, ...samples.map((sample) => sample.value)),
        count,
        growth: value === 0 ? 0 : (slope * seconds) / value,
    };
};
