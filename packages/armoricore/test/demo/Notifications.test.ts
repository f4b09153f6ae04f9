import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import * as Browser from "../support/Browser.ts"
import * as ProgramProcess from "../support/ProgramProcess.ts"
import * as TestClip from "../support/TestClip.ts"

const browser = Programs.requireProgram("chromium")
const ffmpeg = Programs.requireProgram("ffmpeg")
/** A folder for screenshots; unset takes none. */
const pictures = process.env["ARMORICORE_PICTURES"]

describe.skipIf(browser.missing || ffmpeg.missing)("notifications of the demo in Chromium", () => {
  it.live(
    "a push arrives over the socket, the bell counts in two tabs, and the mailbox shows an e-mail as HTML and as text",
    () =>
      Effect.gen(function* () {
        const demo = yield* ProgramProcess.launch(["demo", "--input", yield* TestClip.make(ffmpeg.path, 1)], {
          LOG_FORMAT: "json",
        })
        const [, url = ""] = yield* demo.waitForOutput(/Open (http:\S+) in a browser/)
        const visitor = yield* Browser.open({ executablePath: browser.path })
        const stranger = yield* Browser.open({ executablePath: browser.path })
        const faults: Array<string> = []
        yield* Effect.promise(async () => {
          const screenshot = async (page: Awaited<ReturnType<typeof visitor.newPage>>, name: string) => {
            if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true })
          }
          const other = await stranger.newPage()
          await other.goto(url)
          const page = await visitor.newPage()
          const received = new Promise<void>((resolve) =>
            page.on("websocket", (socket) =>
              socket.on("framereceived", ({ payload }) => {
                const frame = String(payload)
                if (frame.includes('"notification_sent"') && frame.includes("user:")) resolve()
              }),
            ),
          )
          page.on("pageerror", (error) => faults.push(String(error)))
          await page.goto(url)
          await page.click("#send-push")
          await Browser.waitFor(page, "document.querySelector('#notices').innerText.includes('seaworthy')")
          // Playwright may report the page before the frame that changed it.
          await received
          await page.click("#send-mail")
          await Browser.waitFor(page, "document.querySelector('#notices').innerText.includes('tide table')")
          await page.locator("#notices").scrollIntoViewIfNeeded()
          await screenshot(page, "demo-notifications")

          // Each tab is a visitor of its own, except a tab that the page opens: it has a copy of the session. Both have one inbox.
          const [tab] = await Promise.all([
            visitor.waitForEvent("page"),
            page.evaluate("void window.open(window.location.href)"),
          ])
          tab.on("pageerror", (error) => faults.push(String(error)))
          await tab.waitForSelector("#bell")
          await page.click("#send-in-app")
          for (const view of [page, tab]) {
            await Browser.waitFor(view, "document.querySelector('#bell-count').textContent === '1'")
            await Browser.waitFor(view, "!document.querySelector('#bell-count').hidden")
          }
          await tab.click("#bell")
          await screenshot(tab, "demo-bell")
          await tab.click(".bell-item")
          for (const view of [page, tab]) await Browser.waitFor(view, "document.querySelector('#bell-count').hidden")
          await page.click("#bell")
          await page.click(".bell-archive")
          await Browser.waitFor(tab, "document.querySelectorAll('#bell-items li').length === 0")
          await page.keyboard.press("Escape")
          await tab.close()

          const [mailbox] = await Promise.all([visitor.waitForEvent("page"), page.click("#mailbox")])
          mailbox.on("pageerror", (error) => faults.push(String(error)))
          await mailbox.click("text=Your weekly tide table")
          assert.include(await mailbox.textContent("pre"), "<b>nothing in it</b>")
          const html = mailbox.frameLocator("iframe[title='The mail as HTML']")
          await html.locator("p", { hasText: "Fair winds" }).waitFor()
          assert.include(await html.locator("body").innerText(), "<b>nothing in it</b>")
          assert.strictEqual(await html.locator("body b").count(), 0)
          await screenshot(mailbox, "mailbox")

          // The page of another visitor shows none of it.
          assert.notInclude(await other.innerText("#notices"), "seaworthy")
        })
        assert.deepStrictEqual(faults, [])
      }),
    180_000,
  )
})
