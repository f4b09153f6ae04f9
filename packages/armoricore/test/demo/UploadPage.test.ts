import * as FakeHttpServer from "@armoricore/testing/fakes/FakeHttpServer"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import type { BrowserContext } from "playwright-core"
import * as Browser from "../support/Browser.ts"
import * as ProgramProcess from "../support/ProgramProcess.ts"

const browser = Programs.requireProgram("chromium")
const tusScript = fileURLToPath(new URL("../../../../vendor/tus-js-client/dist/tus.min.js", import.meta.url))

/** Reloads the page in the middle of an upload on a slow line, and chooses the same file again. */
const continueAfterReload = async (context: BrowserContext, url: string) => {
  const page = await context.newPage()
  await page.goto(url)
  await page.waitForSelector("#media:not(:empty)")
  const line = await context.newCDPSession(page)
  await line.send("Network.enable")
  await line.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: 400_000,
  })
  await page.click("#another")
  await page.click("#sample")
  await Browser.waitFor(page, "document.querySelector('#upload-bar').value > 30")
  await page.reload()
  await Browser.waitFor(page, "/stopped at [1-9][0-9]? %/.test(document.querySelector('#file-name').textContent)")
  await line.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: -1,
  })
  await page.click("#sample")
  await Browser.waitFor(page, "document.querySelector('#log').textContent.includes('media.uploaded')")
  const log = await page.textContent("#log")
  return {
    continued: /continues at byte [1-9]/.test(log ?? ""),
    failure: await page.textContent("#failure-text"),
  }
}

/** Uploads with `tus-js-client` from a page of another origin: the number of requests whose headers the page could read. */
const uploadFromOtherOrigin = async (context: BrowserContext, site: string, url: string, authorization: string) => {
  const page = await context.newPage()
  await page.goto(site)
  await page.addScriptTag({ path: tusScript })
  return page.evaluate<unknown>(`new Promise((resolve) => {
    const ids = []
    new tus.Upload(new Blob([new Uint8Array(300_000)]), {
      endpoint: ${JSON.stringify(new URL("/v1/uploads/tus", url).href)},
      headers: { authorization: ${JSON.stringify(authorization)} },
      metadata: { filename: "été.mp4", filetype: "video/mp4" },
      chunkSize: 100_000,
      retryDelays: null,
      storeFingerprintForResuming: false,
      onAfterResponse: (_, response) => ids.push(response.getHeader("armoricore-media-id")),
      onError: (error) => resolve(String(error)),
      onSuccess: () => resolve(ids.every((id) => id === ids[0] && id !== undefined) ? ids.length : ids),
    }).start()
  })`)
}

describe.skipIf(browser.missing)("the demo page in Chromium", () => {
  it.live(
    "uploads the sample, shows its progress and plays the stream",
    () =>
      Effect.gen(function* () {
        const demo = yield* ProgramProcess.launch(["demo"], { LOG_FORMAT: "json", ALLOWED_ORIGINS: "*" })
        const [, url = ""] = yield* demo.waitForOutput(/Open (http:\S+) in a browser/)
        const context = yield* Browser.open({ executablePath: browser.path })
        const faults: Array<string> = []
        const bars: Array<number> = []
        let authorization = ""
        const played = yield* Effect.promise(async () => {
          const page = await context.newPage()
          page.on("pageerror", (error) => faults.push(String(error)))
          page.on("request", (sent) => {
            authorization = sent.headers()["authorization"] ?? authorization
          })
          page.on("console", (message) => {
            if (message.type() === "error") faults.push(message.text())
          })
          await page.exposeFunction("noteBar", (value: number) => bars.push(value))
          await page.goto(url)
          // At first the page shows the upload of the demo command.
          await Browser.waitFor(page, "document.querySelector('#video').currentTime > 0.5")
          const first = await page.textContent("#media")
          await page.click("#another")
          await page.evaluate(`
            const bar = document.querySelector("#process-bar")
            new MutationObserver(() => window.noteBar(bar.value)).observe(bar, { attributes: true })`)
          await page.click("#sample")
          await Browser.waitFor(page, "document.querySelector('#stage').dataset.state === 'working'")
          await page.waitForSelector("#result:not([hidden])", { timeout: 90_000 })
          await Browser.waitFor(page, "document.querySelector('#video').currentTime > 1")
          await Browser.waitFor(page, "document.querySelector('#seek-range').max > 1")
          const lookAt = async (part: number) => {
            await page.locator("#seek-range").scrollIntoViewIfNeeded()
            const bar = await page.locator("#seek-range").boundingBox()
            if (bar === null) throw new Error("there is no seek bar")
            // The storyboard images load after the bar appears.
            for (let tries = 0; tries === 0 || !(await page.isVisible("#seek-preview")); tries++) {
              if (tries > 300) throw new Error("no picture is shown below the pointer")
              await page.mouse.move(bar.x + bar.width * part + (tries % 2), bar.y + bar.height / 2)
            }
            return page.evaluate<string>("document.querySelector('#seek-picture').style.background")
          }
          const previews = [await lookAt(0.05), await lookAt(0.9)]
          const sprite = await page.evaluate<string>(`(async () => {
            const style = document.querySelector("#seek-picture").style.backgroundImage
            const image = new Image()
            image.src = /"(.*)"/.exec(style)[1]
            await image.decode()
            return image.naturalWidth > 0 ? "decoded" : "empty"
          })()`)
          await page.mouse.down()
          await page.mouse.up()
          await Browser.waitFor(
            page,
            "document.querySelector('#video').currentTime > 0.8 * document.querySelector('#seek-range').max",
          )
          return {
            previews,
            sprite,
            first,
            second: await page.textContent("#media"),
            error: await page.evaluate("document.querySelector('#video').error?.message ?? null"),
            size: await page.evaluate("document.querySelector('#video').videoWidth"),
            quality: await page.$$eval("#quality option", (options) =>
              options.map(({ textContent }) => textContent ?? ""),
            ),
            pictures: await page.$$eval("#thumbnails img", (images) => images.length),
            uploaded: await page.textContent("#upload-percent"),
            log: await page.$$eval("#log b", (names) => names.map(({ textContent }) => textContent ?? "")),
          }
        })
        assert.notStrictEqual(played.first, played.second)
        assert.isNull(played.error)
        assert.isAbove(Number(played.size), 0)
        assert.deepStrictEqual(
          played.quality.map((name) => name.split(" ")[0]),
          ["Auto", "720p", "480p", "360p"],
        )
        assert.strictEqual(played.pictures, 5)
        assert.strictEqual(played.sprite, "decoded")
        assert.notStrictEqual(played.previews[0], played.previews[1])
        assert.strictEqual(played.uploaded, "100 %")
        assert.includeMembers(played.log, ["POST /v1/uploads/tus", "media.uploaded", "media_progress", "media_ready"])
        const moved = [...new Set(bars)]
        assert.isAbove(moved.length, 3, `the bar moved through ${moved.join(", ")}`)
        assert.strictEqual(moved.at(-1), 100)
        assert.deepStrictEqual(faults, [])
        assert.deepStrictEqual(yield* Effect.promise(() => continueAfterReload(context, url)), {
          continued: true,
          failure: "",
        })
        const site = yield* FakeHttpServer.listenHttp(() =>
          Promise.resolve({ status: 200, headers: { "content-type": "text/html" }, body: "<!doctype html>" }),
        )
        // The creation and three parts.
        assert.strictEqual(yield* Effect.promise(() => uploadFromOtherOrigin(context, site, url, authorization)), 4)
      }),
    180_000,
  )
})
