/** The program under load as a process of its own, and what the kernel says of it. */
import { Data, Deferred, Effect } from "effect";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
const program = join(import.meta.dirname, "../packages/armoricore/bin/armoricore.js");
export class SoakError extends Data.TaggedError("SoakError") {
}
/** A line of `--trace-gc`: the thread's heap, what is used and what is held after the collection, in MiB. */
const gcTraceLine = /^\[\d+:(0x[0-9a-f]+)\] .*: (.+?) [\d.]+ \([\d.]+\) -> ([\d.]+) \(([\d.]+)\) MB/;
/** Starts all services; SIGTERM at the end of the scope, and it must drain. `collected` hears of each full collection. */
export const start = Effect.fnUntraced(function* (env, collected) {
    const listening = yield* Deferred.make();
    const end = yield* Deferred.make();
    const logErrors = [];
    const child = yield* Effect.acquireRelease(Effect.sync(() => {
        const { HOME = "", PATH = "" } = process.env;
        const spawned = spawn(process.execPath, ["--max-semi-space-size=8", "--trace-gc", program, "start"], {
            env: { HOME, PATH, HOST: "127.0.0.1", PORT: "0", LOG_FORMAT: "json", ...env },
            stdio: ["ignore", "pipe", "pipe"],
        });
        const free = new Map();
        const line = (text) => {
            const [, heap, kind, used, held] = gcTraceLine.exec(text) ?? [];
            if (heap !== undefined) {
                if (kind?.startsWith("Mark-Compact") !== true)
                    return;
                free.set(heap, Number(held) - Number(used));
                collected({ free: [...free.values()].reduce((sum, one) => sum + one, 0) }, spawned.pid ?? 0);
                return;
            }
            const url = /armoricore listens on (\S+)/.exec(text)?.[1];
            if (url !== undefined)
                Deferred.doneUnsafe(listening, Effect.succeed(url));
            else if (text !== "" && (!text.startsWith("{") || /"level":"(ERROR|FATAL)"/i.test(text)))
                logErrors.push(text);
        };
        for (const stream of [spawned.stdout, spawned.stderr]) {
            let rest = "";
            stream.on("data", (chunk) => {
                const lines = (rest + String(chunk)).split("\n");
                rest = lines.pop() ?? "";
                for (const text of lines)
                    line(text);
            });
        }
        spawned.on("close", (code) => {
            Deferred.doneUnsafe(end, Effect.succeed(code));
            Deferred.doneUnsafe(listening, Effect.fail(new SoakError({ message: `ended at the start: ${logErrors.join("\n")}` })));
        });
        return spawned;
    }), (spawned) => {
        spawned.kill("SIGTERM");
        return Effect.timeoutOrElse(Deferred.await(end), {
            duration: "40 seconds",
            orElse: () => Effect.sync(() => spawned.kill("SIGKILL")),
        });
    });
    const url = yield* Deferred.await(listening);
    const running = { pid: child.pid ?? 0, url, logErrors, exited: Deferred.await(end) };
    return running;
});
/** From /proc: Linux alone. */
export const readUsage = (pid) => {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return {
        memory: (pages * 4096) / 2 ** 20,
        handles: readdirSync(`/proc/${pid}/fd`).length,
        cpu: (Number(fields[11]) + Number(fields[12])) / 100,
    };
};
