/** What the measurements of media share: uploads, and ffmpeg by hand for comparison. */
import * as FfmpegCommand from "@armoricore/media/encode/FfmpegCommand";
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import { Effect, FileSystem, Path } from "effect";
import { ChildProcess } from "effect/process";
/** Runs ffmpeg with these arguments, then with each of `next`, in a new folder that is removed at the end. */
export const runFfmpeg = Effect.fnUntraced(function* (args, folder, next = []) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const programs = yield* FfmpegPrograms;
    const output = yield* fs.makeTempDirectory({ directory: folder });
    for (const name of FfmpegCommand.outputFolders)
        yield* fs.makeDirectory(path.join(output, name));
    for (const command of [args, ...next]) {
        const child = yield* ChildProcess.make(programs.ffmpeg, command, {
            cwd: output,
            stdin: "ignore",
            stdout: "ignore",
            stderr: "inherit",
            forceKillAfter: "1 second",
        });
        const code = yield* child.exitCode;
        if (code !== 0)
            return yield* Effect.die(new Error(`ffmpeg ended with code ${code}`));
    }
    yield* fs.remove(output, { recursive: true });
}, Effect.scoped);
/** What the pipeline runs for this plan: the encode, then the storyboard from its tiles. */
export const runPlan = (plan, source, folder) => runFfmpeg(FfmpegCommand.args(plan, source), folder, plan.storyboard === undefined ? [] : [FfmpegCommand.spriteArgs(plan.storyboard)]);
export const minCost = (of, figure) => Math.min(...of.map((cost) => cost[figure]));
let uploads = 0;
/** A new upload of the object with this key. */
export const uploadedEvent = (key = "source.mp4", mediaId = "bench") => {
    const id = String(++uploads).padStart(12, "0");
    return {
        event_type: "media.uploaded",
        event_id: `00000000-0000-4000-8000-${id}`,
        timestamp: new Date().toISOString(),
        source: "php-backend",
        payload: { media_id: `${mediaId}-${uploads}`, user_id: "bench", file_path: `s3://media/${key}` },
    };
};
