/**
 * A disk that can be filled: a small file system in memory, mounted in a namespace of its own, so that no right of the
 * administrator is needed (Linux with `unshare`). Everyone reaches it through the process that holds it.
 */
import { Effect } from "effect";
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
const megabytes = 256;
/** Fails with the reason where this machine does not allow it. Gone with the scope. */
export const make = Effect.gen(function* () {
    const place = yield* Effect.acquireRelease(Effect.sync(() => mkdtempSync(join(tmpdir(), "chaos-disk-"))), (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })));
    const mount = `mount -t tmpfs -o size=${megabytes}m tmpfs '${place}' && echo mounted && exec cat`;
    // It ends when its standard input does: with us, however we end.
    const holder = yield* Effect.acquireRelease(Effect.sync(() => spawn("unshare", ["-U", "-r", "-m", "sh", "-c", mount], { stdio: ["pipe", "pipe", "pipe"] })), (child) => Effect.sync(() => void child.kill("SIGKILL")));
    yield* Effect.callback((resume) => {
        let said = "";
        holder.stderr.on("data", (chunk) => (said += chunk.toString()));
        holder.stdout.once("data", () => resume(Effect.void));
        holder.once("error", (error) => resume(Effect.fail(String(error))));
        holder.once("close", () => resume(Effect.fail(said.trim())));
    });
    const path = `/proc/${holder.pid}/root${place}`;
    const filler = join(path, "filler");
    return {
        path,
        fill: Effect.sync(() => fillFile(filler)),
        free: Effect.sync(() => rmSync(filler, { force: true })),
    };
});
const fillFile = (file) => {
    const descriptor = openSync(file, "w");
    for (const chunk of [new Uint8Array(1024 ** 2), new Uint8Array(4096), new Uint8Array(1)]) {
        try {
            for (;;)
                writeSync(descriptor, chunk);
        }
        catch {
            // No room for a chunk of this size any more; that is what it is for.
        }
    }
    closeSync(descriptor);
};
