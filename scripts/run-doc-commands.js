/**
 * `npm run docs:commands`: runs every shell command of README and docs in a fresh clone, as a new user would, and says
 * which did not do what it should. A block marked `sh` is run; one that cannot be run here is marked `console`, and the
 * text around it says what it needs.
 *
 * A command that serves until it is stopped (`npm start`, the demo, PHP's server) runs in the background until the document's
 * end. Ports are replaced by free ones. `npm test` is left out: it is what calls this, or was run before.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
const root = fileURLToPath(new URL("..", import.meta.url));
/** The commands of a document in its order; a quote or a backslash that is open carries a command over the line's end. */
const findCommands = (markdown) => {
    const found = [];
    let within = false;
    let open;
    for (const [index, line] of markdown.split("\n").entries()) {
        const fence = /^\s*```(\w*)/.exec(line);
        if (fence !== null)
            within = !within && fence[1] === "sh";
        if (fence !== null || !within)
            continue;
        open =
            open === undefined ? { text: line.trim(), line: index + 1 } : { text: `${open.text}\n${line}`, line: open.line };
        const quotes = open.text.replaceAll(/\\./g, "").split("'").length - 1;
        if (quotes % 2 === 1 || open.text.endsWith("\\"))
            continue;
        if (open.text !== "" && !open.text.startsWith("#"))
            found.push(open);
        open = undefined;
    }
    return found;
};
const longRunning = /(^|&& |\s)((\S+=\S+ )*npm start( -- start.*)?|npm run demo|php -S .*)\s*(#.*)?$/;
const isTest = /\bnpm test\b/;
const install = /^npm ci(?: && )?/;
const freePort = () => new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
        const address = server.address();
        server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
});
/** One script a document: a command that fails ends it and names its line. */
const buildScript = (commands) => [
    "set -uo pipefail",
    "pids=()",
    // Whole groups: npm has a shell and the program below it.
    `trap 'for pid in "\${pids[@]}"; do kill -TERM -- "-$pid" 2>/dev/null; done; wait' EXIT`,
    "set -m",
    `serves() { for _ in $(seq 300); do grep -qE "listens on|http://127.0.0.1|started" "$1" && return 0; kill -0 "$2" 2>/dev/null || break; read -rt 0.2 <> <(:) || :; done; cat "$1"; return 1; }`,
    ...commands.flatMap(({ line, text: whole }) => {
        // Installed once, before the first document.
        const text = whole.replace(install, "");
        if (text.replace(/#.*/, "").trim() === "")
            return [];
        const shown = `echo "${`line ${line}: ${text.split("\n")[0] ?? ""}`.replaceAll(/["$`\\]/g, "\\$&")}"`;
        const failed = `|| { echo "line ${line} failed" >&2; exit 1; }`;
        if (isTest.test(text))
            return [`echo "line ${line}: left out, npm test runs by itself"`];
        if (!longRunning.test(text))
            return [shown, `${text.replace(/\s+#.*$/, "")} ${failed}`];
        return [
            shown,
            `log=$(mktemp); { ${text.replace(/\s+#.*$/, "")}; } >"$log" 2>&1 & pids+=($!)`,
            `serves "$log" $! ${failed}`,
        ];
    }),
].join("\n");
const run = (script, cwd, env) => new Promise((resolve) => {
    const child = spawn("bash", ["-c", script], { cwd, env, stdio: ["ignore", "inherit", "inherit"] });
    child.once("exit", (code) => resolve(code ?? 1));
});
const folder = mkdtempSync(join(tmpdir(), "armoricore-commands-"));
const clone = join(folder, "armoricore");
execFileSync("git", ["clone", "--quiet", root, clone]);
const documents = execFileSync("git", ["ls-files", "README.md", "CONTRIBUTING.md", "docs/*.md"], {
    cwd: clone,
    encoding: "utf8",
})
    .trim()
    .split("\n");
const failed = [];
let ran = 0;
try {
    execFileSync("npm", ["ci"], { cwd: clone, stdio: "inherit" });
    for (const document of documents) {
        const [main, other] = [await freePort(), await freePort()];
        const markdown = readFileSync(join(clone, document), "utf8")
            .replaceAll(":4000", `:${main}`)
            .replaceAll(":8080", `:${other}`)
            // An answer such as 422 is a failure too.
            .replaceAll(/^curl /gm, "curl --fail --silent --show-error ")
            .replaceAll("npm start", `PORT=${main} npm start`);
        const commands = findCommands(markdown);
        if (commands.length === 0)
            continue;
        console.log(`\n${document}`);
        const own = mkdtempSync(join(folder, "run-"));
        const { HOME, PATH } = process.env;
        const env = { HOME, PATH, TMPDIR: own };
        const code = await run(buildScript(commands), clone, env);
        rmSync(join(clone, ".armoricore"), { recursive: true, force: true, maxRetries: 5 });
        ran += commands.length;
        if (code !== 0)
            failed.push(document);
    }
}
finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
console.log(`\n${ran} commands of ${documents.length} documents, ${failed.length === 0 ? "all did what they should" : `failed: ${failed.join(", ")}`}`);
process.exit(failed.length === 0 ? 0 : 1);
