/** The entry point: runs one command, and exits with its exit code. */
import { Cause, Exit, Runtime } from "effect";
import cluster from "node:cluster";
import { runCommandLine } from "./Cli.ts";
/** After a signal, a command that drained has set `process.exitCode` to 0; any other exits with 130. */
const teardown = (exit, onExit) => {
    if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
        onExit(Number(process.exitCode ?? 130));
    else
        Runtime.defaultTeardown(exit, onExit);
};
/** One Ctrl-C may arrive several times: from the terminal, and forwarded by npm and by `bin/armoricore.js`. */
const signalDebounceMillis = 1_000;
const stopSignals = ["SIGINT", "SIGTERM", "SIGHUP"];
/** How often the process looks whether npm still runs. */
const parentCheckMillis = 1_000;
/** A program that npm started ends with npm, also when npm is killed and cannot pass a signal on. */
const watchParent = (onGone) => {
    if (process.env["npm_lifecycle_event"] === undefined)
        return;
    const parent = process.ppid;
    const timer = setInterval(() => {
        if (process.ppid === parent)
            return;
        clearInterval(timer);
        onGone();
    }, parentCheckMillis);
    timer.unref();
};
/** The first signal drains, a second one exits at once. */
const run = Runtime.makeRunMain(({ fiber, teardown }) => {
    let signalledAt;
    const onSignal = () => {
        // The terminal signals the primary process too, which tells its workers when to drain.
        if (cluster.isWorker)
            return;
        const now = performance.now();
        if (signalledAt === undefined) {
            signalledAt = now;
            fiber.interruptUnsafe(fiber.id);
        }
        else if (now - signalledAt > signalDebounceMillis)
            process.exit(1);
    };
    // A closed terminal or pipe: the program drains, and what it still prints is dropped.
    const onOutputClosed = () => {
        if (signalledAt === undefined)
            onSignal();
    };
    for (const signal of stopSignals)
        process.on(signal, onSignal);
    process.stdout.on("error", onOutputClosed);
    process.stderr.on("error", onOutputClosed);
    watchParent(onOutputClosed);
    fiber.addObserver((exit) => teardown(exit, (code) => {
        // A worker would stay alive because of its open channel to the primary process.
        if (signalledAt !== undefined || cluster.isWorker || code !== 0)
            process.exit(code);
        // Open handles may still finish. From here on a signal ends the process at once.
        for (const signal of stopSignals)
            process.off(signal, onSignal);
    }));
});
export const main = () => run(runCommandLine(process.argv.slice(2)), { disableErrorReporting: true, teardown });
