/**
 * A real PostgreSQL for tests: on a free port of 127.0.0.1, with a folder of its own, gone with the scope. It refuses to
 * run as root, so root lends it to the user `postgres`. Call
 * `Programs.requireProgram("postgres")` and `Programs.requireProgram("initdb")` first.
 */
import { execFile, spawn } from "node:child_process";
import { chownSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Context, Effect, Layer } from "effect";
import * as TestCertificate from "./fakes/TestCertificate.ts";
import { freePort } from "./LocalPort.ts";
import { childPids } from "./Processes.ts";
import * as Programs from "./Programs.ts";
export class PostgresServer extends Context.Service()("@armoricore/testing/PostgresServer") {
}
export const make = Effect.fnUntraced(function* (wanted = {}) {
    const program = Programs.find("postgres");
    if (program === undefined)
        return yield* Effect.die(new Error("postgres is not installed"));
    const programs = dirname(realpathSync(program));
    const runAs = postgresUser();
    const folder = yield* Effect.acquireRelease(Effect.sync(() => mkdtempSync(join(tmpdir(), "postgres-server-"))), (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })));
    if ("uid" in runAs)
        chownSync(folder, runAs.uid, runAs.gid);
    const data = join(folder, "data");
    const environment = { PATH: process.env["PATH"] ?? "", LC_ALL: "C.UTF-8" };
    yield* Effect.callback((resume) => {
        const options = ["-D", data, "-U", "armoricore", "-A", "trust", "-E", "UTF8", "--no-sync"];
        execFile(join(programs, "initdb"), options, { ...runAs, cwd: folder, env: environment }, (error, _out, said) => resume(error === null ? Effect.void : Effect.die(new Error(`initdb failed: ${said}`))));
    });
    if (wanted.tls === true) {
        writeFileSync(join(data, "server.crt"), TestCertificate.certificate);
        writeFileSync(join(data, "server.key"), TestCertificate.privateKey, { mode: 0o600 });
        if ("uid" in runAs)
            for (const file of ["server.crt", "server.key"])
                chownSync(join(data, file), runAs.uid, runAs.gid);
        writeFileSync(join(data, "pg_hba.conf"), "hostssl all all 127.0.0.1/32 trust\n");
    }
    const port = yield* freePort;
    const start = Effect.callback((resume) => {
        const settings = ["listen_addresses=127.0.0.1", "max_connections=60", "fsync=off", "shared_buffers=16MB"];
        if (wanted.tls === true)
            settings.push("ssl=on");
        const child = spawn(join(programs, "postgres"), ["-D", data, "-p", String(port), "-k", folder, ...settings.flatMap((setting) => ["-c", setting])], { ...runAs, cwd: folder, env: environment, detached: true, stdio: ["ignore", "ignore", "pipe"] });
        // A test run that is ended from outside runs no finalizers.
        const last = () => killAll(child);
        process.once("exit", last);
        child.once("exit", () => process.removeListener("exit", last));
        let log = "";
        child.stderr.on("data", (chunk) => {
            log = (log + chunk.toString()).slice(-4_000);
            if (log.includes("database system is ready to accept connections"))
                resume(Effect.succeed(child));
        });
        child.once("exit", (code) => resume(Effect.die(new Error(`postgres ended with ${code}:\n${log}`))));
    });
    let running = yield* Effect.acquireRelease(start, () => Effect.suspend(() => killAndWait(running)));
    return PostgresServer.of({
        port,
        url: `postgres://armoricore@127.0.0.1:${port}/postgres`,
        kill: Effect.suspend(() => killAndWait(running)),
        restart: Effect.map(start, (again) => {
            running = again;
        }),
    });
});
export const layer = Layer.effect(PostgresServer, make());
/** Nothing where we are not root. */
const postgresUser = () => {
    if (process.getuid?.() !== 0)
        return {};
    const line = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync("/etc/passwd", "utf8"));
    return line === null ? {} : { uid: Number(line[1]), gid: Number(line[2]) };
};
const killAndWait = (child) => Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null)
        return resume(Effect.void);
    child.once("exit", () => resume(Effect.void));
    killAll(child);
});
/** Each server process leads a group of its own and would answer on without its parent. */
const killAll = ({ exitCode, pid, signalCode }) => {
    if (pid === undefined || exitCode !== null || signalCode !== null)
        return;
    for (const one of [pid, ...childPids(pid)]) {
        try {
            process.kill(one, "SIGKILL");
        }
        catch {
            // It ended between the look and the kill.
        }
    }
};
