/** What a person does in the first hour: types a command, reads its output or a page, and finds the next command there. */
import { Effect, Schema } from "effect";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
export class StepFailed extends Schema.TaggedError()("StepFailed", { message: Schema.String }) {
}
/** Only these variables of the developer reach the person: folders, and the way to the registry. */
const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(HOME|PATH|TMPDIR|.*_CERTS?|.*_CERT_.*|.*proxy)$/i.test(name)));
const stepTimeout = "10 minutes";
const startShell = ({ command, env, folder }) => spawn("bash", ["-c", command], {
    cwd: folder,
    env: { ...inherited, npm_config_fund: "false", npm_config_audit: "false", ...env },
    // A group: the shell has npm below it, and npm the program.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
});
const endGroup = ({ exitCode, pid, signalCode }) => {
    if (pid !== undefined && exitCode === null && signalCode === null)
        process.kill(-pid, "SIGTERM");
};
/** The output of a command that ends; fails with its last lines if it fails. */
const runShell = (step) => Effect.callback((resume) => {
    const child = startShell(step);
    let output = "";
    for (const stream of [child.stdout, child.stderr])
        stream.on("data", (chunk) => (output += String(chunk)));
    child.once("close", (code) => resume(code === 0
        ? Effect.succeed(output)
        : Effect.fail(new StepFailed({ message: `${step.name} ended with ${code}:\n${output.slice(-4_000)}` }))));
    return Effect.sync(() => endGroup(child));
});
/** Starts a server, and returns its output so far once it shows what is expected. It ends with the scope. */
const startServer = (step) => Effect.gen(function* () {
    let output = "";
    const child = yield* Effect.acquireRelease(Effect.sync(() => startShell(step)), (started) => Effect.callback((resume) => {
        if (started.exitCode !== null || started.signalCode !== null)
            return resume(Effect.void);
        started.once("close", () => resume(Effect.void));
        endGroup(started);
    }).pipe(Effect.timeoutOption("30 seconds")));
    return yield* Effect.callback((resume) => {
        for (const stream of [child.stdout, child.stderr])
            stream.on("data", (chunk) => {
                output += String(chunk);
                if (step.expected.test(output))
                    resume(Effect.succeed(output));
            });
        child.once("close", (code) => resume(Effect.fail(new StepFailed({ message: `${step.name} ended with ${code}:\n${output.slice(-4_000)}` }))));
    });
});
const normalized = (text) => text.replaceAll(/\s+/g, " ");
/** Where the person reads the next command; fails where it is not in sight. */
const whereIsNext = ({ name, next }, clone, output) => {
    if (next === "the end")
        return Effect.succeed("");
    const { command, page } = next;
    const text = page === undefined ? output : readFileSync(join(clone, page), "utf8");
    return normalized(text).includes(normalized(command))
        ? Effect.succeed(`\`${command}\` (${page ?? "in the output"})`)
        : Effect.fail(new StepFailed({ message: `after "${name}", ${page ?? "its output"} does not name ${command}` }));
};
/** Does a step. `clone` has the pages. */
export const take = Effect.fn("Person.take")(function* (step, clone) {
    const startedAt = Date.now();
    const output = yield* Effect.timeoutOrElse(step.serves === true ? startServer(step) : runShell(step), {
        duration: stepTimeout,
        orElse: () => Effect.fail(new StepFailed({ message: `${step.name} took more than ${stepTimeout}` })),
    });
    const seconds = (Date.now() - startedAt) / 1000;
    if (!step.expected.test(output))
        return yield* new StepFailed({ message: `${step.name} does not show ${step.expected}:\n${output.slice(-4_000)}` });
    const next = yield* whereIsNext(step, clone, output);
    return { name: step.name, seconds, next, output };
});
