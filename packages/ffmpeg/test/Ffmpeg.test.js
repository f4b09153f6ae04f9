/** Results, limits and the end of ffmpeg child processes. */
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg";
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { assert, describe, it, layer } from "@effect/vitest";
import { Duration, Effect, Fiber, FileSystem, Layer, Path, Schedule } from "effect";
import { ChildProcess } from "effect/process";
import * as Programs from "@armoricore/testing/Programs";
import { findProcesses, waitForProcesses } from "@armoricore/testing/Processes";
const missing = [Programs.requireProgram("ffmpeg"), Programs.requireProgram("ffprobe")].some((need) => need.missing);
const programs = FfmpegPrograms.layer().pipe(Layer.provideMerge(NodeServices.layer));
const endless = (marker) => Ffmpeg.run({
    args: [..."-v error -re -f lavfi -i testsrc2=s=64x64 -metadata".split(" "), `title=${marker}`, "-f", "null", "-"],
    cwd: process.cwd(),
    onProgress: () => Effect.void,
    stallTimeout: Duration.minutes(5),
    timeout: Duration.minutes(5),
});
describe.skipIf(missing)("Ffmpeg", () => {
    layer(programs, { excludeTestServices: true })((it) => {
        for (const parentDeathSignal of ["setpriv", "watcher", "none"]) {
            it.effect.skipIf(process.platform !== "linux")(`reports seconds, the exit code and the end of stderr (${parentDeathSignal})`, () => Effect.gen(function* () {
                const progress = [];
                const found = yield* FfmpegPrograms;
                const run = (args) => Ffmpeg.run({
                    args: args.split(" "),
                    cwd: process.cwd(),
                    onProgress: (seconds) => Effect.sync(() => void progress.push(seconds)),
                    stallTimeout: Duration.minutes(1),
                    timeout: Duration.minutes(1),
                }).pipe(Effect.provideService(FfmpegPrograms, { ...found, parentDeathSignal }));
                assert.strictEqual((yield* run("-v error -f lavfi -i testsrc2=s=64x64:d=2 -f null -")).code, 0);
                assert.closeTo(progress.at(-1) ?? 0, 2, 0.1);
                const bad = yield* run("-v error -i nowhere.mp4 -f null -");
                assert.isAbove(bad.code, 0);
                assert.include(bad.stderr, "nowhere.mp4");
            }));
        }
        it.effect.skipIf(process.platform !== "linux")("runs at a lower priority in the background", () => Effect.gen(function* () {
            const fs = yield* FileSystem.FileSystem;
            const path = yield* Path.Path;
            const folder = yield* fs.makeTempDirectoryScoped();
            const found = yield* FfmpegPrograms;
            // A fake ffmpeg that prints its niceness, field 19 of its stat.
            const niceProgram = path.join(folder, "ffmpeg");
            yield* fs.writeFileString(niceProgram, "#!/bin/sh\ncut -d' ' -f19 /proc/$$/stat >&2\n");
            yield* fs.chmod(niceProgram, 0o755);
            const niceness = (background, parentDeathSignal, memoryLimit) => Ffmpeg.run({
                args: [],
                cwd: folder,
                onProgress: () => Effect.void,
                stallTimeout: Duration.seconds(20),
                timeout: Duration.seconds(30),
                background,
                memoryLimit,
            }).pipe(Effect.provideService(FfmpegPrograms, { ...found, ffmpeg: niceProgram, parentDeathSignal }), Effect.map(({ stderr }) => Number(stderr.trim())));
            const defaultNiceness = yield* niceness(false, "setpriv");
            for (const parentDeathSignal of ["setpriv", "watcher"]) {
                assert.strictEqual(yield* niceness(true, parentDeathSignal), Math.min(19, defaultNiceness + 10));
                assert.strictEqual(yield* niceness(true, parentDeathSignal, 1e9), Math.min(19, defaultNiceness + 10));
                assert.strictEqual(yield* niceness(false, parentDeathSignal, 1e9), defaultNiceness);
            }
        }));
        it.effect("reads a broadcast transport stream with channel names", () => Effect.gen(function* () {
            // regression: a static ffprobe crashed on the names
            const fs = yield* FileSystem.FileSystem;
            const path = yield* Path.Path;
            const folder = yield* fs.makeTempDirectoryScoped();
            const made = yield* Ffmpeg.run({
                args: "-v error -f lavfi -i testsrc2=s=64x64:d=1 -c:v mpeg2video a.ts".split(" "),
                cwd: folder,
                onProgress: () => Effect.void,
                stallTimeout: Duration.seconds(20),
                timeout: Duration.seconds(30),
            });
            assert.strictEqual(made.code, 0);
            const { code, stdout } = yield* Ffmpeg.inspect(["-v", "error", "-show_format", path.join(folder, "a.ts")], folder);
            assert.strictEqual(code, 0);
            assert.include(stdout, "format_name=mpegts");
        }).pipe(Effect.scoped));
        it.effect.skipIf(process.platform !== "linux")("ffmpeg fails when it needs more memory than its limit", () => Effect.gen(function* () {
            const run = (memoryLimit) => Ffmpeg.run({
                args: "-v error -f lavfi -i testsrc2=s=4096x4096:d=1:r=5 -c:v libx264 -f null -".split(" "),
                cwd: process.cwd(),
                onProgress: () => Effect.void,
                stallTimeout: Duration.seconds(20),
                timeout: Duration.seconds(30),
                memoryLimit,
            });
            const { code, stderr } = yield* run(400e6);
            assert.notStrictEqual(code, 0);
            assert.match(stderr, /allocate memory|malloc/i);
        }));
        it.effect("a verbose stderr does not block ffmpeg, and only its tail is returned", () => Effect.gen(function* () {
            const result = yield* Ffmpeg.run({
                args: "-v debug -f lavfi -i testsrc2=s=64x64:d=20 -f null -".split(" "),
                cwd: process.cwd(),
                onProgress: () => Effect.void,
                stallTimeout: Duration.seconds(20),
                timeout: Duration.seconds(30),
            });
            assert.strictEqual(result.code, 0);
            assert.isAtMost(result.stderr.length, 4_000);
        }));
        const endlessWithin = (marker, stallTimeout, output) => Ffmpeg.run({
            args: [
                ..."-v error -re -f lavfi -i testsrc2=s=64x64 -metadata".split(" "),
                `title=${marker}`,
                "-y",
                "-f",
                "mpegts",
                output,
            ],
            cwd: process.cwd(),
            onProgress: () => Effect.void,
            stallTimeout,
            timeout: Duration.minutes(1),
        });
        it.effect.skipIf(process.platform !== "linux")("an ffmpeg that a signal stopped ends within the stall timeout", () => Effect.gen(function* () {
            const marker = `stopped-${process.pid}`;
            const fiber = yield* Effect.forkChild(Effect.flip(endlessWithin(marker, Duration.seconds(2), "/dev/null")));
            yield* waitForProcesses(marker, "ffmpeg", (count) => count > 0);
            const [pid = 0] = yield* findProcesses(marker, "ffmpeg");
            process.kill(pid, "SIGSTOP");
            const [elapsed, error] = yield* Effect.timed(Fiber.join(fiber));
            assert.strictEqual(error.code, "stalled");
            assert.include(error.message, "stopped by a signal for 2s");
            assert.isBelow(Duration.toSeconds(elapsed), 10);
            yield* waitForProcesses(marker, "ffmpeg", (count) => count === 0);
        }));
        it.effect.skipIf(process.platform !== "linux")("an ffmpeg that is blocked by its output ends within the stall timeout", () => Effect.gen(function* () {
            const fs = yield* FileSystem.FileSystem;
            const path = yield* Path.Path;
            const pipe = path.join(yield* fs.makeTempDirectoryScoped(), "pipe");
            yield* (yield* ChildProcess.make("mkfifo", [pipe])).exitCode;
            const marker = `blocked-${process.pid}`;
            const error = yield* Effect.flip(endlessWithin(marker, Duration.seconds(2), pipe));
            assert.strictEqual(error.code, "stalled");
            assert.include(error.message, "without output or CPU time");
            yield* waitForProcesses(marker, "ffmpeg", (count) => count === 0);
        }).pipe(Effect.scoped));
        it.effect.skipIf(process.platform !== "linux")("an ffmpeg that gets a fifth of a core is slow, not stalled", () => Effect.gen(function* () {
            const fs = yield* FileSystem.FileSystem;
            const path = yield* Path.Path;
            // Nothing is written before the end, like in a segment of a slow encode.
            const file = path.join(yield* fs.makeTempDirectoryScoped(), "out.h264");
            const marker = `slow-${process.pid}`;
            const encode = Ffmpeg.run({
                args: [
                    ..."-v error -f lavfi -i testsrc2=s=640x360:d=4 -c:v libx264 -threads 1 -preset medium".split(" "),
                    ..."-rc-lookahead 250 -metadata".split(" "),
                    `title=${marker}`,
                    ..."-f h264".split(" "),
                    file,
                ],
                cwd: path.dirname(file),
                onProgress: () => Effect.void,
                stallTimeout: Duration.seconds(2),
                timeout: Duration.minutes(1),
            });
            const fiber = yield* Effect.forkChild(encode);
            yield* waitForProcesses(marker, "ffmpeg", (count) => count > 0);
            const [pid = 0] = yield* findProcesses(marker, "ffmpeg");
            const signal = (name) => Effect.ignore(Effect.try(() => process.kill(pid, name)));
            const throttle = Effect.gen(function* () {
                yield* signal("SIGSTOP");
                yield* Effect.delay(signal("SIGCONT"), "400 millis");
            }).pipe(Effect.repeat(Schedule.spaced("100 millis")));
            const { code } = yield* Effect.raceFirst(Fiber.join(fiber), Effect.andThen(throttle, Effect.never));
            assert.strictEqual(code, 0);
        }).pipe(Effect.scoped));
        it.effect.skipIf(process.platform !== "linux")("interruption ends the child process", () => Effect.gen(function* () {
            const marker = `interrupted-${process.pid}`;
            const fiber = yield* Effect.forkChild(endless(marker));
            yield* waitForProcesses(marker, "ffmpeg", (count) => count > 0);
            yield* Fiber.interrupt(fiber);
            yield* waitForProcesses(marker, "ffmpeg", (count) => count === 0);
        }));
        for (const parentDeathSignal of ["setpriv", "watcher"]) {
            it.effect.skipIf(process.platform !== "linux")(`SIGKILL of the parent ends the child process (${parentDeathSignal})`, () => Effect.gen(function* () {
                const path = yield* Path.Path;
                const marker = `orphan-${parentDeathSignal}-${process.pid}`;
                const script = path.join(import.meta.dirname, "support", "OrphanedFfmpeg.ts");
                const parent = yield* ChildProcess.make(process.execPath, [script, parentDeathSignal, marker], {
                    stdout: "ignore",
                    stderr: "inherit",
                    forceKillAfter: "1 second",
                });
                yield* waitForProcesses(marker, "ffmpeg", (count) => count > 0);
                // Only the parent, not its group, like the kernel's out-of-memory killer.
                process.kill(parent.pid, "SIGKILL");
                yield* waitForProcesses(marker, "ffmpeg", (count) => count === 0);
            }));
        }
    });
    /** A program named ffmpeg that hangs and ignores SIGTERM. */
    const hanging = Layer.effect(FfmpegPrograms, Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem;
        const path = yield* Path.Path;
        const file = path.join(yield* fs.makeTempDirectoryScoped(), "ffmpeg");
        yield* fs.writeFileString(file, "#!/bin/sh\ntrap '' TERM\necho frame=1\nwhile :; do sleep 100; done\n");
        yield* fs.chmod(file, 0o755);
        return {
            ffmpeg: file,
            ffprobe: file,
            version: "",
            toneMapping: false,
            decodableCodecs: new Set(),
            parentDeathSignal: "none",
        };
    }));
    it.live("ends an ffmpeg that makes no progress", () => Effect.gen(function* () {
        const marker = `stalled-${process.pid}`;
        const error = yield* Effect.flip(Ffmpeg.run({
            args: [marker],
            cwd: process.cwd(),
            onProgress: () => Effect.void,
            stallTimeout: Duration.seconds(1),
            timeout: Duration.minutes(1),
        }));
        assert.deepStrictEqual([error._tag, error.code], ["TransientError", "stalled"]);
        yield* waitForProcesses(marker, "sh", (count) => count === 0);
    }).pipe(Effect.provide(hanging), Effect.provide(NodeServices.layer)));
    it.live("ends an ffmpeg that takes too long", () => Effect.gen(function* () {
        const error = yield* Effect.flip(Ffmpeg.run({
            args: [],
            cwd: process.cwd(),
            onProgress: () => Effect.void,
            stallTimeout: Duration.minutes(1),
            timeout: Duration.seconds(1),
        }));
        assert.strictEqual(error.code, "timeout");
    }).pipe(Effect.provide(hanging), Effect.provide(NodeServices.layer)));
});
