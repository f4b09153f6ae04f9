/**
 * A child process that never outlives this process. The scope ends it with SIGTERM to its process group and SIGKILL three
 * seconds later. If this process is killed with SIGKILL, the `ParentDeathSignal` ends the child.
 */
import { Effect, Stream } from "effect";
import { ChildProcess } from "effect/process";
import { trackProcess } from "./FfmpegMetrics.ts";
/** Runs a program to its end and returns the first `maxOutputBytes` of its output (default 8 MB). */
export const collect = Effect.fn("SupervisedProcess.collect")(function* (parentDeathSignal, program, args, cwd, options = {}) {
    const { maxOutputBytes = 8_000_000, watching = () => Effect.never } = options;
    yield* trackProcess(program);
    const child = yield* spawn(parentDeathSignal, program, args, cwd);
    const [code, stderr, stdout] = yield* Effect.raceFirst(Effect.all([
        child.exitCode,
        tailOf(child.stderr),
        Stream.mkString(Stream.decodeText(Stream.limitBytes(child.stdout, maxOutputBytes, () => Stream.empty))),
    ], { concurrency: "unbounded" }), watching(child.pid));
    return { code: Number(code), stderr, stdout };
}, Effect.scoped);
/** Runs a program to its end and calls `onLine` with each line of its output. The output may be of any size. */
export const lines = Effect.fn("SupervisedProcess.lines")(function* (parentDeathSignal, program, args, cwd, onLine, watching = () => Effect.never) {
    yield* trackProcess(program);
    const child = yield* spawn(parentDeathSignal, program, args, cwd);
    const reading = child.stdout.pipe(Stream.decodeText(), Stream.splitLines, Stream.runForEachArray((batch) => Effect.sync(() => batch.forEach(onLine))));
    const [code, stderr] = yield* Effect.raceFirst(Effect.all([child.exitCode, tailOf(child.stderr), reading], { concurrency: "unbounded" }), watching(child.pid));
    return { code: Number(code), stderr };
}, Effect.scoped);
/** Starts a child in the scope. The caller must read stdout and stderr to their end. */
export const spawn = (parentDeathSignal, name, programArgs, cwd, limits = {}) => {
    const { background = false, memoryLimit } = limits;
    const limited = (memoryLimit !== undefined || background) && parentDeathSignal !== "none";
    const program = limited ? "sh" : name;
    const script = [
        ...(memoryLimit === undefined ? [] : [`ulimit -v ${Math.ceil(memoryLimit / 1024)} 2>/dev/null`]),
        ...(background ? [lowPriorityScript] : []),
        'exec "$@"',
    ].join("; ");
    const args = limited ? ["-c", script, "sh", name, ...programArgs] : programArgs;
    const options = {
        cwd,
        stdout: "pipe",
        stderr: "pipe",
        detached: true,
        killSignal: "SIGTERM",
        forceKillAfter: "3 seconds",
        env,
        extendEnv: true,
    };
    switch (parentDeathSignal) {
        case "setpriv":
            return ChildProcess.make("setpriv", ["--pdeathsig", "KILL", "--", program, ...args], {
                ...options,
                stdin: "ignore",
            });
        case "watcher":
            // stdin stays open for as long as this process lives. `read` in the script returns when it closes.
            return ChildProcess.make("sh", ["-c", watchdogScript, "sh", program, ...args], { ...options, stdin: "pipe" });
        case "none":
            return ChildProcess.make(program, args, { ...options, stdin: "ignore" });
    }
};
/** With autogroup, Linux applies niceness to whole sessions first, so `nice` for the process is not enough. */
const lowPriorityScript = '{ echo 10 >/proc/self/autogroup; } 2>/dev/null; command -v nice >/dev/null && set -- nice -n 10 "$@"';
/**
 * `SVT_LOG`: the AV1 encoder prints only errors; its greeting would displace the messages of ffmpeg.
 *
 * A statically linked ffprobe crashes when it loads the system's character sets to convert the channel names of a broadcast
 * transport stream. Without character sets it leaves the names unconverted.
 */
const env = { GCONV_PATH: "/nonexistent", SVT_LOG: "1" };
const watchdogScript = `exec 3<&0
"$@" </dev/null 3<&- & child=$!
( read -r _ <&3; kill -KILL $child ) >/dev/null 2>&1 & watch=$!
wait $child; code=$?; exec 2>/dev/null
kill $watch; wait $watch
exit $code`;
const tailBytes = 4_000;
/** Reads the pipe to its end and returns the last 4 kB of text. */
export const tailOf = (stderr) => Stream.runFold(Stream.decodeText(stderr), () => "", (tail, text) => (tail + text).slice(-tailBytes));
