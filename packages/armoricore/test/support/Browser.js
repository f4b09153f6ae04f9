/** Chromium with a temporary profile, until the scope closes. */
import { Effect } from "effect";
import { chromium } from "playwright-core";
import { temporaryDirectory } from "./ProgramProcess.ts";
const chromiumFlags = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
];
export const open = Effect.fnUntraced(function* (options) {
    const profile = yield* temporaryDirectory;
    return yield* Effect.acquireRelease(Effect.promise(() => chromium.launchPersistentContext(profile, {
        executablePath: options.executablePath,
        args: chromiumFlags,
        headless: true,
        viewport: { width: options.width ?? 1360, height: options.height ?? 980 },
        colorScheme: options.colorScheme ?? "light",
    })), (context) => Effect.promise(() => context.close()));
});
/** Waits until an expression is true. The policies of the pages forbid the `eval` of Playwright's own waitForFunction. */
export const waitFor = async (page, expression) => {
    for (let tries = 0; !(await page.evaluate(expression)); tries++) {
        if (tries > 600)
            throw new Error(`this does not come true: ${expression}`);
        await page.waitForTimeout(50);
    }
};
