/** Runs ffmpeg or ffprobe to its end, to check the output of the pipeline. */
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import { Effect, Stream } from "effect";
import { ChildProcess } from "effect/process";
import { staticPrograms } from "./StaticPrograms.ts";
export const run = Effect.fnUntraced(function* (program, args) {
    const programs = yield* FfmpegPrograms;
    const child = yield* ChildProcess.make(staticPrograms[program] ?? programs[program], args, {
        stdin: "ignore",
        forceKillAfter: "1 second",
    });
    const [code, stdout, stderr] = yield* Effect.all([
        child.exitCode,
        Stream.mkString(Stream.decodeText(child.stdout)),
        Stream.mkString(Stream.decodeText(child.stderr)),
    ], { concurrency: 3 });
    return { code, stdout, stderr };
}, Effect.scoped);
/** Runs ffmpeg and returns its output as bytes. */
export const ffmpegOutput = Effect.fnUntraced(function* (args) {
    const programs = yield* FfmpegPrograms;
    const child = yield* ChildProcess.make(staticPrograms.ffmpeg ?? programs.ffmpeg, ["-v", "error", "-nostdin", ...args], {
        stdin: "ignore",
        forceKillAfter: "1 second",
    });
    const [code, chunks, stderr] = yield* Effect.all([child.exitCode, Stream.runCollect(child.stdout), Stream.mkString(Stream.decodeText(child.stderr))], { concurrency: 3 });
    if (code !== 0)
        return yield* Effect.die(new Error(`ffmpeg ${args.join(" ")}: ${stderr}`));
    return Buffer.concat(chunks);
}, Effect.scoped);
