/**
 * Decides from observations of a child process whether it works, gets no CPU, or hangs.
 *
 * Output and CPU time show work. A process that could run but gets no CPU is slow: time passes for it only as far as it
 * runs. A process that waits or was stopped by a signal, without output and without CPU time, hangs. Time in which this
 * process did not run itself, like the suspension of a machine, does not count.
 */
import { Duration } from "effect";
/** How often to observe, in milliseconds. */
export const interval = ({ stallTimeout }) => Math.min(2_000, Math.max(100, Duration.toMillis(stallTimeout) / 10));
/**
 * Less CPU time than this shows no work: a blocked ffmpeg wakes twice a second to report its progress. A fixed part, in
 * seconds, because the kernel counts in ticks; and a fraction of the time.
 */
const minCpuSeconds = 0.02;
const minCpuFraction = 0.002;
/** A process without output is in an endless loop once its CPU time exceeds the stall timeout by this factor. */
const loopFactor = 10;
/** Returns a function that takes one observation after another. */
export const make = (limits, startedAt) => {
    const stallTimeout = Duration.toMillis(limits.stallTimeout);
    const timeout = Duration.toMillis(limits.timeout);
    const maxStep = interval(limits) * 3;
    let lastAt = startedAt;
    let lastCpu = 0;
    /** Milliseconds without a sign of work, and milliseconds in all. */
    let idle = 0;
    let spent = 0;
    let cpuAtWork = 0;
    let cpuAtOutput = 0;
    return ({ activity, at, hasOutput }) => {
        const step = Math.min(at - lastAt, maxStep);
        lastAt = at;
        const cpu = Math.max(lastCpu, activity?.cpuSeconds ?? 0);
        const used = (cpu - lastCpu) * 1000;
        lastCpu = cpu;
        const lacksCpu = activity?.state === "runnable" && used < step;
        spent += lacksCpu ? used : step;
        if (!lacksCpu)
            idle += step;
        if (hasOutput || cpu - cpuAtWork > minCpuSeconds + (idle / 1000) * minCpuFraction) {
            idle = 0;
            cpuAtWork = cpu;
        }
        if (hasOutput)
            cpuAtOutput = cpu;
        if (idle >= stallTimeout)
            return activity?.state === "stopped" ? "stopped" : "waiting";
        if ((cpu - cpuAtOutput) * 1000 > stallTimeout * loopFactor)
            return "looping";
        return spent > timeout ? "timeout" : "working";
    };
};
/** One sentence about the end of a process of this name. */
export const describe = (verdict, program, limits) => {
    const stalled = Duration.format(limits.stallTimeout);
    switch (verdict) {
        case "stopped":
            return `${program} was stopped by a signal for ${stalled} and was ended`;
        case "waiting":
            return `${program} made no progress for ${stalled}, without output or CPU time, and was ended`;
        case "looping":
            return `${program} used ${Duration.format(Duration.times(limits.stallTimeout, loopFactor))} of CPU time without output and was ended`;
        case "timeout":
            return `${program} did not finish within ${Duration.format(limits.timeout)} and was ended`;
    }
};
