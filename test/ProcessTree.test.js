/** What npm starts ends with npm, however npm ends: no process, port or temporary folder is left. */
import { eventually } from "@armoricore/testing/Eventually";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
const root = fileURLToPath(new URL("..", import.meta.url));
const isLinux = process.platform === "linux";
const rabbit = Programs.requireProgram("rabbitmq-server");
const terminal = Programs.requireProgram("script");
if (!isLinux)
    Programs.recordSkip("processes are found in /proc, which only Linux has");
/** The processes whose environment or arguments name the folder; a zombie has neither. */
const processesOf = (folder) => readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => ["environ", "cmdline"].some((file) => {
    try {
        return readFileSync(`/proc/${pid}/${file}`, "latin1").includes(folder);
    }
    catch {
        return false;
    }
}))
    .map(Number);
const commandLine = (pid) => {
    try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ");
    }
    catch {
        return "";
    }
};
const refusesConnections = (port) => Effect.callback((resume) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resume(Effect.as(Effect.sync(() => socket.destroy()), false)));
    socket.once("error", () => resume(Effect.succeed(true)));
});
/** npm in a process group of its own; `isTerminal` puts it behind a terminal that closes when the child is killed. */
const npm = (args, isTerminal = false) => Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "process-tree-"));
    chmodSync(folder, 0o711);
    const [command, commandArgs] = isTerminal
        ? [terminal.path, ["-qefc", `npm ${args.join(" ")}`, "/dev/null"]]
        : ["npm", args];
    const child = spawn(command, commandArgs, {
        cwd: root,
        detached: true,
        env: { ...process.env, TMPDIR: folder, ARMORICORE_DATA_DIR: join(folder, "data"), PORT: "0", LOG_LEVEL: "warn" },
        stdio: ["pipe", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
        stream.on("data", (chunk) => (output += chunk.toString()));
    return { child, folder, output: () => output };
});
const signal = (pid, name) => {
    if (pid !== undefined)
        process.kill(pid, name);
};
const ways = [
    { title: "SIGINT to npm", end: ({ pid }) => signal(pid, "SIGINT") },
    { title: "SIGTERM to npm", end: ({ pid }) => signal(pid, "SIGTERM") },
    { title: "SIGHUP to npm", end: ({ pid }) => signal(pid, "SIGHUP") },
    { title: "SIGKILL to npm", end: ({ pid }) => signal(pid, "SIGKILL") },
    { title: "Ctrl-C, which signals the whole group", end: ({ pid }) => signal(pid && -pid, "SIGINT") },
    { title: "a terminal that closes", isTerminal: true, end: ({ pid }) => signal(pid, "SIGKILL") },
];
/** Caches of compiled modules and of the trial of ffmpeg, and the data folder that the user chose. */
const allowedFiles = new Set(["node-compile-cache", `armoricore-ffmpeg-${process.getuid?.() ?? 0}`, "data"]);
const expectNothingLeft = ({ folder, output }) => Effect.gen(function* () {
    yield* eventually(() => processesOf(folder).map((pid) => `${pid} ${commandLine(pid)}`), (left) => left.length === 0, { timeout: "30 seconds", interval: "100 millis" });
    assert.deepStrictEqual(readdirSync(folder).filter((name) => !allowedFiles.has(name)), [], output());
    rmSync(folder, { recursive: true, force: true });
});
describe.skipIf(!isLinux || terminal.missing)("npm start", { concurrent: true }, () => {
    for (const { end, isTerminal, title } of ways) {
        it.live(`ends with npm after ${title}`, () => Effect.gen(function* () {
            const started = yield* npm(["start", "--", "start"], isTerminal);
            const port = yield* eventually(() => /\(port (\d+)\)/.exec(started.output())?.[1], (found) => found !== undefined, { timeout: "40 seconds" });
            end(started.child);
            yield* expectNothingLeft(started);
            assert.isTrue(yield* refusesConnections(Number(port)));
        }));
    }
});
describe.skipIf(!isLinux)("npm run demo", () => {
    it.live("removes its data and ends its encoders after SIGTERM to npm during an encode", () => Effect.gen(function* () {
        const started = yield* npm(["run", "demo"]);
        yield* eventually(() => started.output().includes("Published media.uploaded"), { timeout: "60 seconds" });
        signal(started.child.pid, "SIGTERM");
        yield* expectNothingLeft(started);
    }));
});
describe.skipIf(!isLinux || rabbit.missing)("npm test", () => {
    for (const name of ["SIGTERM", "SIGKILL"]) {
        it.live(`ends its servers after ${name} to npm`, () => Effect.gen(function* () {
            const file = "packages/bus/test/rabbitmq/RabbitSchema.test.ts";
            const started = yield* npm(["test", "--", "--project", "bus", file]);
            const isServer = (pid) => /beam\.smp/.test(commandLine(pid));
            yield* eventually(() => processesOf(started.folder).some(isServer), { timeout: "60 seconds" });
            signal(started.child.pid, name);
            yield* expectNothingLeft(started);
        }));
    }
});
