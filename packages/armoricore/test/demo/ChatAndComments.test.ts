import { join } from "node:path"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Page } from "playwright-core"
import * as Browser from "../support/Browser.ts"
import * as ProgramProcess from "../support/ProgramProcess.ts"
import * as TestClip from "../support/TestClip.ts"

/** A folder for screenshots; unset takes none. */
const pictures = process.env["ARMORICORE_PICTURES"]

const browser = Programs.requireProgram("chromium")
const ffmpeg = Programs.requireProgram("ffmpeg")

const shows = (page: Page, selector: string, text: string) =>
  Browser.waitFor(page, `document.querySelector("${selector}").innerText.includes(${JSON.stringify(text)})`)

const write = async (page: Page, form: string, text: string) => {
  await page.fill(`#${form}-text`, text)
  await page.click(`#${form}-form button`)
}

describe.skipIf(browser.missing || ffmpeg.missing)("two people on the demo page in Chromium", () => {
  it.live(
    "chat, comment, and see each other join and leave",
    () =>
      Effect.gen(function* () {
        const demo = yield* ProgramProcess.launch(["demo", "--input", yield* TestClip.make(ffmpeg.path, 1)], {
          LOG_FORMAT: "json",
        })
        const [, url = ""] = yield* demo.waitForOutput(/Open (http:\S+) in a browser/)
        const one = yield* Browser.open({ executablePath: browser.path })
        const two = yield* Browser.open({ executablePath: browser.path, colorScheme: "dark" })
        const faults: Array<string> = []
        const open = async (context: typeof one) => {
          const page = await context.newPage()
          page.on("pageerror", (error) => faults.push(String(error)))
          await page.goto(url)
          await Browser.waitFor(page, "document.querySelector('#present-count').textContent > 0")
          return { page, name: (await page.textContent("#user")) ?? "" }
        }
        yield* Effect.promise(async () => {
          const ann = await open(one)
          const bob = await open(two)
          await shows(ann.page, "#present", bob.name)
          await shows(bob.page, "#present", ann.name)
          await shows(ann.page, "#viewers", "2 viewers")

          await bob.page.locator("#chat-text").pressSequentially("Hel")
          await shows(ann.page, "#typing", `${bob.name} typing`)
          await write(bob.page, "chat", "Hello <b>Ann</b>")
          await shows(ann.page, "#chat", "Hello <b>Ann</b>")
          await Browser.waitFor(ann.page, "document.querySelector('#typing').textContent === ''")
          await write(ann.page, "chat", "Hello Bob")
          await shows(bob.page, "#chat", "Hello Bob")

          const act = async (page: Page, text: string, name: string) => {
            const message = page.locator("#chat li", { hasText: text }).last()
            await message.hover()
            await message.getByRole("button", { name, exact: true }).click()
          }
          await act(ann.page, "Hello <b>Ann</b>", "React with 👍")
          await shows(bob.page, "#chat .reactions", "👍 1")
          await act(bob.page, "Hello <b>Ann</b>", "React with 👍")
          await shows(ann.page, "#chat .reactions", "👍 2")
          await act(bob.page, "Hello <b>Ann</b>", "👍, 2")
          await shows(ann.page, "#chat .reactions", "👍 1")
          await act(ann.page, "Hello <b>Ann</b>", "Reply")
          await shows(ann.page, "#composing", `Reply to ${bob.name}`)
          await write(ann.page, "chat", "An answer")
          await shows(bob.page, "#chat", `${bob.name}: Hello <b>Ann</b>`)
          await act(ann.page, "An answer", "Edit")
          await write(ann.page, "chat", "A better answer")
          await shows(bob.page, "#chat", "A better answer")
          await shows(bob.page, "#chat", "edited")
          for (const width of pictures === undefined ? [] : [1280, 390]) {
            await bob.page.setViewportSize({ width, height: 900 })
            // On a phone nothing is pointed at: the actions of every message are visible.
            const protocol = await two.newCDPSession(bob.page)
            await protocol.send("Emulation.setTouchEmulationEnabled", { enabled: width === 390 })
            await bob.page.locator("#chat").scrollIntoViewIfNeeded()
            await bob.page.screenshot({ path: join(pictures ?? "", `chat-${width}.png`) })
          }
          await act(ann.page, "A better answer", "Delete")
          await Browser.waitFor(bob.page, "!document.querySelector('#chat').innerText.includes('A better answer')")
          // Without the end of the list in view, a message is unread.
          await bob.page.evaluate("document.querySelector('#chat').style.height = '10px'")
          await bob.page.evaluate("document.querySelector('#chat').scrollTop = 0")
          await write(ann.page, "chat", "Read this")
          await shows(bob.page, "#unread", "1 unread")
          await bob.page.evaluate("document.querySelector('#chat').style.height = ''")
          await bob.page.evaluate("document.querySelector('#chat').scrollTop = 1e6")
          await Browser.waitFor(bob.page, "document.querySelector('#unread').hidden")
          for (let number = 1; number <= 30; number++) await write(ann.page, "chat", `Line ${number}`)

          await write(ann.page, "comment", "Nice video")
          await shows(bob.page, "#comments", "Nice video")
          await write(ann.page, "comment", "Too soon")
          await shows(ann.page, "#comment-fault", "One a second")

          await bob.page.close()
          await Browser.waitFor(ann.page, "document.querySelector('#present-count').textContent === '1'")
          await shows(ann.page, "#viewers", "1 viewer")
          await write(ann.page, "chat", "Still there?")
          await shows(ann.page, "#chat", "Still there?")
          const back = await open(two)
          await shows(back.page, "#chat", "Still there?")
          assert.notInclude(await back.page.innerText("#chat"), "Hello Bob")
          await back.page.click("#older")
          await shows(back.page, "#chat", "Hello Bob")
          await shows(back.page, "#comments", "Nice video")
        })
        assert.deepStrictEqual(faults, [])
      }),
    180_000,
  )
})
