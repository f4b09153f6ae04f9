/**
 * Runs ffmpeg and ffprobe as scoped child processes.
 *
 * Concurrency hazards and their solutions:
 * - The fiber is interrupted (shutdown, lost lease): the scope sends SIGTERM to the child's process group, and SIGKILL
 *   after three seconds.
 * - This process is killed with SIGKILL: ffmpeg would continue, because it ignores the end of stdin and SIGPIPE. On Linux
 *   the kernel kills it (`setpriv --pdeathsig`); elsewhere a shell does that waits on a pipe from this process.
 * - A full pipe blocks the child: stdout and stderr are both read to their end. Only the tail of stderr is returned.
 * - ffmpeg hangs: it is ended after `stallTimeout` without output or CPU time, or after `timeout` in all. Lack of CPU is no
 *   hang; `Liveness` has the rules.
 */
import { TransientError } from "@armoricore/domain/Errors";
import { Clock, Duration, Effect, FileSystem, Option, Path, Stream } from "effect";
import { trackProcess } from "./FfmpegMetrics.ts";
import { FfmpegPrograms } from "./FfmpegPrograms.ts";
import * as Liveness from "./Liveness.ts";
import * as ProcessActivity from "./ProcessActivity.ts";
import { collect, lines, spawn, tailOf } from "./SupervisedProcess.ts";
/** Runs ffmpeg to its end. Fails only with a `TransientError`: stalled, over its timeout, or killed from outside. */
export const run = Effect.fn("Ffmpeg.run")(function* (options) {
    const programs = yield* FfmpegPrograms;
    yield* trackProcess(programs.ffmpeg);
    const child = yield* spawn(programs.parentDeathSignal, programs.ffmpeg, ["-progress", "pipe:1", "-stats_period", "0.5", ...options.args], options.cwd, options).pipe(Effect.mapError(processError));
    const position = { frame: "", out_time_us: "" };
    const progress = child.stdout.pipe(Stream.decodeText(), Stream.splitLines, Stream.runForEach((line) => {
        const [key = "", value = ""] = line.split("=", 2);
        if (key !== "out_time_us" && key !== "frame")
            return Effect.void;
        position[key] = value;
        const unit = key === "frame" ? options.frameRate : options.frameRate === undefined ? 1e6 : undefined;
        return unit !== undefined && /^[0-9]+$/.test(value) ? options.onProgress(Number(value) / unit) : Effect.void;
    }));
    const result = Effect.all([child.exitCode, tailOf(child.stderr), progress], { concurrency: "unbounded" }).pipe(Effect.map(([code, stderr]) => ({ code, stderr })), Effect.mapError(processError));
    const watching = endIfHanging("ffmpeg", options, () => `${position.frame} ${position.out_time_us}`, options.cwd);
    return yield* Effect.raceFirst(result, watching(child.pid));
}, Effect.scoped);
/** Never succeeds; fails when the process hangs or is over its time limit. `position` changes with every output. */
const endIfHanging = (program, limits, position, cwd) => Effect.fnUntraced(function* (pid) {
    const observe = Liveness.make(limits, yield* Clock.currentTimeMillis);
    let lastPosition = position();
    let lastWrite = 0;
    for (;;) {
        yield* Effect.sleep(Liveness.interval(limits));
        const at = yield* Clock.currentTimeMillis;
        const write = cwd === undefined ? 0 : yield* newestWrite(cwd);
        const hasOutput = position() !== lastPosition || write > lastWrite;
        lastPosition = position();
        lastWrite = Math.max(lastWrite, write);
        const verdict = observe({ at, hasOutput, activity: yield* ProcessActivity.read(pid) });
        if (verdict === "working")
            continue;
        return yield* new TransientError({
            dependency: program,
            code: verdict === "timeout" ? "timeout" : "stalled",
            message: Liveness.describe(verdict, program, limits),
        });
    }
});
/** The time of the last change to a file of this folder or to the list of files in a folder below it. */
const newestWrite = Effect.fnUntraced(function* (folder) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    let newest = 0;
    for (const name of yield* Effect.orElseSucceed(fs.readDirectory(folder), () => [])) {
        // The uploader may remove a file at any time.
        const mtime = yield* Effect.map(Effect.option(fs.stat(path.join(folder, name))), Option.flatMap(({ mtime }) => mtime));
        newest = Math.max(newest, Option.match(mtime, { onNone: () => 0, onSome: (date) => date.getTime() }));
    }
    return newest;
});
/** Runs ffprobe for one minute at most and returns its output (at most 8 MB). */
export const inspect = Effect.fn("Ffmpeg.inspect")(function* (args, cwd) {
    const programs = yield* FfmpegPrograms;
    const limits = { stallTimeout: Duration.minutes(1), timeout: Duration.minutes(1) };
    return yield* Effect.mapError(collect(programs.parentDeathSignal, programs.ffprobe, args, cwd, {
        watching: endIfHanging("ffprobe", limits, () => ""),
    }), probeError);
});
/** Runs an ffprobe that reads the whole file, for ten minutes at most, and calls `onLine` with each line of its output. */
export const inspectLines = Effect.fn("Ffmpeg.inspectLines")(function* (args, cwd, onLine) {
    const programs = yield* FfmpegPrograms;
    const limits = { stallTimeout: Duration.minutes(1), timeout: Duration.minutes(10) };
    let count = 0;
    const countLine = (line) => {
        count++;
        onLine(line);
    };
    return yield* Effect.mapError(lines(programs.parentDeathSignal, programs.ffprobe, args, cwd, countLine, endIfHanging("ffprobe", limits, () => String(count))), probeError);
});
const probeError = (cause) => cause._tag === "TransientError"
    ? cause
    : new TransientError({
        dependency: "ffprobe",
        code: "unavailable",
        message: `ffprobe did not finish: ${cause.message}`,
        cause,
    });
const processError = (cause) => new TransientError({
    dependency: "ffmpeg",
    code: "killed",
    message: `ffmpeg did not finish: ${cause.message}`,
    cause,
});
