import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import * as Browser from "../support/Browser.ts";
import * as ProgramProcess from "../support/ProgramProcess.ts";
const browser = Programs.requireProgram("chromium");
describe.skipIf(browser.missing)("the demo page in Chromium", () => {
    it.live("uploads the sample, shows its progress and plays the stream", () => Effect.gen(function* () {
        const demo = yield* ProgramProcess.launch(["demo"], { LOG_FORMAT: "json" });
        const [, url = ""] = yield* demo.waitForOutput(/Open (http:\S+) in a browser/);
        const context = yield* Browser.open({ executablePath: browser.path });
        const faults = [];
        const bars = [];
        const played = yield* Effect.promise(async () => {
            const page = await context.newPage();
            page.on("pageerror", (error) => faults.push(String(error)));
            page.on("console", (message) => {
                if (message.type() === "error")
                    faults.push(message.text());
            });
            await page.exposeFunction("noteBar", (value) => bars.push(value));
            await page.goto(url);
            // At first the page shows the upload of the demo command.
            await Browser.waitFor(page, "document.querySelector('#video').currentTime > 0.5");
            const first = await page.textContent("#media");
            await page.click("#another");
            await page.evaluate(`
            const bar = document.querySelector("#process-bar")
            new MutationObserver(() => window.noteBar(bar.value)).observe(bar, { attributes: true })`);
            await page.click("#sample");
            await Browser.waitFor(page, "document.querySelector('#stage').dataset.state === 'working'");
            await page.waitForSelector("#result:not([hidden])", { timeout: 90_000 });
            await Browser.waitFor(page, "document.querySelector('#video').currentTime > 1");
            await Browser.waitFor(page, "document.querySelector('#seek-range').max > 1");
            const lookAt = async (part) => {
                await page.locator("#seek-range").scrollIntoViewIfNeeded();
                const bar = await page.locator("#seek-range").boundingBox();
                if (bar === null)
                    throw new Error("there is no seek bar");
                // The storyboard images load after the bar appears.
                for (let tries = 0; tries === 0 || !(await page.isVisible("#seek-preview")); tries++) {
                    if (tries > 300)
                        throw new Error("no picture is shown below the pointer");
                    await page.mouse.move(bar.x + bar.width * part + (tries % 2), bar.y + bar.height / 2);
                }
                return page.evaluate("document.querySelector('#seek-picture').style.background");
            };
            const previews = [await lookAt(0.05), await lookAt(0.9)];
            const sprite = await page.evaluate(`(async () => {
            const style = document.querySelector("#seek-picture").style.backgroundImage
            const image = new Image()
            image.src = /"(.*)"/.exec(style)[1]
            await image.decode()
            return image.naturalWidth > 0 ? "decoded" : "empty"
          })()`);
            await page.mouse.down();
            await page.mouse.up();
            await Browser.waitFor(page, "document.querySelector('#video').currentTime > 0.8 * document.querySelector('#seek-range').max");
            return {
                previews,
                sprite,
                first,
                second: await page.textContent("#media"),
                error: await page.evaluate("document.querySelector('#video').error?.message ?? null"),
                size: await page.evaluate("document.querySelector('#video').videoWidth"),
                quality: await page.$$eval("#quality option", (options) => options.map(({ textContent }) => textContent ?? "")),
                pictures: await page.$$eval("#thumbnails img", (images) => images.length),
                uploaded: await page.textContent("#upload-percent"),
                log: await page.$$eval("#log b", (names) => names.map(({ textContent }) => textContent ?? "")),
            };
        });
        assert.notStrictEqual(played.first, played.second);
        assert.isNull(played.error);
        assert.isAbove(Number(played.size), 0);
        assert.deepStrictEqual(played.quality.map((name) => name.split(" ")[0]), ["Auto", "720p", "480p", "360p"]);
        assert.strictEqual(played.pictures, 5);
        assert.strictEqual(played.sprite, "decoded");
        assert.notStrictEqual(played.previews[0], played.previews[1]);
        assert.strictEqual(played.uploaded, "100 %");
        assert.includeMembers(played.log, ["POST /v1/uploads", "media.uploaded", "media_progress", "media_ready"]);
        const moved = [...new Set(bars)];
        assert.isAbove(moved.length, 3, `the bar moved through ${moved.join(", ")}`);
        assert.strictEqual(moved.at(-1), 100);
        assert.deepStrictEqual(faults, []);
    }), 180_000);
});
