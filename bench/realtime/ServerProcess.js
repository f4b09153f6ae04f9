/** A server in a process of its own, and crowds of clients around it. */
import { fork } from "node:child_process";
import { join } from "node:path";
import { Effect } from "effect";
import { connect } from "./RawClient.ts";
/** A server of its own that ends with the scope. */
export const startServer = Effect.fnUntraced(function* (kind) {
    const child = yield* Effect.acquireRelease(Effect.sync(() => fork(join(import.meta.dirname, "server.ts"), [kind], {
        execArgv: kind === "armoricore" ? serverFlags : [],
    })), (running) => Effect.promise(() => exited(running)));
    const next = (wanted) => new Promise((resolve) => {
        const listen = (report) => {
            if (!isReport(report, wanted))
                return;
            child.off("message", listen);
            resolve(report);
        };
        child.on("message", listen);
    });
    // A server that dies takes the bench with it, instead of being waited for.
    child.on("exit", (code) => {
        if (code !== 0)
            process.exit(1);
    });
    const { port } = yield* Effect.promise(() => next("listening"));
    const send = (order) => void child.send(order);
    const running = {
        kind,
        port,
        send,
        request: (order, report) => {
            const answer = next(report);
            send(order);
            return answer;
        },
    };
    return running;
});
/** The flag that the program's launcher gives its own process; `BENCH_FLAGS` tries others. */
export const serverFlags = (process.env["BENCH_FLAGS"] ?? "--max-semi-space-size=8")
    .split(" ")
    .filter((flag) => flag !== "");
const isReport = (report, wanted) => report.report === wanted;
const exited = (child) => new Promise((resolve) => {
    child.on("exit", () => resolve());
    // It ends after a time without messages, and writes a profile first if one was requested.
    child.disconnect();
});
/** Connects so many, 50 at once; returns them with the seconds it took. */
export const connectClients = Effect.fnUntraced(function* (server, count, tokenOf) {
    const clients = [];
    yield* Effect.addFinalizer(() => Effect.sync(() => clients.forEach((client) => client.disconnect())));
    const from = performance.now();
    yield* Effect.forEach(Array.from({ length: count }, (_, index) => index), (index) => Effect.map(Effect.promise(() => connect(server.kind, server.port, tokenOf(index), `127.0.0.${2 + (index % 8)}`)), (client) => clients.push(client)), { concurrency: 50, discard: true });
    return { clients, seconds: (performance.now() - from) / 1000 };
});
export const totalFrames = (clients) => clients.reduce((sum, client) => sum + client.frames(), 0);
export const waitUntil = (condition) => Effect.repeat(Effect.sleep(10), { while: () => !condition() });
export const joinTopic = (client, ref, name) => client.send(JSON.stringify([ref, ref, name, "phx_join", {}]));
