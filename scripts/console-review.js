/**
 * `npm run console:review -- --pictures FOLDER [--letters 5050]`: the console in Chromium with thousands of dead letters of
 * five causes, for a person who looks at the pictures. Every view in a wide window, dark and on a phone, with the mailbox and the demo page; axe on each; the
 * dead letters with the keyboard alone; the time of discarding all of them. Prints a table; ends with 1 after a finding.
 */
import { event } from "@armoricore/bus/Address";
import * as EmbeddedBus from "@armoricore/bus/embedded/EmbeddedBus";
import { EventBus } from "@armoricore/bus/EventBus";
import * as EmbeddedEngine from "@armoricore/embedded/EmbeddedEngine";
import * as Programs from "@armoricore/testing/Programs";
import * as NodeRuntime from "@effect/platform-node/NodeRuntime";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { Console, Effect, Layer, Logger, Schema } from "effect";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { faultsOf } from "../packages/armoricore/test/support/Axe.ts";
import * as Browser from "../packages/armoricore/test/support/Browser.ts";
import * as ChatClient from "../packages/armoricore/test/support/ChatClient.ts";
import * as ProgramFixture from "../packages/armoricore/test/support/ProgramFixture.ts";
import * as ProgramProcess from "../packages/armoricore/test/support/ProgramProcess.ts";
import * as Results from "../bench/Results.ts";
class ReviewFailed extends Schema.TaggedError()("ReviewFailed", { message: Schema.String }) {
}
const flag = (name) => {
    const at = process.argv.indexOf(`--${name}`);
    return at === -1 ? undefined : process.argv[at + 1];
};
const pictures = flag("pictures");
const letters = Number(flag("letters") ?? 5_050);
const missing = [
    ...(Programs.find("chromium") === undefined ? ["chromium is not installed"] : []),
    ...(pictures === undefined ? ["--pictures names no folder"] : []),
];
const views = [
    "overview",
    "jobs",
    "dead-letters",
    "dead-letters?by=cause",
    "rooms",
    "providers",
    "suppressions",
    "moderation",
    "audit",
    "media",
    "users",
    "users?id=ada",
];
/** Each cause has its own service, reason or path. */
const bodies = [
    (id) => ["media.uploaded", envelope("media.uploaded", id, { media_id: id, file_path: "s3://media/a.mp4" })],
    (id) => ["media.uploaded", envelope("media.uploaded", id, { media_id: id, user_id: "ada" })],
    (id) => ["media.uploaded", `{"event_type": "media.uploaded", "event_id": "${id}"`],
    (id) => ["media.uploded", envelope("media.uploded", id, { media_id: id })],
    (id) => [
        "notification.requested",
        envelope("notification.requested", id, { user_id: "ada", notification_type: "email", title: "t", body: "b", data: { email: "ada@example.com" } }, "shop"),
    ],
];
const envelope = (event_type, event_id, payload, source = "php-backend") => JSON.stringify({ event_type, event_id, timestamp: new Date().toISOString(), source, payload });
const publishLetters = Effect.gen(function* () {
    const bus = yield* EventBus;
    yield* Effect.forEach(Array.from({ length: letters }, (_, index) => index), (index) => {
        const id = crypto.randomUUID();
        const [type = "", body = ""] = bodies[index % bodies.length]?.(id) ?? [];
        return bus.publish({ address: event(type), id, body: new TextEncoder().encode(body) });
    }, { concurrency: 64, discard: true });
});
const show = async (page, view) => {
    await page.goto(`${page.url().split("#")[0]}#${view}`);
    await page.waitForSelector(`nav a[href="#${view.split("?")[0]}"][aria-current]`);
    await Browser.waitFor(page, "document.querySelector('#view .loading') === null");
    await page.waitForTimeout(400);
};
/** The text of the focused element. */
const focused = (page) => page.evaluate("document.activeElement?.textContent ?? ''");
/** Tab until the focused element shows this; the number of keys. */
const tabTo = async (page, text) => {
    for (let keys = 1; keys <= 80; keys++) {
        await page.keyboard.press("Tab");
        if (text.test(await focused(page)))
            return keys;
    }
    throw new Error(`no focus on ${text} within 80 keys`);
};
const review = Effect.gen(function* () {
    const folder = pictures ?? "";
    mkdirSync(folder, { recursive: true });
    const data = yield* ProgramProcess.temporaryDirectory;
    const env = {
        ARMORICORE_DATA_DIR: data,
        JWT_SECRET: "a secret of this review, long enough for it",
        MODERATION_REVIEW_WORDS: "kraken",
        LOG_LEVEL: "error",
    };
    const { url } = yield* ProgramFixture.start(env);
    const operator = yield* ProgramFixture.tokenFor(env, "--user", "ida", "--role", "operator");
    const ada = yield* ProgramFixture.tokenFor(env, "--user", "ada");
    const chat = yield* ChatClient.join(url, ada, "chat:room:harbour");
    yield* chat.send("release the kraken");
    const startedAt = Date.now();
    const bus = EmbeddedBus.layer.pipe(Layer.provide(EmbeddedEngine.layerShared({ folder: join(data, "engine") })));
    yield* Effect.provide(publishLetters, bus);
    const findings = [];
    const open = Effect.fnUntraced(function* (name, options) {
        const context = yield* Browser.open({ executablePath: Programs.find("chromium") ?? "", ...options });
        return yield* Effect.promise(async () => {
            const page = await context.newPage();
            page.on("pageerror", (error) => findings.push(`${name}: ${String(error)}`));
            page.on("console", (message) => {
                if (message.type() === "error")
                    findings.push(`${name}: ${message.text()}`);
            });
            await page.goto(`${url}/console#token=${operator}`);
            await page.waitForSelector(".tile");
            return page;
        });
    });
    const windows = [
        ["desktop", yield* open("desktop", { width: 1360, height: 900 })],
        ["dark", yield* open("dark", { width: 1360, height: 900, colorScheme: "dark" })],
        ["phone", yield* open("phone", { width: 390, height: 844 })],
    ];
    const desktop = windows[0][1];
    yield* Effect.promise(async () => {
        await show(desktop, "dead-letters");
        const total = `document.querySelector(".summary")?.innerText.startsWith("${letters.toLocaleString("en-US")} dead letters of 5 causes")`;
        for (let tries = 0; !(await desktop.evaluate(total)); tries++) {
            if (tries > 600)
                throw new Error(`the page says: ${await desktop.textContent(".summary")}`);
            await desktop.waitForTimeout(500);
        }
    });
    const storedSeconds = (Date.now() - startedAt) / 1000;
    const slowest = { view: "", millis: 0 };
    yield* Effect.promise(async () => {
        for (const [name, page] of windows) {
            for (const view of views) {
                const since = Date.now();
                await show(page, view);
                const millis = Date.now() - since - 400;
                if (millis > slowest.millis)
                    Object.assign(slowest, { view: `${view} (${name})`, millis });
                if (view === "dead-letters")
                    await page.click(".letter");
                await page.waitForTimeout(300);
                for (const fault of await faultsOf(page))
                    findings.push(`axe, ${name}, ${view}: ${fault}`);
                const wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
                if (wide > 0)
                    findings.push(`${name}, ${view}: ${wide} px wider than the window`);
                await page.screenshot({ path: join(folder, `${name}-${view.replace(/[?=]/g, "-")}.png`) });
            }
        }
    });
    // The other pages of the program, on a phone.
    const demo = yield* ProgramProcess.launch(["demo"], { PORT: "0" });
    const [, demoUrl = ""] = yield* demo.waitForOutput(/Open (http:\S+)/);
    const phone = yield* open("phone, other pages", { width: 390, height: 844 });
    yield* Effect.promise(async () => {
        for (const [name, address, shown] of [
            ["mailbox", `${url}/mailbox#token=${operator}`, "main"],
            ["demo", demoUrl, "video"],
        ]) {
            await phone.goto(address);
            await phone.waitForSelector(shown);
            await phone.waitForTimeout(2_000);
            for (const fault of await faultsOf(phone))
                findings.push(`axe, phone, ${name}: ${fault}`);
            const wide = await phone.evaluate("document.documentElement.scrollWidth - innerWidth");
            if (wide > 0)
                findings.push(`phone, ${name}: ${wide} px wider than the window`);
            await phone.screenshot({ path: join(folder, `phone-${name}.png`), fullPage: true });
        }
    });
    // With the keyboard alone: to the causes, discards one of them.
    const perCause = letters / bodies.length;
    const keyboard = yield* Effect.promise(async () => {
        await show(desktop, "overview");
        await desktop.keyboard.press("3");
        await desktop.waitForSelector(".letter");
        let keys = await tabTo(desktop, /^By cause$/);
        await desktop.keyboard.press("Enter");
        await desktop.waitForSelector(".cause");
        keys += await tabTo(desktop, /^Discard$/);
        await desktop.keyboard.press("Enter");
        await desktop.waitForSelector("dialog[open]");
        const since = Date.now();
        await desktop.screenshot({ path: join(folder, "desktop-dialog.png") });
        for (let tries = 0; !/^Discard them$/.test(await focused(desktop)) && tries < 5; tries++)
            await desktop.keyboard.press("Tab");
        await desktop.keyboard.press("Enter");
        await desktop.waitForSelector(".bulk");
        await desktop.screenshot({ path: join(folder, "desktop-bulk.png") });
        await Browser.waitFor(desktop, "document.querySelector('.bulk') === null");
        return { keys, seconds: (Date.now() - since) / 1000 };
    });
    const bulkSeconds = yield* Effect.promise(async () => {
        await show(desktop, "dead-letters");
        const since = Date.now();
        await desktop.click("text=Discard all");
        await desktop.click("dialog >> text=Discard them");
        await desktop.waitForSelector(".empty", { timeout: 900_000 });
        return (Date.now() - since) / 1000;
    });
    const table = Results.markdownTable([
        ["what", "result"],
        [
            "dead letters",
            `${letters} of ${bodies.length} causes, listed ${storedSeconds.toFixed(1)} s after the first publish`,
        ],
        ["views", `${views.length} in 3 windows; slowest ${slowest.view}, ${slowest.millis} ms`],
        ["keyboard alone", `${perCause} discarded after ${keyboard.keys} Tabs, in ${keyboard.seconds.toFixed(1)} s`],
        ["bulk discard", `${letters - perCause} in ${bulkSeconds.toFixed(1)} s`],
        ["findings", findings.length === 0 ? "none" : `${findings.length}`],
    ]);
    yield* Console.log(table);
    yield* Effect.forEach(findings, (finding) => Console.log(`- ${finding}`), { discard: true });
    yield* Results.writeSection("console", "npm run console:review -- --pictures FOLDER", table);
    if (findings.length > 0)
        return yield* new ReviewFailed({ message: `${findings.length} findings` });
});
if (missing.length > 0) {
    console.error(`console:review cannot run here: ${missing.join("; ")}`);
    process.exitCode = 2;
}
else {
    review.pipe(Effect.scoped, Effect.provide(Logger.layer([])), Effect.provide(NodeServices.layer), NodeRuntime.runMain);
}
