/**
 * The console with hundreds of dead letters, names that contain HTML, services in separate processes, a server that
 * restarts, and a token that expires.
 */
import { event } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import * as NatsBus from "@armoricore/bus/nats/NatsBus"
import * as NatsServer from "@armoricore/testing/NatsServer"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Page } from "playwright-core"
import * as Browser from "../support/Browser.ts"
import * as ProgramFixture from "../support/ProgramFixture.ts"
import * as ProgramProcess from "../support/ProgramProcess.ts"

const browser = Programs.requireProgram("chromium")
const nats = Programs.requireProgram("nats-server")

const hostile = `<img src=x onerror="alert(1)">`
const letters = 230

/** Events that no worker accepts; each contains markup that an unsafe page would execute. */
const publishLetters = (url: string) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    yield* Effect.forEach(
      Array.from({ length: letters }),
      (_, at) => {
        const body = {
          event_type: "notification.requested",
          event_id: crypto.randomUUID(),
          timestamp: new Date().toISOString(),
          source: "php-backend",
          payload: { user_id: hostile, notification_type: hostile, title: hostile, body: `${at}` },
        }
        const message = new TextEncoder().encode(JSON.stringify(body))
        return bus.publish({ address: event("notification.requested"), id: body.event_id, body: message })
      },
      { concurrency: 16, discard: true },
    )
  }).pipe(Effect.provide(NatsBus.layerWithConnection({ servers: [url] })))

const countOf = (page: Page, selector: string): Promise<number> => page.locator(selector).count()

describe.skipIf(browser.missing || nats.missing)("the operator console under load", () => {
  it.live(
    "pages through hundreds of dead letters, replays and discards all of them, and reconnects after a restart",
    () =>
      Effect.gen(function* () {
        const server = yield* NatsServer.make()
        const env = {
          MESSAGE_BUS_URL: server.url,
          ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
          JWT_SECRET: "a secret that both processes share, for this test",
          LOG_LEVEL: "error",
        }
        yield* ProgramFixture.start(env, "--services", "notify")
        const first = yield* ProgramFixture.start(env, "--services", "realtime")
        yield* publishLetters(server.url)
        const token = yield* ProgramFixture.tokenFor(env, "--user", "ida", "--role", "operator")
        const context = yield* Browser.open({ executablePath: browser.path })
        const page = yield* Effect.promise(() => context.newPage())
        const faults: Array<string> = []
        page.on("pageerror", (error) => faults.push(String(error)))
        page.on("dialog", (dialog) => {
          faults.push(`a script ran: ${dialog.message()}`)
          void dialog.dismiss()
        })

        yield* Effect.promise(async () => {
          await page.goto(`${first.url}/console#token=${token}`)
          // The page shows both processes, and the dead letters of the other one.
          await page.waitForSelector("tbody tr:has-text('notify')")
          await page.waitForSelector("tbody tr:has-text('realtime')")
          await page.waitForSelector(`text=${letters} dead letters wait`, { timeout: 60_000 })

          // One page of them; the keyboard moves to the next page and back into the list.
          await page.keyboard.press("3")
          await page.waitForSelector(".letter")
          assert.strictEqual(await countOf(page, ".letter"), 50)
          assert.strictEqual(await page.textContent(".pager .num"), "1 – 50")
          await page.focus("text=Newer")
          await page.keyboard.press("Enter")
          await page.waitForSelector("text=51 – 100")
          await page.keyboard.press("j")
          await page.keyboard.press("Enter")
          await page.waitForSelector("#letter-body")
          assert.include(await page.inputValue("#letter-body"), "onerror")
          assert.strictEqual(await countOf(page, "img:not(.mark)"), 0)

          // After a discard the focus moves to the next dead letter.
          await page.click("#letter >> text=Discard")
          await page.waitForSelector("dialog[open]")
          await page.keyboard.press("Enter")
          await page.waitForSelector("text=Discarded dead letter")
          await page.waitForSelector(".letter:focus")
        })

        // A replay without a change fails again.
        yield* Effect.promise(async () => {
          await page.selectOption("select[aria-label='Filter by reason']", "invalid")
          await page.waitForSelector("text=1 – 50")
          await page.click("text=Replay all")
          await page.click("dialog >> text=Replay them")
          await page.waitForSelector(`text=Replayed ${letters - 1} of ${letters - 1}`, { timeout: 60_000 })
        })

        // The server restarts on its port; the page reconnects without a reload.
        const port = new URL(first.url).port
        yield* first.program.signal("SIGTERM")
        yield* first.program.exited
        yield* Effect.promise(async () => {
          await page.keyboard.press("Escape")
          await page.waitForSelector(".notice.bad", { timeout: 40_000 })
        })
        yield* ProgramFixture.start({ ...env, PORT: port }, "--services", "realtime")
        yield* Effect.promise(async () => {
          await page.waitForSelector(".notice.bad", { state: "detached", timeout: 40_000 })
          await page.waitForSelector(".letter")
          await page.click("text=Discard all")
          await page.click("dialog >> text=Discard them")
          await page.waitForSelector(`text=Discarded ${letters - 1} of ${letters - 1}`, { timeout: 60_000 })
          await page.waitForSelector(".empty")
        })

        // A token expires: the page reports that, and deletes it.
        const short = yield* ProgramFixture.tokenFor(env, "--user", "ida", "--role", "operator", "--ttl", "20s")
        yield* Effect.promise(async () => {
          await page.goto(`${first.url}/console#token=${short}`)
          await page.waitForSelector(".who.soon, #token-refusal")
          await page.waitForSelector("#token-refusal", { timeout: 40_000 })
          assert.include(await page.textContent("#token-refusal"), "expired")
          await page.reload()
          await page.waitForSelector("#token")
        })
        assert.deepStrictEqual(faults, [])
      }).pipe(Effect.scoped),
    300_000,
  )
})
