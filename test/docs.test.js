/** The links and code samples of the documents. */
import * as EventCodec from "@armoricore/domain/EventCodec";
import { Result } from "effect";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { assert, describe, it } from "vitest";
import { checkLink, findLinks } from "../scripts/check-links.ts";
import { slowFiles } from "../scripts/MixedSequencer.ts";
const root = fileURLToPath(new URL("..", import.meta.url));
const documents = execFileSync("git", ["ls-files", "*.md"], { cwd: root, encoding: "utf8" }).trim().split("\n");
const scripts = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).scripts;
/** The anchor that a heading gets, as GitHub makes it. */
const anchorOf = (heading) => heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(/\s/g, "-");
/** A heading that comes again gets a number behind. */
const anchorsOf = (markdown) => {
    const times = new Map();
    const anchors = new Set();
    for (const [, heading = ""] of markdown.replaceAll(/^```[\s\S]*?^```$/gm, "").matchAll(/^#{1,6} (.*)$/gm)) {
        const anchor = anchorOf(heading);
        const before = times.get(anchor) ?? 0;
        times.set(anchor, before + 1);
        anchors.add(before === 0 ? anchor : `${anchor}-${before}`);
    }
    return anchors;
};
describe("documents", () => {
    for (const document of documents) {
        const text = readFileSync(join(root, document), "utf8");
        it(`${document}: every relative link leads somewhere`, () => {
            const links = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map((match) => match[1] ?? "");
            const lost = links.filter((link) => !existsSync(join(root, dirname(document), link)));
            assert.deepStrictEqual(lost, []);
        });
        it(`${document}: every anchor it links to is a heading`, () => {
            const links = [...text.matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)#([^)\s]+)\)/g)];
            const lost = links.filter(([, link = "", anchor = ""]) => {
                const target = link === "" ? text : readFileSync(join(root, dirname(document), link), "utf8");
                return !anchorsOf(target).has(anchor);
            });
            assert.deepStrictEqual(lost.map(([link]) => link), []);
        });
        it(`${document}: every npm script that it names exists`, () => {
            const named = [...text.matchAll(/npm run (?:--silent )?([a-z][\w:-]*)/g)].map((match) => match[1] ?? "");
            const lost = named.filter((name) => !Object.hasOwn(scripts, name) && !name.endsWith(":"));
            assert.deepStrictEqual(lost, []);
        });
    }
});
describe("code in documents", () => {
    for (const document of documents) {
        const text = readFileSync(join(root, document), "utf8");
        for (const [, file = "", code = ""] of text.matchAll(/^```ts (\S+)\n([\s\S]*?)^```$/gm)) {
            it(`${document} shows ${file} as it is`, () => {
                assert.strictEqual(code, readFileSync(join(root, file), "utf8"));
            });
        }
        for (const [, code = ""] of text.matchAll(/^```json\n([\s\S]*?)^```$/gm)) {
            // Other JSON is shown too: log lines, provider bodies.
            const shown = JSON.parse(code);
            if (typeof shown !== "object" || shown === null || !("payload" in shown))
                continue;
            it(`${document}: an event of ${code.length} characters is one`, () => {
                const read = EventCodec.decodeResult(new TextEncoder().encode(code));
                assert.isTrue(Result.isSuccess(read), JSON.stringify(read));
            });
        }
    }
    it("README's pipeline is the one of the examples", () => {
        const shown = /^```ts\n([\s\S]*?)^```$/m.exec(readFileSync(join(root, "README.md"), "utf8"))?.[1];
        assert.strictEqual(shown, readFileSync(join(root, "examples/layers/Pipeline.ts"), "utf8"));
    });
});
describe("external links", () => {
    it("are found in text but not in code blocks, and each is listed once", () => {
        const markdown = "See [a](https://a.invalid/x) and [again](https://a.invalid/x).\n```sh\n[b](https://b.invalid)\n```\n";
        assert.deepStrictEqual([...findLinks(new Map([["a.md", markdown]]))], [["https://a.invalid/x", "a.md"]]);
    });
    it("are broken if no request for them succeeds", async () => {
        const answers = (...statuses) => () => Promise.resolve(new Response(null, { status: statuses.shift() ?? 500 }));
        assert.isUndefined(await checkLink("https://a.invalid", answers(200)));
        assert.isUndefined(await checkLink("https://a.invalid", answers(405, 200)));
        assert.strictEqual(await checkLink("https://a.invalid", answers(404, 404)), "answers 404");
        const away = () => Promise.reject(new Error("no such host"));
        assert.strictEqual(await checkLink("https://a.invalid", away), "cannot be reached: no such host");
    });
});
describe("npm scripts", () => {
    for (const [name, command] of Object.entries(scripts)) {
        const file = /^node (?:--\S+ )*(\S+)/.exec(command)?.[1];
        if (file === undefined)
            continue;
        it(`${name} runs a file that exists`, () => {
            assert.isTrue(existsSync(join(root, file)), file);
        });
    }
});
describe("the slowest test files", () => {
    const pathOf = (key) => (key.startsWith("repo/") ? key.replace("repo/", "test/") : `packages/${key}`);
    it("exist, and CONTRIBUTING.md gives the reason of the first ten", () => {
        for (const key of Object.keys(slowFiles))
            assert.isTrue(existsSync(join(root, pathOf(key))), key);
        const text = readFileSync(join(root, "CONTRIBUTING.md"), "utf8");
        const slowest = Object.entries(slowFiles).toSorted(([, a], [, b]) => b - a);
        for (const [key] of slowest.slice(0, 10))
            assert.include(text, `\`${pathOf(key)}\``);
    });
});
