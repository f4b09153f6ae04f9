/** Starts `ClusterNode.ts`, or another program with the same protocol, as a child process. */
import { Effect } from "effect";
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
const file = fileURLToPath(new URL("./ClusterNode.ts", import.meta.url));
const end = (child, signal) => Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null)
        return resume(Effect.void);
    child.once("exit", () => resume(Effect.void));
    child.kill(signal);
});
/** The end of the scope kills the process. */
export const start = (options, program = file) => Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(Effect.sync(() => fork(program, [JSON.stringify(options)], { execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] })), (started) => end(started, "SIGKILL"));
    const port = yield* Effect.callback((resume) => {
        child.once("message", (message) => {
            if (typeof message === "object" && "port" in message)
                resume(Effect.succeed(Number(message.port)));
        });
        child.once("exit", (code) => resume(Effect.die(new Error(`the node ended with ${code}`))));
    });
    const cpuMicros = Effect.callback((resume) => {
        child.once("message", (message) => {
            if (typeof message === "object" && "cpuMicros" in message)
                resume(Effect.succeed(Number(message.cpuMicros)));
        });
        child.send("cpu");
    });
    return { port, cpuMicros, end: (signal) => end(child, signal) };
});
