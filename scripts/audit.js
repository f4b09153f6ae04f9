/**
 * `npm run audit`: asks the registry for advisories about the locked dependencies (`npm audit`), and fails on each that
 * docs/vulnerabilities.md does not answer. An answer is a row of its table that begins with the advisory's id.
 */
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { vendoredPackages } from "./vendor.ts";
const isRecord = (value) => typeof value === "object" && value !== null;
const text = (value) => (typeof value === "string" ? value : "");
/** Every advisory of a report of `npm audit --json` once; throws where the report is none. */
export const parseReport = (report) => {
    if (!isRecord(report) || !isRecord(report["vulnerabilities"])) {
        const said = isRecord(report) ? text(report["message"]) : "";
        throw new Error(`npm audit gave no report${said === "" ? "" : `: ${said}`}`);
    }
    const found = new Map();
    for (const entry of Object.values(report["vulnerabilities"])) {
        const via = isRecord(entry) && Array.isArray(entry["via"]) ? entry["via"] : [];
        for (const advisory of via) {
            // A name leads to another entry, which has the advisory.
            if (!isRecord(advisory))
                continue;
            const id = /GHSA(-[0-9a-z]{4}){3}/.exec(text(advisory["url"]))?.[0] ?? `npm-${String(advisory["source"])}`;
            found.set(id, {
                id,
                package: text(advisory["name"]),
                severity: text(advisory["severity"]),
                title: text(advisory["title"]),
                range: text(advisory["range"]),
            });
        }
    }
    return [...found.values()].toSorted((a, b) => a.id.localeCompare(b.id));
};
/** Ids that the document's table answers. */
export const answeredAdvisories = (markdown) => new Set([...markdown.matchAll(/^\|\s*\[?((?:GHSA|npm)-[0-9a-z-]+)/gm)].map((match) => match[1] ?? ""));
/** What to print, and whether every finding is answered. */
export const summarize = (findings, answered) => {
    const open = findings.filter(({ id }) => !answered.has(id));
    const known = new Set(findings.map(({ id }) => id));
    const lines = [
        ...open.map((one) => `unanswered: ${one.id} ${one.package} ${one.range} (${one.severity}): ${one.title}`),
        ...[...answered].filter((id) => !known.has(id)).map((id) => `no longer found, or not asked for: ${id}`),
        `${findings.length} advisories, ${open.length} without an answer in docs/vulnerabilities.md`,
    ];
    return { passed: open.length === 0, lines };
};
const root = fileURLToPath(new URL("..", import.meta.url));
/** npm ends with 1 where it found something; what counts is its report. */
const report = (folder) => new Promise((resolve, reject) => {
    execFile("npm", ["audit", "--json"], { cwd: folder, maxBuffer: 64 * 1024 ** 2 }, (_failed, stdout) => {
        try {
            resolve(JSON.parse(stdout));
        }
        catch {
            reject(new Error(`npm audit gave no report: ${stdout.slice(0, 200)}`));
        }
    });
});
/** npm takes the folders of `vendor/` for packages of this repository and asks nothing about them. */
const vendoredReport = async () => {
    const folder = mkdtempSync(join(tmpdir(), "armoricore-audit-"));
    try {
        const dependencies = Object.fromEntries(vendoredPackages().map(({ name, version }) => [name, version]));
        writeFileSync(join(folder, "package.json"), JSON.stringify({ dependencies }));
        execFileSync("npm", ["install", "--package-lock-only", "--ignore-scripts"], { cwd: folder, stdio: "ignore" });
        return await report(folder);
    }
    finally {
        rmSync(folder, { recursive: true, force: true });
    }
};
if (process.argv[1] === fileURLToPath(import.meta.url)) {
    try {
        const { lines, passed } = summarize([...parseReport(await report(root)), ...parseReport(await vendoredReport())], answeredAdvisories(readFileSync(join(root, "docs", "vulnerabilities.md"), "utf8")));
        console.log(lines.join("\n"));
        process.exitCode = passed ? 0 : 1;
    }
    catch (cause) {
        console.error(cause instanceof Error ? cause.message : String(cause));
        process.exitCode = 1;
    }
}
