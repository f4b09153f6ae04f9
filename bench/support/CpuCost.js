/** What work costs whose children count too, such as ffmpeg: CPU seconds and wall time. */
import { Effect, FileSystem } from "effect";
/** Ticks a second of `/proc/self/stat`; Linux has had 100 on every platform that Node runs on. */
const clockTicksPerSecond = 100;
/** CPU seconds so far: this process, and its children that ended. */
export const cpuSeconds = Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem;
    const stat = yield* fs.readFileString("/proc/self/stat");
    // Behind the command's name, which may hold spaces: utime, stime, cutime, cstime are the fields 14 to 17.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) / clockTicksPerSecond;
});
export const measure = (effect) => Effect.gen(function* () {
    const before = yield* cpuSeconds;
    const started = performance.now();
    const value = yield* effect;
    return {
        value,
        cpu: (yield* cpuSeconds) - before,
        wall: (performance.now() - started) / 1000,
    };
});
