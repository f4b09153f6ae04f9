/** A page in a real Chromium from the origin of the test server, with the official client as its package ships it. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Effect } from "effect";
import { chromium } from "playwright-core";
const client = join(dirname(createRequire(import.meta.url).resolve("phoenix")), "phoenix.js");
const flags = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];
const folder = Effect.acquireRelease(Effect.promise(() => mkdtemp(join(tmpdir(), "armoricore-page-"))), (path) => Effect.promise(() => rm(path, { recursive: true, force: true, maxRetries: 5 })));
/** Serves `/page` with the official client. Returns false for another path. */
export const answer = (request, response) => {
    if (request.url !== "/page")
        return false;
    const script = readFileSync(client, "utf8").replaceAll("</script", "<\\/script");
    response
        .writeHead(200, { "content-type": "text/html" })
        .end(`<!doctype html><title>page</title><script>${script}</script>`);
    return true;
};
/** Opens pages of one browser; each has the global `Phoenix`. */
export const open = Effect.fnUntraced(function* (executablePath) {
    const profile = yield* folder;
    const browser = yield* Effect.acquireRelease(Effect.promise(() => chromium.launchPersistentContext(profile, { executablePath, args: flags, headless: true })), (context) => Effect.promise(() => context.close()));
    return (port) => Effect.promise(async () => {
        const page = await browser.newPage();
        await page.goto(`http://127.0.0.1:${port}/page`);
        return page;
    });
});
