/** Looks for running processes by a marker in their arguments, or by their parent (Linux). */
import { Effect, FileSystem, Schedule } from "effect";
import { readFileSync } from "node:fs";
/** Their ids; throws where there is no such parent. */
export const childPids = (pid) => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
/** Processes whose arguments hold the marker; zombies, which a container without an init keeps, are none. */
export const findProcesses = Effect.fnUntraced(function* (marker, program) {
    const fs = yield* FileSystem.FileSystem;
    const found = [];
    for (const pid of (yield* fs.readDirectory("/proc")).filter((name) => /^[0-9]+$/.test(name))) {
        // A process may end between the two looks.
        const args = yield* Effect.orElseSucceed(fs.readFileString(`/proc/${pid}/cmdline`), () => "");
        const stat = yield* Effect.orElseSucceed(fs.readFileString(`/proc/${pid}/stat`), () => "0 (gone) Z");
        const state = stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
        if (args.includes(marker) && (args.split("\0")[0] ?? "").endsWith(program) && state !== "Z")
            found.push(Number(pid));
    }
    return found;
});
/** Waits up to 20 s for the number of such processes. */
export const waitForProcesses = (marker, program, expected) => findProcesses(marker, program).pipe(Effect.filterOrFail((pids) => expected(pids.length), (pids) => new Error(`${program} processes with ${marker}: ${pids.join(" ")}`)), Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 200 }));
