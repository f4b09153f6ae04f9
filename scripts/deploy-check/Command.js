/** Runs a program to its end. */
import { Effect, Schema } from "effect";
import { spawn } from "node:child_process";
import { join } from "node:path";
export const root = join(import.meta.dirname, "../..");
export class CheckFailed extends Schema.TaggedError()("CheckFailed", { message: Schema.String }) {
}
/** Its stdout; `input` goes to its stdin. A failure has the end of its output. */
export const run = (program, args, input = "") => Effect.callback((resume) => {
    const child = spawn(program, args, { cwd: root, stdio: ["pipe", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk) => (stderr = (stderr + chunk.toString()).slice(-3_000)));
    // A program that does not read it closes it.
    child.stdin.on("error", () => { });
    child.stdin.end(input);
    const fail = (why) => resume(Effect.fail(new CheckFailed({
        message: `${program} ${args.slice(0, 10).join(" ")} ${why}\n${stdout.slice(-3_000)}${stderr}`,
    })));
    child.once("error", ({ message }) => fail(message));
    child.once("close", (code) => (code === 0 ? resume(Effect.succeed(stdout.trim())) : fail(`ended with ${code}`)));
    return Effect.sync(() => child.kill());
});
