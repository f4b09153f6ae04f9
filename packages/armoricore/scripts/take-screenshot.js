/**
 * Takes the screenshot of the demo page for the README: `node packages/armoricore/scripts/take-screenshot.ts [FILE] [dark] [WIDTH]`.
 * It runs the demo and waits until the video plays.
 */
import * as Programs from "@armoricore/testing/Programs";
import * as NodeRuntime from "@effect/platform-node/NodeRuntime";
import { Effect } from "effect";
import { fileURLToPath } from "node:url";
import * as Browser from "../test/support/Browser.ts";
import * as ProgramProcess from "../test/support/ProgramProcess.ts";
const [file = fileURLToPath(new URL("../../../docs/images/demo.png", import.meta.url)), scheme, width = "1360"] = process.argv.slice(2);
const take = Effect.gen(function* () {
    const demo = yield* ProgramProcess.launch(["demo"], { LOG_FORMAT: "json" });
    const [, url = ""] = yield* demo.waitForOutput(/Open (http:\S+) in a browser/);
    const context = yield* Browser.open({
        executablePath: Programs.requireProgram("chromium").path,
        colorScheme: scheme === "dark" ? "dark" : "light",
        width: Number(width),
    });
    yield* Effect.promise(async () => {
        const page = await context.newPage();
        await page.goto(url);
        await page.waitForFunction("document.querySelector('#video').currentTime > 0.3");
        if (scheme !== "idle") {
            await page.click("#another");
            await page.click("#sample");
            if (scheme === "working") {
                await page.waitForFunction("document.querySelector('#process-bar').value > 30");
            }
            else {
                await page.waitForSelector("#result:not([hidden])");
                await page.waitForFunction("document.querySelector('#video').currentTime > 3.5");
                await page.evaluate("document.querySelector('#video').pause(); document.querySelector('#video').controls = false");
            }
        }
        else
            await page.click("#another");
        await page.screenshot({ path: file, fullPage: true });
    });
});
NodeRuntime.runMain(Effect.scoped(take));
