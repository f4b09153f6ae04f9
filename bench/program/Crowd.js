/** A crowd of clients in a process of its own, as the bench uses it. */
import { fork } from "node:child_process";
import { join } from "node:path";
import { Effect } from "effect";
/** Ends with the scope. */
export const startCrowd = Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(Effect.sync(() => fork(join(import.meta.dirname, "clients.ts"))), (running) => Effect.callback((resume) => {
        running.once("exit", () => resume(Effect.void));
        running.disconnect();
    }));
    const isReport = (report, wanted) => report.report === wanted;
    const crowd = {
        send: (command) => void child.send(command),
        request: (command, wanted) => Effect.callback((resume) => {
            const listen = (report) => {
                if (!isReport(report, wanted))
                    return;
                child.off("message", listen);
                resume(Effect.succeed(report));
            };
            child.on("message", listen);
            child.send(command);
        }),
    };
    return crowd;
});
export const ofAll = (all, effect) => Effect.forEach(all, effect, { concurrency: "unbounded" });
