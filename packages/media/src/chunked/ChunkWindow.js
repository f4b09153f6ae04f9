/**
 * Splits a long video into windows of frames, one per chunk. Windows begin and end at segment boundaries, so their
 * segments form the same stream as those of a single encode.
 */
import { segmentSeconds } from "../encode/EncodingPlan.ts";
export const defaultChunkSeconds = 32;
/** The stream is playable once the first chunk is encoded, so that one is short. */
const firstChunkSeconds = 8;
/**
 * Containers with an index, in which ffmpeg finds any time with a few reads. In other containers it has to read from the
 * start, which is faster from the local disk.
 */
const indexedContainers = /^(mov,|matroska)/;
/** Seconds by which the audio may be longer than the video: less than the shortest last window, which must contain video. */
const maxHeldSeconds = 1.5;
/** Whether a source is long enough and can be split. */
export const shouldChunk = (info, options) => options !== undefined &&
    info.video !== undefined &&
    info.video.still === undefined &&
    indexedContainers.test(info.format) &&
    // One worker would hold the last frame over many windows.
    info.duration - (info.video.end ?? info.duration) <= maxHeldSeconds &&
    info.duration >= Math.max(options.minDuration, firstChunkSeconds + segmentSeconds);
/** At least one window. The last one is at least half as long as the others. */
export const planWindows = (info, rate, chunkSeconds) => {
    const length = Math.min(120, Math.max(segmentSeconds, Math.ceil(chunkSeconds / segmentSeconds) * segmentSeconds));
    const boundaries = [0];
    let boundary = Math.min(firstChunkSeconds, length);
    while (info.duration - boundary >= length / 2) {
        boundaries.push(boundary);
        boundary += length;
    }
    return boundaries.map((from, index) => {
        const firstFrame = frameAt(from, rate);
        const next = boundaries[index + 1];
        return { from, firstFrame, ...(next === undefined ? {} : { frames: frameAt(next, rate) - firstFrame }) };
    });
};
/** The first frame that is displayed at or after this time. */
export const frameAt = (seconds, { den, num }) => Math.ceil((seconds * num) / den - 1e-6);
/** The display time of a frame, in seconds. */
export const frameTime = (frame, { den, num }) => (frame * den) / num;
/** The number of a window's first segment. */
export const firstSegment = (window) => Math.round(window.from / segmentSeconds);
/** The largest number of frames in a window. A source may be up to 5 s longer than its stated duration. */
export const maxFrames = ({ firstFrame, frames }, { duration }, rate) => frames ?? frameAt(Math.ceil(duration) + 5, rate) - firstFrame;
