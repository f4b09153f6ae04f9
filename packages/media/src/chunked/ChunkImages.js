/**
 * Thumbnails, poster and storyboard tiles of a chunk. Each chunk extracts the frames that a single encode of the whole
 * video would extract from its window.
 */
import { posterSeconds } from "../encode/EncodingPlan.ts";
import * as Storyboard from "../packaging/Storyboard.ts";
import { frameAt, maxFrames, frameTime } from "./ChunkWindow.ts";
/** The name of the first frame of a window if no image shows it. */
const placeholderName = "";
export const imageFrames = (plan, window) => {
    const { frameRate, info, storyboard, thumbnails } = plan;
    const isInWindow = (frame) => frame >= window.firstFrame && (window.frames === undefined || frame < window.firstFrame + window.frames);
    const framesInWindow = (frames) => {
        const selected = frames
            .filter(({ frame }) => isInWindow(frame))
            .map(({ name, frame }) => ({ name, frame: frame - window.firstFrame }));
        if (selected.length === 0)
            return [];
        return selected[0]?.frame === 0 ? selected : [{ name: placeholderName, frame: 0 }, ...selected];
    };
    const step = info.duration / Math.max(1, thumbnails);
    const middles = Array.from({ length: thumbnails }, (_, index) => ({
        name: `thumbnails/${String(index + 1).padStart(2, "0")}.jpg`,
        frame: frameAt((index + 0.5) * step, frameRate),
    }));
    const posters = thumbnails === 0 ? [] : [{ name: "poster.jpg", frame: frameAt(posterSeconds(plan), frameRate) }];
    const tiles = [];
    if (storyboard !== undefined) {
        const from = Math.floor(frameTime(window.firstFrame, frameRate) / storyboard.interval);
        const frames = maxFrames(window, info, frameRate);
        for (let index = from;; index++) {
            const frame = frameAt(index * storyboard.interval, frameRate);
            if (frame >= window.firstFrame + frames)
                break;
            tiles.push({ name: Storyboard.tileName(index), frame });
        }
    }
    return { thumbnails: framesInWindow(middles), poster: framesInWindow(posters), tiles: framesInWindow(tiles) };
};
/** An expression for `rareFrames`. */
export const selectExpression = (frames) => frames.map(({ frame }) => `eq(N\\,${frame})`).join("+");
/** Maps the files that ffmpeg numbers from 0 to image names. */
export const outputFiles = (frames) => frames.flatMap(({ name }, file) => (name === placeholderName ? [] : [{ file, name }]));
