/**
 * The console with hundreds of dead letters of five causes, links to them, names that contain HTML, services in separate processes, a server that
 * restarts, and a token that expires.
 */
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import * as NatsBus from "@armoricore/bus/nats/NatsBus";
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import * as Axe from "../support/Axe.ts";
import * as Browser from "../support/Browser.ts";
import * as ProgramFixture from "../support/ProgramFixture.ts";
import * as ProgramProcess from "../support/ProgramProcess.ts";
const browser = Programs.requireProgram("chromium");
const nats = Programs.requireProgram("nats-server");
const hostile = `<img src=x onerror="alert(1)">`;
/** 5,050 take as long as their publication; the fewer ones here are for the duration of the suite. */
const letters = 230;
const causes = 5;
const perCause = letters / causes;
/** The faults of the events: field, another field, source, type of a field, and a body that is not JSON. */
const variants = [
    (body) => body,
    (body, payload) => ({ ...body, payload: { ...payload, notification_type: "email", user_id: "" } }),
    (body, payload) => ({ ...body, source: "shop", payload: { ...payload, notification_type: "email" } }),
    (body, payload) => ({ ...body, payload: { ...payload, notification_type: "email", title: [] } }),
    () => undefined,
];
/** Events that no worker accepts; each contains markup that an unsafe page would execute. */
const publishLetters = (url) => Effect.gen(function* () {
    const bus = yield* EventBus;
    yield* Effect.forEach(Array.from({ length: letters }), (_, at) => {
        const id = crypto.randomUUID();
        const payload = { user_id: "ada", notification_type: hostile, title: hostile, body: `${at}` };
        const body = {
            event_type: "notification.requested",
            event_id: id,
            timestamp: new Date().toISOString(),
            source: "php-backend",
            payload,
        };
        const value = variants[at % causes]?.(body, payload);
        const message = new TextEncoder().encode(value === undefined ? `${hostile} ${id}` : JSON.stringify(value));
        return bus.publish({ address: event("notification.requested"), id, body: message });
    }, { concurrency: 16, discard: true });
}).pipe(Effect.provide(NatsBus.layerWithConnection({ servers: [url] })));
const countOf = (page, selector) => page.locator(selector).count();
describe.skipIf(browser.missing || nats.missing)("the operator console under load", () => {
    it.live("pages through hundreds of dead letters, replays and discards all of them, and reconnects after a restart", () => Effect.gen(function* () {
        const server = yield* NatsServer.make();
        const env = {
            MESSAGE_BUS_URL: server.url,
            ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
            JWT_SECRET: "a secret that both processes share, for this test",
            LOG_LEVEL: "error",
        };
        yield* ProgramFixture.start(env, "--services", "notify");
        const first = yield* ProgramFixture.start(env, "--services", "realtime");
        yield* publishLetters(server.url);
        const token = yield* ProgramFixture.tokenFor(env, "--user", "ida", "--role", "operator");
        const context = yield* Browser.open({ executablePath: browser.path });
        const page = yield* Effect.promise(() => context.newPage());
        const faults = [];
        page.on("pageerror", (error) => faults.push(String(error)));
        page.on("dialog", (dialog) => {
            faults.push(`a script ran: ${dialog.message()}`);
            void dialog.dismiss();
        });
        yield* Effect.promise(async () => {
            await page.goto(`${first.url}/console#token=${token}`);
            // The page shows both processes, and the dead letters of the other one.
            await page.waitForSelector("tbody tr:has-text('notify')");
            await page.waitForSelector("tbody tr:has-text('realtime')");
            await page.waitForSelector(`text=${letters} dead letters wait`, { timeout: 60_000 });
            // One page of them; the keyboard moves to the next page and back into the list.
            await page.keyboard.press("3");
            await page.waitForSelector(".letter");
            assert.strictEqual(await countOf(page, ".letter"), 50);
            assert.strictEqual(await page.textContent(".pager .num"), `1 – 50 of ${letters}`);
            await page.focus("text=Older");
            await page.keyboard.press("Enter");
            await page.waitForSelector("text=51 – 100");
            await page.keyboard.press("j");
            await page.keyboard.press("Enter");
            await page.waitForSelector("#letter-body");
            assert.include(await page.inputValue("#letter-body"), "onerror");
            assert.strictEqual(await countOf(page, "img:not(.mark)"), 0);
            // The URL names page and dead letter: after a refresh and in another tab.
            const id = new URLSearchParams(page.url().split("?")[1]).get("letter") ?? "";
            assert.match(page.url(), /#dead-letters\?page=2&letter=\d+$/);
            await page.reload();
            await page.waitForSelector("text=51 – 100");
            await page.waitForSelector("#letter-body");
            const other = await context.newPage();
            await other.goto(`${page.url()}&token=${token}`);
            await other.waitForSelector("#letter-body");
            await other.waitForSelector(`.copy[title='Copy dead letter ${id}']`);
            assert.strictEqual(other.url(), page.url());
            await other.close();
            // After a discard the focus moves to the next dead letter.
            await page.click("#letter >> text=Discard");
            await page.waitForSelector("dialog[open]");
            await page.keyboard.press("Enter");
            await page.waitForSelector("text=Discarded dead letter");
            await page.waitForSelector(".letter:focus");
        });
        // Groups: five causes; one is discarded, another one shown.
        yield* Effect.promise(async () => {
            await page.keyboard.press("Escape");
            await page.click("text=By cause");
            await page.waitForSelector(".cause");
            assert.strictEqual(await countOf(page, ".cause"), causes, await page.innerText("ul[aria-label='Causes']"));
            assert.deepStrictEqual(await Axe.faultsOf(page), []);
            const undecodable = page.locator(".cause", { hasText: "undecodable" });
            // The type of a body that is not JSON is that of the subject.
            await undecodable.locator("text=notification.requested").waitFor();
            await undecodable.locator("text=Discard").click();
            await page.click("dialog >> text=Discard them");
            await page.waitForSelector("text=/Discarded (45|46) of (45|46)/", { timeout: 60_000 });
            await undecodable.waitFor({ state: "detached" });
            await page.locator(".cause", { hasText: "payload.user_id" }).locator("text=Show").click();
            await page.waitForSelector(".letter");
            assert.match(page.url(), /#dead-letters\?cause=[0-9a-f]{16}$/);
            assert.isAtMost(await countOf(page, ".letter"), perCause);
            await page.goBack();
            await page.waitForSelector(".cause");
            assert.strictEqual(await countOf(page, ".cause"), causes - 1);
            await page.click("button >> text='Newest first'");
            await page.fill("input[aria-label='Search dead letters']", "SHOP");
            await page.waitForSelector("text=/^4[56] of 1[0-9]+ dead letters match/");
            await page.click("text=Remove the filters");
        });
        // A replay without a change fails again.
        const invalid = /(\d+) of (\d+)$/;
        let count = 0;
        yield* Effect.promise(async () => {
            await page.selectOption("select[aria-label='Filter by reason']", "invalid");
            await page.waitForSelector("text=/1 – 50 of 13[0-9]/");
            count = Number(invalid.exec((await page.textContent(".pager .num")) ?? "")?.[2]);
            await page.click("text=Replay all");
            await page.click("dialog >> text=Replay them");
            await page.waitForSelector(`text=Replayed ${count} of ${count}`, { timeout: 60_000 });
        });
        // The server restarts on its port; the page reconnects without a reload.
        const port = new URL(first.url).port;
        yield* first.program.signal("SIGTERM");
        yield* first.program.exited;
        yield* Effect.promise(async () => {
            await page.keyboard.press("Escape");
            await page.waitForSelector(".notice.bad", { timeout: 40_000 });
        });
        yield* ProgramFixture.start({ ...env, PORT: port }, "--services", "realtime");
        yield* Effect.promise(async () => {
            await page.waitForSelector(".notice.bad", { state: "detached", timeout: 40_000 });
            await page.waitForSelector(".letter");
            await page.waitForSelector(`text=/1 – 50 of ${count}/`, { timeout: 40_000 });
            await page.click("text=Discard all");
            await page.click("dialog >> text=Discard them");
            await page.waitForSelector(`text=Discarded ${count} of ${count}`, { timeout: 60_000 });
            await page.waitForSelector(".empty");
        });
        // A token expires: the page reports that, and deletes it.
        const short = yield* ProgramFixture.tokenFor(env, "--user", "ida", "--role", "operator", "--ttl", "20s");
        yield* Effect.promise(async () => {
            await page.goto(`${first.url}/console#token=${short}`);
            await page.waitForSelector(".who.soon, #token-refusal");
            await page.waitForSelector("#token-refusal", { timeout: 40_000 });
            assert.include(await page.textContent("#token-refusal"), "expired");
            await page.reload();
            await page.waitForSelector("#token");
        });
        assert.deepStrictEqual(faults, []);
    }).pipe(Effect.scoped), 300_000);
});
