/** The bundle for pages without a bundler: its size, and two users in a real Chromium, with the hooks of React. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import * as BrowserPage from "../../realtime/test/support/BrowserPage.ts";
import { start } from "../../realtime/test/support/TestServer.ts";
import { buildClient, bundle } from "../scripts/build-bundle.ts";
const browser = Programs.requireProgram("chromium");
const maxBytes = 12 * 1024;
const folder = Effect.acquireRelease(Effect.promise(() => mkdtemp(join(tmpdir(), "armoricore-client-"))), (path) => Effect.promise(() => rm(path, { recursive: true, force: true })));
const text = (page, selector) => Effect.promise(async () => (await page.textContent(selector)) ?? "");
const waitFor = (page, selector, part) => Effect.promise(() => page.locator(selector, { hasText: part }).first().waitFor({ timeout: 15_000 }));
const click = (page, selector) => Effect.promise(() => page.locator(selector).first().click());
describe("the bundle", () => {
    it.live("has less than 12 KiB with gzip, phoenix included, and no Effect", () => Effect.gen(function* () {
        const out = yield* folder;
        yield* Effect.promise(() => buildClient(out));
        const bytes = readFileSync(join(out, "armoricore-client.js"));
        assert.isBelow(gzipSync(bytes).length, maxBytes);
        assert.notInclude(bytes.toString(), "effect/");
        const exported = yield* Effect.promise(() => import(join(out, "armoricore-client.js")));
        assert.includeMembers(Object.keys(exported), [
            "connect",
            "channel",
            "openRoom",
            "openPresence",
            "watchMedia",
            "directTopic",
        ]);
    }));
});
describe.skipIf(browser.missing)("the hooks in Chromium", () => {
    it.live("show the same room to two users", () => Effect.gen(function* () {
        const out = yield* folder;
        yield* Effect.promise(() => bundle(fileURLToPath(new URL("support/HooksPage.ts", import.meta.url)), out, "hooks"));
        const script = readFileSync(join(out, "hooks.js"), "utf8");
        const server = yield* start();
        const open = yield* BrowserPage.open(browser.path);
        const page = Effect.fnUntraced(function* (running, user) {
            const token = yield* running.token(user);
            const opened = yield* open(running.port);
            const errors = [];
            opened.on("pageerror", (error) => errors.push(error.message));
            yield* Effect.promise(async () => {
                await opened.evaluate((query) => history.replaceState(null, "", query), `?user=${user}&token=${token}`);
                await opened.evaluate(() => document.body.append(document.createElement("main")));
                await opened.addScriptTag({ type: "module", content: script });
            });
            yield* waitFor(opened, "#status", "joined");
            return { opened, errors };
        });
        const ann = yield* page(server, "ann");
        const bob = yield* page(server, "bob");
        for (const { opened } of [ann, bob])
            yield* waitFor(opened, "#people", "ann online,bob online");
        yield* waitFor(ann.opened, "#media", "unknown 0");
        yield* click(ann.opened, "#type");
        yield* waitFor(bob.opened, "#status", "typing: ann");
        yield* click(ann.opened, "#send");
        yield* waitFor(bob.opened, "#messages li", "ann: from ann sent");
        yield* waitFor(bob.opened, "#status", "1 unread, typing: ");
        yield* waitFor(bob.opened, "#count", "1");
        yield* click(bob.opened, "#messages .react");
        yield* waitFor(ann.opened, "#messages li", '{"👍":1}');
        yield* click(ann.opened, "#messages .edit");
        yield* waitFor(bob.opened, "#messages li", "ann: from ann! sent edited");
        yield* click(ann.opened, "#messages .remove");
        yield* waitFor(bob.opened, "#count", "0");
        assert.strictEqual(yield* text(bob.opened, "#messages"), "");
        // Two components show the room: they share its channel.
        assert.deepStrictEqual(server.endpoint.sockets().map((socket) => [...socket.topics()].sort()), [
            ["chat:room:lobby", "media:m1", "presence:room:lobby"],
            ["chat:room:lobby", "media:m1", "presence:room:lobby"],
        ]);
        assert.deepStrictEqual([...ann.errors, ...bob.errors], []);
    }));
});
