/**
 * Outside programs that a test needs. Where one is not installed the test is left out, and the reason is printed and
 * counted by the test run's last line; with `CI=true` a missing program is a failure instead.
 */
import { appendFileSync } from "node:fs";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
const extraDirectories = [
    "/usr/lib/rabbitmq/bin",
    "/usr/sbin",
    "/usr/lib/postgresql/15/bin",
    "/usr/local/bin",
    "/usr/bin",
];
/** The program's path, or undefined. */
export const find = (program) => [...(process.env["PATH"] ?? "").split(delimiter), ...extraDirectories]
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, program))
    .find((path) => {
    try {
        accessSync(path, constants.X_OK);
        return true;
    }
    catch {
        return false;
    }
});
/** Looks for a program and, where it is missing, leaves a line for the closing summary. */
export const requireProgram = (program) => {
    const path = find(program);
    if (path !== undefined)
        return { missing: false, path };
    if (process.env["CI"] === "true")
        throw new Error(`${program} is not installed; CI leaves no test out`);
    recordSkip(`${program} is not installed`);
    return { missing: true, path: "" };
};
/** Says for the test run's last line why a test was left out. */
export const recordSkip = (reason) => {
    const file = process.env["ARMORICORE_LEFT_OUT_FILE"];
    if (file !== undefined)
        appendFileSync(file, `${reason}\n`);
};
