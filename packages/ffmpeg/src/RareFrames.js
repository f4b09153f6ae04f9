/**
 * Outputs of a filter graph that need few of its frames, like thumbnails.
 *
 * `select` alone is not enough. While one output waits for a frame, ffmpeg 7.0 collects the frames of all other outputs of
 * the graph in memory: minutes of decoded video. So every few frames, these filters also pass a frame that is not wanted,
 * with a time long before the start. ffmpeg drops it before the encoder, because its time is earlier than that of the
 * frame before. The encoder gets the same frames as with `select`.
 */
/** One of this many frames is passed. More would cost time, fewer would cost memory. */
const period = 4;
/** Seconds; longer than any video. */
const unwantedOffset = 1_000_000;
/**
 * Filters for an output that gets only the frames for which the expression is not zero. The expression may have the
 * constants of the `setpts` filter, with escaped commas. The times of the frames must not be negative.
 */
export const rareFrames = (isWanted) => `setpts='if(${isWanted}\\,PTS\\,PTS-${unwantedOffset}/TB)',select='gte(t\\,0)+not(mod(n\\,${period}))'`;
/** Options of that output. */
export const rareFramesArgs = "-fps_mode vfr";
