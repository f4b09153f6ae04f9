/**
 * `npm run docs:links`: asks every address outside that the documents link to, and names those that do not answer. Needs
 * the network, so it is no part of `npm test`; links within the repository and their anchors are (`test/docs.test.ts`).
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
const root = fileURLToPath(new URL("..", import.meta.url));
const concurrency = 8;
const timeoutMillis = 15_000;
/** Addresses of links outside of code, each once, with where it stands. */
export const findLinks = (documents) => {
    const found = new Map();
    for (const [document, markdown] of documents) {
        const prose = markdown.replaceAll(/^```[\s\S]*?^```$/gm, "");
        for (const [, address = ""] of prose.matchAll(/\]\((https?:\/\/[^)\s]+)\)/g))
            if (!found.has(address))
                found.set(address, document);
    }
    return found;
};
/** The fault of a URL, or undefined. Some servers do not support HEAD, and some reject clients that are not browsers. */
export const checkLink = async (address, ask = fetch) => {
    try {
        for (const method of ["HEAD", "GET"]) {
            const { status } = await ask(address, { method, redirect: "follow", signal: AbortSignal.timeout(timeoutMillis) });
            if (status < 400 || status === 401 || status === 403 || status === 429)
                return undefined;
            if (method === "GET")
                return `answers ${status}`;
        }
        return undefined;
    }
    catch (cause) {
        return `cannot be reached: ${cause instanceof Error ? cause.message : String(cause)}`;
    }
};
if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const names = execFileSync("git", ["ls-files", "*.md"], { cwd: root, encoding: "utf8" }).trim().split("\n");
    const links = [...findLinks(new Map(names.map((name) => [name, readFileSync(join(root, name), "utf8")])))];
    let broken = 0;
    const worker = async () => {
        for (let next = links.pop(); next !== undefined; next = links.pop()) {
            const [address, document] = next;
            const fault = await checkLink(address);
            if (fault === undefined)
                continue;
            broken++;
            console.error(`${document}: ${address} ${fault}`);
        }
    };
    const all = links.length;
    await Promise.all(Array.from({ length: concurrency }, worker));
    console.log(`${all} addresses, ${broken} of them broken`);
    process.exitCode = broken === 0 ? 0 : 1;
}
