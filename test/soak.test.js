/** The short form of `npm run soak`. One minute is enough to show errors, but not slow growth of memory or queues. */
import * as Programs from "@armoricore/testing/Programs";
import { execFile } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { assert, describe, it } from "vitest";
const root = dirname(fileURLToPath(new URL(".", import.meta.url)));
const programs = [
    Programs.requireProgram("nats-server"),
    Programs.requireProgram("postgres"),
    Programs.requireProgram("ffmpeg"),
];
describe.skipIf(programs.some(({ missing }) => missing))("a soak of one minute", () => {
    it("completes all operations on embedded and on NATS with PostgreSQL without an error in the log", () => new Promise((resolve, reject) => {
        execFile(process.execPath, ["soak/main.ts", "--minutes", "1"], { cwd: root }, (error, stdout, stderr) => {
            if (error !== null)
                return reject(new Error(`${stderr}\n${stdout}`));
            assert.match(stdout, /\| embedded .*\n\| nats /);
            resolve();
        });
    }));
});
