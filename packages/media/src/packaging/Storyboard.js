/**
 * The storyboard, which players show while the viewer seeks: small images (tiles) at even intervals, packed into JPEG
 * sprites, and a WebVTT file with the position of each tile.
 */
import { Schema } from "effect";
export const Storyboard = Schema.Struct({
    /** The size of one tile; both even. */
    width: Schema.Int,
    height: Schema.Int,
    /** Tiles on one sprite. */
    columns: Schema.Int,
    rows: Schema.Int,
    /** Seconds between two tiles. */
    interval: Schema.Finite,
});
export const folder = "storyboard";
export const vttName = "storyboard.vtt";
/** The folder of the tiles, which stay lossless files until all are made and drawn on sprites. */
export const tileFolder = "tiles";
export const tilePattern = `${tileFolder}/%05d.pgmyuv`;
export const tileName = (index) => `${tileFolder}/${String(index).padStart(5, "0")}.pgmyuv`;
export const spriteName = (index) => `${folder}/${String(index).padStart(3, "0")}.jpg`;
const tileLongSide = 160;
const maxTilesPerSide = 10;
/** About a hundred tiles, one to ten seconds apart. */
export const plan = (rendition, seconds) => {
    const interval = Math.min(10, Math.max(1, Math.ceil(seconds / 100)));
    const count = Math.max(1, Math.ceil(seconds / interval));
    const columns = Math.min(maxTilesPerSide, Math.ceil(Math.sqrt(count)));
    const scale = Math.min(1, tileLongSide / Math.max(rendition.width, rendition.height));
    return {
        width: even(rendition.width * scale),
        height: even(rendition.height * scale),
        columns,
        rows: Math.min(maxTilesPerSide, Math.ceil(count / columns)),
        interval,
    };
};
/** The number of tiles: one for each interval in which a frame begins. */
export const tileCount = (board, lastFrameAt) => Math.floor(Math.max(0, lastFrameAt) / board.interval + 1e-6) + 1;
export const spriteCount = (board, lastFrameAt) => Math.ceil(tileCount(board, lastFrameAt) / (board.columns * board.rows));
/** The WebVTT file. The last cue ends at `seconds`. */
export const render = (board, lastFrameAt, seconds) => {
    const perSprite = board.columns * board.rows;
    const cues = Array.from({ length: tileCount(board, lastFrameAt) }, (_, index) => {
        const position = index % perSprite;
        const x = (position % board.columns) * board.width;
        const y = Math.floor(position / board.columns) * board.height;
        const from = index * board.interval;
        const to = Math.max(from + 0.001, Math.min(from + board.interval, seconds));
        const sprite = spriteName(Math.floor(index / perSprite));
        return `${vttTimestamp(from)} --> ${vttTimestamp(to)}\n${sprite}#xywh=${x},${y},${board.width},${board.height}\n`;
    });
    return `WEBVTT\n\n${cues.join("\n")}`;
};
const even = (pixels) => Math.max(2, Math.round(pixels / 2) * 2);
const vttTimestamp = (seconds) => {
    const millis = Math.round(seconds * 1000);
    const digits = (value, length) => String(value).padStart(length, "0");
    const hours = Math.floor(millis / 3_600_000);
    return `${digits(hours, 2)}:${digits(Math.floor(millis / 60_000) % 60, 2)}:${digits(Math.floor(millis / 1000) % 60, 2)}.${digits(millis % 1000, 3)}`;
};
