/** The program as a child process. */
import { Deferred, Effect } from "effect";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
const bin = fileURLToPath(new URL("../../bin/armoricore.js", import.meta.url));
/** A folder that is removed when the scope closes. */
export const temporaryDirectory = Effect.acquireRelease(Effect.sync(() => mkdtempSync(join(tmpdir(), "armoricore-test-"))), (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 })));
/** Only these variables of the developer's environment reach the program. */
const environment = (own) => {
    const inherited = ["PATH", "HOME", "TMPDIR", "CI"];
    return {
        ...Object.fromEntries(inherited.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))),
        ...own,
    };
};
/** Starts a command, by default of this checkout (`program`). Ends it when the scope closes. */
export const launch = (args, env, program = bin) => Effect.acquireRelease(Effect.sync(() => start(args, env, program)), ({ child, exited, signal }) => 
// SIGTERM first, so that the program removes its temporary files.
child.exitCode === null && child.signalCode === null
    ? signal("SIGTERM").pipe(Effect.andThen(exited), Effect.timeoutOrElse({ duration: "15 seconds", orElse: () => Effect.andThen(signal("SIGKILL"), exited) }))
    : exited);
const start = (args, env, program) => {
    const child = spawn(process.execPath, [program, ...args], {
        env: environment(env),
        stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    const matchers = new Set();
    const onOutput = () => {
        for (const match of matchers)
            match();
    };
    child.stdout.on("data", (chunk) => {
        stdout += String(chunk);
        onOutput();
    });
    child.stderr.on("data", (chunk) => {
        stderr += String(chunk);
        onOutput();
    });
    const end = Deferred.makeUnsafe();
    child.on("close", (code) => {
        Deferred.doneUnsafe(end, Effect.succeed({ code, stdout, stderr }));
        onOutput();
    });
    return {
        child,
        output: () => `${stdout}\n${stderr}`,
        waitForOutput: (pattern) => Effect.callback((resume) => {
            const tryMatch = () => {
                const match = pattern.exec(`${stdout}\n${stderr}`);
                if (match !== null)
                    resume(Effect.succeed(match));
                else if (Deferred.isDoneUnsafe(end))
                    resume(Effect.fail(new Error(`exited without printing ${String(pattern)}: ${stdout}\n${stderr}`)));
                else
                    return;
                matchers.delete(tryMatch);
            };
            matchers.add(tryMatch);
            tryMatch();
            return Effect.sync(() => matchers.delete(tryMatch));
        }),
        exited: Deferred.await(end),
        signal: (signal) => Effect.sync(() => void child.kill(signal)),
    };
};
/** Runs a command and waits for its exit. */
export const run = (args, env, program = bin) => Effect.scoped(Effect.flatMap(launch(args, env, program), ({ exited }) => exited));
