/** Child processes of a chaos run: started with their own environment, their output read, ended with the scope. */
import { Effect } from "effect";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
const maxComplaints = 12;
export const start = (file, env) => Effect.acquireRelease(Effect.sync(() => spawnProcess(file, env)), (child) => Effect.andThen(
// A stopped process dies of SIGKILL all the same.
child.signal("SIGKILL"), child.exited));
const spawnProcess = (file, env) => {
    const process_ = spawn(process.execPath, [fileURLToPath(new URL(file, import.meta.url))], {
        env: { PATH: process.env["PATH"] ?? "", ...env },
        stdio: ["ignore", "pipe", "pipe"],
    });
    const lines = [];
    const complaints = [];
    process_.stderr?.on("data", (chunk) => {
        complaints.push(...chunk.toString().trimEnd().split("\n"));
        complaints.splice(0, complaints.length - maxComplaints);
    });
    const waiting = new Set();
    const ended = new Promise((resolve) => process_.once("close", () => resolve()));
    let rest = "";
    process_.stdout?.on("data", (chunk) => {
        const parts = (rest + chunk.toString()).split("\n");
        rest = parts.pop() ?? "";
        lines.push(...parts);
        for (const look of waiting)
            look();
    });
    const isRunning = () => process_.exitCode === null && process_.signalCode === null;
    return {
        lines,
        complaints,
        isRunning,
        exited: Effect.promise(() => ended),
        signal: (signal) => Effect.sync(() => void process_.kill(signal)),
        waitForLine: (start_) => Effect.callback((resume) => {
            const look = () => {
                const found = lines.find((line) => line.startsWith(start_));
                if (found === undefined)
                    return;
                waiting.delete(look);
                resume(Effect.succeed(found));
            };
            waiting.add(look);
            process_.once("close", () => resume(Effect.fail(new Error([`${file} ended without saying ${start_}`, ...complaints].join("\n")))));
            look();
            return Effect.sync(() => waiting.delete(look));
        }),
    };
};
