/** Checks a storyboard: its cues cover the stream without a gap, and each tile is inside its sprite. */
import { Effect, FileSystem, Path } from "effect";
import { run } from "./RunFfmpeg.ts";
/** The cues of a folder's storyboard; empty if it has no storyboard. */
export const cuesOf = Effect.fnUntraced(function* (folder) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const file = path.join(folder, "storyboard.vtt");
    if (!(yield* fs.exists(file)))
        return [];
    const text = yield* fs.readFileString(file);
    if (!text.startsWith("WEBVTT\n\n"))
        return yield* Effect.die(new Error("the storyboard is no WebVTT"));
    return [...text.matchAll(/^(\S+) --> (\S+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)$/gm)].map(([, from = "", to = "", sprite = "", ...numbers]) => {
        const [x = 0, y = 0, width = 0, height = 0] = numbers.map(Number);
        return { from: seconds(from), to: seconds(to), sprite, x, y, width, height };
    });
});
export const checkStoryboard = Effect.fnUntraced(function* (folder, track) {
    const path = yield* Path.Path;
    const cues = yield* cuesOf(folder);
    if (cues.length === 0)
        return [];
    const faults = [];
    const length = track?.segments.reduce((sum, segment) => sum + segment.seconds, 0) ?? 0;
    if (cues[0]?.from !== 0 || Math.abs((cues.at(-1)?.to ?? 0) - length) > 0.1) {
        faults.push(`the storyboard covers ${cues[0]?.from} to ${cues.at(-1)?.to} of ${length} s`);
    }
    const sizes = new Map();
    for (const { sprite } of cues) {
        if (sizes.has(sprite))
            continue;
        const args = ["-v", "error", "-show_entries", "stream=width,height", "-of", "csv=p=0", path.join(folder, sprite)];
        const [width = 0, height = 0] = (yield* run("ffprobe", args)).stdout.split(",").map(Number);
        sizes.set(sprite, [width, height]);
    }
    for (const [index, cue] of cues.entries()) {
        const [width, height] = sizes.get(cue.sprite) ?? [0, 0];
        if (cue.x + cue.width > width || cue.y + cue.height > height || cue.width < 2 || cue.height < 2) {
            faults.push(`cue ${index} is outside ${cue.sprite}`);
        }
        const next = cues[index + 1];
        if (next !== undefined && Math.abs(next.from - cue.to) > 0.001)
            faults.push(`cue ${index} leaves a gap`);
    }
    return faults;
});
const seconds = (time) => time.split(":").reduce((sum, digits) => sum * 60 + Number(digits), 0);
