/**
 * A real nats-server with JetStream for tests: on a free port of 127.0.0.1, with a store folder of its own, gone with the
 * scope. Call `Programs.requireProgram("nats-server")` first.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Context, Effect, Layer } from "effect";
import * as Programs from "./Programs.ts";
export class NatsServer extends Context.Service()("@armoricore/testing/NatsServer") {
}
/** `arguments_` are added to the server's command line, for example `["-c", "nats.conf"]`; `env` is what that file reads. */
export const make = Effect.fnUntraced(function* (arguments_ = [], env = {}) {
    const program = Programs.find("nats-server");
    if (program === undefined)
        return yield* Effect.die(new Error("nats-server is not installed"));
    const folder = yield* Effect.acquireRelease(Effect.sync(() => mkdtempSync(join(tmpdir(), "nats-server-"))), (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })));
    const start = (port) => Effect.callback((resume) => {
        const child = spawn(program, ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", folder, ...arguments_], {
            stdio: ["ignore", "ignore", "pipe"],
            env: { ...process.env, ...env },
        });
        let log = "";
        child.stderr.on("data", (chunk) => {
            log = (log + chunk.toString()).slice(-4_000);
            const listening = log.match(/Listening for client connections on 127\.0\.0\.1:(\d+)/)?.[1];
            if (listening !== undefined && log.includes("Server is ready"))
                resume(Effect.succeed({ child, port: Number(listening) }));
        });
        child.once("exit", (code) => resume(Effect.die(new Error(`nats-server ended with ${code}:\n${log}`))));
    });
    let running = yield* Effect.acquireRelease(start(-1), () => Effect.suspend(() => killAndWait(running.child)));
    const { port } = running;
    return NatsServer.of({
        port,
        url: `nats://127.0.0.1:${port}`,
        pid: Effect.sync(() => running.child.pid ?? 0),
        kill: Effect.suspend(() => killAndWait(running.child)),
        restart: Effect.suspend(() => start(port)).pipe(Effect.map((again) => {
            running = again;
        })),
    });
});
export const layer = Layer.effect(NatsServer, make());
const killAndWait = (child) => Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null)
        return resume(Effect.void);
    child.once("exit", () => resume(Effect.void));
    child.kill("SIGKILL");
});
