/**
 * Runs the image's program as a container would: in its own files, which are read-only, as its own user, with its own
 * environment and command line. It shares the network of this machine.
 */
import { Effect } from "effect";
import { spawn } from "node:child_process";
import { CheckFailed } from "./Command.ts";
/** Gone with the scope. */
export const start = Effect.fn("Container.start")(function* ({ config, files }, args, settings) {
    // Below a mount namespace of its own, so nothing of this stays.
    const mounts = [
        `mount --bind '${files}' '${files}'`,
        `mount -t proc proc '${files}/proc'`,
        `mount --rbind /dev '${files}/dev'`,
        `mount -t tmpfs tmpfs '${files}/tmp'`,
        `mount -t tmpfs -o uid=1000 tmpfs '${files}/var/lib/armoricore'`,
        `mount -o remount,ro,bind '${files}'`,
    ];
    const command = [
        ...`chroot --userspec=${config.User} ${files} env -i -C ${config.WorkingDir}`.split(" "),
        ...config.Env,
        ...Object.entries(settings).map(([name, value]) => `${name}=${value}`),
        ...config.Entrypoint,
        ...args,
    ];
    // Each program replaces the one before it: the child is the program itself, and gets its signals.
    const script = `${mounts.join(" && ")} && exec "$@"`;
    return yield* Effect.acquireRelease(Effect.sync(() => {
        const child = spawn("unshare", ["--mount", "sh", "-c", script, "sh", ...command], {
            stdio: ["ignore", "pipe", "pipe"],
        });
        let output = "";
        for (const stream of [child.stdout, child.stderr])
            stream.on("data", (chunk) => (output = (output + chunk.toString()).slice(-100_000)));
        const exited = new Promise((done) => child.once("close", done));
        return { child, output: () => output, exited };
    }), ({ child, exited }) => Effect.promise(() => {
        child.kill("SIGKILL");
        return exited;
    }));
});
/** Runs one command of the program to its end; its output. */
export const runToEnd = Effect.fn("Container.runToEnd")(function* (image, args, settings) {
    const { exited, output } = yield* start(image, args, settings);
    const code = yield* Effect.promise(() => exited);
    if (code !== 0)
        return yield* new CheckFailed({ message: `${args.join(" ")} ended with ${code}\n${output()}` });
    return output();
}, Effect.scoped);
