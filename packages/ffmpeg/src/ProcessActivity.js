/**
 * What the operating system reports about a child process and its descendants: from `/proc` on Linux, from `ps` on other
 * Unix systems. Windows has neither, and nothing is known there.
 */
import { Effect, FileSystem, Stream } from "effect";
import { ChildProcess } from "effect/process";
/** The activity of this process and its descendants; undefined if it has ended or the system does not tell. */
export const read = (pid) => Effect.orElseSucceed(readSystem(pid), () => undefined);
const readSystem = (pid) => (process.platform === "linux" ? fromProc(pid) : process.platform === "win32" ? Effect.undefined : fromPs(pid));
/** The kernel counts CPU time in these ticks in all files below `/proc`. */
const ticksPerSecond = 100;
const fromProc = Effect.fnUntraced(function* (pid) {
    const fs = yield* FileSystem.FileSystem;
    const stat = parseStat(yield* fs.readFileString(`/proc/${pid}/stat`));
    const own = [stat];
    for (const thread of yield* fs.readDirectory(`/proc/${pid}/task`)) {
        const folder = `/proc/${pid}/task/${thread}`;
        // A thread may end at any time. Its CPU time is part of that of its process.
        const { state } = yield* Effect.orElseSucceed(Effect.map(fs.readFileString(`${folder}/stat`), parseStat), () => stat);
        own.push({ cpuSeconds: 0, state });
        const children = yield* Effect.orElseSucceed(fs.readFileString(`${folder}/children`), () => "");
        for (const child of children.split(" ").filter(Boolean)) {
            const activity = yield* Effect.orElseSucceed(fromProc(Number(child)), () => undefined);
            if (activity !== undefined)
                own.push(activity);
        }
    }
    return combine(own);
});
/** The name, the second field, may contain spaces and parentheses. */
const parseStat = (text) => {
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    // User and system time, and both of the children that have ended: fields 14 to 17.
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { cpuSeconds: ticks / ticksPerSecond, state: stateOf(fields[0] ?? "") };
};
const stateOf = (letters) => letters.startsWith("R") ? "runnable" : /^[Tt]/.test(letters) ? "stopped" : "waiting";
const combine = (all) => all.length === 0
    ? undefined
    : {
        cpuSeconds: all.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
        state: ["runnable", "stopped"].find((state) => all.some((one) => one.state === state)) ?? "waiting",
    };
const fromPs = Effect.fnUntraced(function* (pid) {
    const child = yield* ChildProcess.make("ps", ["-A", "-o", "pid=,ppid=,stat=,time="], {
        stdin: "ignore",
        stderr: "ignore",
        forceKillAfter: "1 second",
    });
    return parsePs(yield* Stream.mkString(Stream.decodeText(child.stdout)), pid);
}, Effect.scoped);
/** Lines of `ps` with the process, its parent, the state and the CPU time: `0:01.25`, `00:00:01` or `1-02:03:04`. */
export const parsePs = (text, pid) => {
    const rows = text.split("\n").flatMap((line) => {
        const [, id, parent, state = "", days = "0", time = ""] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(?:(\d+)-)?([\d:.]+)\s*$/.exec(line) ?? [];
        const seconds = time.split(":").reduce((sum, digits) => sum * 60 + Number(digits), 0);
        return id === undefined
            ? []
            : [{ id: Number(id), parent: Number(parent), state: stateOf(state), cpuSeconds: Number(days) * 86_400 + seconds }];
    });
    const group = rows.filter(({ id }) => id === pid);
    for (const member of group)
        group.push(...rows.filter(({ parent }) => parent === member.id));
    return combine(group);
};
