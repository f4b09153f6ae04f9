/** The peak memory of the child processes of this process (Linux). */
import { Effect, FileSystem, Schedule } from "effect";
/** The largest resident set of any child process while the effect runs, in megabytes. */
export const withPeakMemory = Effect.fnUntraced(function* (effect) {
    const fs = yield* FileSystem.FileSystem;
    let peak = 0;
    const sample = Effect.gen(function* () {
        for (const thread of yield* fs.readDirectory("/proc/self/task")) {
            const children = yield* fs.readFileString(`/proc/self/task/${thread}/children`);
            for (const child of children.split(" ").filter(Boolean)) {
                const kilobytes = /VmHWM:\s+(\d+)/.exec(yield* fs.readFileString(`/proc/${child}/status`))?.[1] ?? "0";
                peak = Math.max(peak, Number(kilobytes) / 1000);
            }
        }
        // A process may end at any time.
    }).pipe(Effect.ignore, Effect.repeat(Schedule.spaced("200 millis")), Effect.andThen(Effect.never));
    const value = yield* Effect.raceFirst(effect, sample);
    return { value, peak };
});
