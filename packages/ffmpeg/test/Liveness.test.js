/** Work, lack of CPU and hangs of a child process. */
import * as Liveness from "@armoricore/ffmpeg/Liveness";
import * as ProcessActivity from "@armoricore/ffmpeg/ProcessActivity";
import { assert, describe, it } from "@effect/vitest";
import { Duration } from "effect";
const limits = { stallTimeout: Duration.seconds(10), timeout: Duration.minutes(10) };
/** The first verdict other than `working`, and its time in seconds; at the end `working`. */
const observe = (seconds, behave) => {
    const take = Liveness.make(limits, 0);
    let cpuSeconds = 0;
    for (let at = 0; at < seconds;) {
        const { cpu = 0, hasOutput = false, isUnknown = false, state, step = 1 } = behave(at);
        at += step;
        cpuSeconds += cpu * step;
        const verdict = take({ at: at * 1000, hasOutput, activity: isUnknown ? undefined : { cpuSeconds, state } });
        if (verdict !== "working")
            return [verdict, at];
    }
    return ["working", seconds];
};
describe("Liveness", () => {
    it("a process that waits without output and CPU time hangs", () => {
        assert.deepStrictEqual(observe(100, () => ({ state: "waiting" })), ["waiting", 10]);
    });
    it("a process that only wakes to report its progress hangs", () => {
        assert.deepStrictEqual(observe(100, () => ({ state: "waiting", cpu: 0.0005 })), ["waiting", 10]);
    });
    it("a process that a signal stopped hangs", () => {
        assert.deepStrictEqual(observe(100, (second) => (second < 50 ? { state: "runnable", cpu: 1, hasOutput: true } : { state: "stopped" })), ["stopped", 60]);
    });
    it("a process that works without output does not hang", () => {
        assert.deepStrictEqual(observe(90, () => ({ state: "waiting", cpu: 1 })), ["working", 90]);
    });
    it("a process that gets little or no CPU is slow, and its time limit is extended", () => {
        assert.deepStrictEqual(observe(3000, () => ({ state: "runnable", cpu: 0.15, hasOutput: true })), ["working", 3000]);
        assert.deepStrictEqual(observe(500, () => ({ state: "runnable" })), ["working", 500]);
        assert.deepStrictEqual(observe(500, (second) => Math.floor(second / 8) % 2 === 0 ? { state: "stopped" } : { state: "runnable", cpu: 0.2 }), ["working", 500]);
    });
    it("a process with CPU and output is over its time limit at its end", () => {
        assert.deepStrictEqual(observe(3000, () => ({ state: "runnable", cpu: 1.5, hasOutput: true })), ["timeout", 601]);
    });
    it("CPU time without any output is an endless loop", () => {
        assert.deepStrictEqual(observe(3000, () => ({ state: "runnable", cpu: 2 })), ["looping", 51]);
    });
    it("time in which this process did not run does not count", () => {
        assert.deepStrictEqual(observe(2500, (second) => ({ state: "waiting", hasOutput: second > 2000, step: second === 5 ? 2000 : 1 })), ["working", 2500]);
    });
    it("only output counts where the system tells nothing", () => {
        const unknown = (hasOutput) => observe(100, () => ({ state: "waiting", hasOutput, isUnknown: true }));
        assert.deepStrictEqual(unknown(true), ["working", 100]);
        assert.deepStrictEqual(unknown(false), ["waiting", 10]);
    });
});
describe("ProcessActivity", () => {
    it("adds the CPU time of all descendants from the lines of ps", () => {
        const macos = "    1     0 Ss     1:00.00\n  500     1 S      0:01.25\n  501   500 S+   101:00.50\n  502     1 R      9:00.00\n";
        assert.deepStrictEqual(ProcessActivity.parsePs(macos, 500), { cpuSeconds: 6061.75, state: "waiting" });
        const procps = "  500     1 Ss   00:00:01\n  501   500 R    1-00:00:02\n";
        assert.deepStrictEqual(ProcessActivity.parsePs(procps, 500), { cpuSeconds: 86_403, state: "runnable" });
        assert.deepStrictEqual(ProcessActivity.parsePs("  500     1 T    00:00:01\n", 500), {
            cpuSeconds: 1,
            state: "stopped",
        });
        assert.isUndefined(ProcessActivity.parsePs(procps, 7));
    });
});
