/** The console's files as a browser gets them. */
import { listen } from "@armoricore/testing/LocalPort";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Logger } from "effect";
import { createServer } from "node:http";
import { ConsoleServer } from "@armoricore/operator";
const startServer = Effect.fnUntraced(function* (folder) {
    const { handleRequest } = yield* ConsoleServer.make(folder);
    const server = createServer((request, response) => {
        if (!handleRequest(request, response))
            response.writeHead(418).end();
    });
    return `http://127.0.0.1:${yield* listen(server)}`;
});
const testServer = (title, run) => it.live(title, () => Effect.flatMap(startServer(), (url) => Effect.promise(() => run(url))).pipe(Effect.scoped, Effect.provide(NodeServices.layer), Effect.provide(Logger.layer([]))));
describe("files of the console", () => {
    testServer("serves the page and each file it names, under a policy that allows own scripts only", async (url) => {
        const page = await fetch(`${url}/console`);
        assert.strictEqual(page.status, 200);
        assert.strictEqual(page.headers.get("content-type"), "text/html; charset=utf-8");
        assert.strictEqual(page.headers.get("cache-control"), "no-cache");
        const policy = page.headers.get("content-security-policy") ?? "";
        for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"]) {
            assert.include(policy.split("; "), rule);
        }
        const named = [...(await page.text()).matchAll(/(?:src|href)="(\/console\/[^"]+)"/g)].map(([, path = ""]) => path);
        assert.isAtLeast(named.length, 2);
        for (const path of named) {
            const file = await fetch(url + path);
            assert.strictEqual(file.status, 200, path);
            assert.strictEqual(file.headers.get("x-content-type-options"), "nosniff");
            if (path.includes("/assets/"))
                assert.include(file.headers.get("cache-control") ?? "", "immutable");
        }
    });
    testServer("serves no file outside its folder, and no method but GET and HEAD", async (url) => {
        for (const path of [
            "/console/../package.json",
            "/console/%2e%2e/package.json",
            "/console/..%2fpackage.json",
            "/console/assets",
            "/console/a/b/c.js",
            "/console/nothing.js",
        ]) {
            const { status } = await fetch(url + path);
            assert.include([404, 418], status, path);
        }
        assert.strictEqual((await fetch(`${url}/console`, { method: "POST" })).status, 405);
        assert.strictEqual((await fetch(`${url}/consoles`)).status, 418);
    });
    testServer("answers HEAD without a body", async (url) => {
        const head = await fetch(`${url}/console`, { method: "HEAD" });
        assert.deepStrictEqual([head.status, await head.text()], [200, ""]);
    });
    it.live("a checkout without a built console answers with the command that builds it", () => Effect.gen(function* () {
        const url = yield* startServer("/nonexistent");
        const page = yield* Effect.promise(() => fetch(`${url}/console`));
        assert.strictEqual(page.status, 503);
        assert.include(yield* Effect.promise(() => page.text()), "npm run build:console");
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)));
});
