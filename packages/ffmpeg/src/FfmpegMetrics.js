/** The gauge of running child processes. */
import { Effect, Metric } from "effect";
export const childProcesses = Metric.gauge("armoricore_child_processes", {
    description: "Running child processes: ffmpeg, ffprobe, speech programs",
});
const running = new Map();
/** Counts a child process of this program for as long as the scope is open. */
export const trackProcess = (program) => {
    const name = program.split(/[/\\]/).at(-1) ?? program;
    const add = (step) => Effect.suspend(() => {
        const count = (running.get(name) ?? 0) + step;
        running.set(name, count);
        return Metric.update(Metric.withAttributes(childProcesses, { program: name }), count);
    });
    return Effect.acquireRelease(add(1), () => add(-1));
};
