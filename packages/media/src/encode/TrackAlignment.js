/** The longest part of the start that may be left out for the grid, in seconds. */
const maxTrim = 0.04;
/** Differences in seconds that players do not notice, like the last frame of an audio encoder. */
export const maxDifference = 0.1;
/** Seconds by which the timestamps of every track change. */
export const shiftSeconds = ({ frameRate: { den, num }, info: { video } }) => {
    const start = video?.still === undefined ? (video?.start ?? 0) : 0;
    if (start <= 0)
        return 0;
    const frames = Math.max(0, Math.ceil((start * num) / den - Math.min(0.75, (maxTrim * num) / den)));
    const shift = (frames * den) / num - start;
    return Math.abs(shift) < 5e-4 ? 0 : shift;
};
/** The length that every track of the stream should have, in seconds. */
export const streamSeconds = (plan) => plan.info.duration + shiftSeconds(plan);
/** The number of frames that a rendition should have, by the packets of the source if it is copied, else by its rate. */
export const streamFrames = (plan, isCopied) => isCopied && plan.info.video?.packets !== undefined
    ? plan.info.video.packets
    : Math.round((streamSeconds(plan) * plan.frameRate.num) / plan.frameRate.den);
/** How often the last frame is repeated. */
export const heldFrames = (plan) => {
    const { frameRate, info } = plan;
    const { video } = info;
    if (video?.end === undefined || video.still !== undefined)
        return 0;
    const rate = frameRate.num / frameRate.den;
    if (info.duration - video.end <= Math.max(maxDifference, 1 / rate))
        return 0;
    const frames = (seconds) => Math.max(1, Math.round((seconds + shiftSeconds(plan)) * rate));
    return frames(info.duration) - frames(video.end);
};
