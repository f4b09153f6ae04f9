/** The operator console in a real browser, against a running program with jobs, sockets and a dead letter. */
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Page } from "playwright-core"
import * as UploadClient from "@armoricore/demo/UploadClient"
import { retryUntil, request } from "../support/ApiClient.ts"
import { faultsOf } from "../support/Axe.ts"
import * as Browser from "../support/Browser.ts"
import * as TestClip from "../support/TestClip.ts"
import * as ChatClient from "../support/ChatClient.ts"
import * as ProgramFixture from "../support/ProgramFixture.ts"
import * as StalledFfmpeg from "../support/StalledFfmpeg.ts"
import * as ProgramProcess from "../support/ProgramProcess.ts"
import * as NodeServices from "@effect/platform-node/NodeServices"

const browser = Programs.requireProgram("chromium")
const ffmpeg = Programs.requireProgram("ffmpeg")
/** The folder for screenshots; without it none are taken. */
const pictures = process.env["ARMORICORE_CONSOLE_PICTURES"]

const views = [
  "overview",
  "jobs",
  "dead-letters",
  "rooms",
  "providers",
  "suppressions",
  "moderation",
  "audit",
  "media",
  "users",
  "notifications",
] as const

/** A workflow that waits after its first step, and a template. */
const notifyFiles = (folder: string) => {
  const [workflows, templates] = [join(folder, "workflows"), join(folder, "templates")]
  for (const path of [workflows, templates]) mkdirSync(path)
  writeFileSync(
    join(workflows, "comment.yaml"),
    "name: comment\nsteps: [{type: in_app}, {type: delay, for: 1h}, {type: email, template: welcome}]",
  )
  writeFileSync(
    join(templates, "welcome.json"),
    JSON.stringify({
      title: "Welcome, {{ name }}",
      text: "Good to have you, {{ name }}.",
      html: '<h1 style="color: rgb(11, 99, 112)">Welcome, {{ name }}</h1><p>Good to have you.</p>',
    }),
  )
  return { NOTIFY_WORKFLOWS: workflows, NOTIFY_TEMPLATES: templates }
}

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
const notification = {
  event_type: "notification.requested",
  event_id: crypto.randomUUID(),
  timestamp: new Date().toISOString(),
  source: "shop",
  traceparent,
  payload: {
    user_id: "ada",
    notification_type: "email",
    title: "Your film is ready",
    body: "Come and see",
    data: { email: "ada@example.com" },
  },
}

const look = async (page: Page, name: string): Promise<void> => {
  if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true })
}

/** `view` may have parameters. */
const show = async (page: Page, view: string) => {
  await page.goto(`${page.url().split("#")[0]}#${view}`)
  await page.waitForSelector(`nav a[href="#${view.split("?")[0]}"][aria-current]`)
  await Browser.waitFor(page, "document.querySelector('#view .loading') === null")
}

describe.skipIf(browser.missing || ffmpeg.missing)("the operator console in Chromium", () => {
  it.live(
    "shows every view, edits and replays a dead letter, cancels a job, kicks a user; axe finds nothing serious",
    () =>
      Effect.gen(function* () {
        const data = yield* ProgramProcess.temporaryDirectory
        const held = StalledFfmpeg.make(yield* ProgramProcess.temporaryDirectory, ffmpeg.path)
        const env = {
          ARMORICORE_DATA_DIR: data,
          JWT_SECRET: "a secret of this test, long enough for it",
          FFMPEG_PATH: held.script,
          MODERATION_REVIEW_WORDS: "kraken",
          ...notifyFiles(yield* ProgramProcess.temporaryDirectory),
        }
        const { url } = yield* ProgramFixture.start(env)
        const operator = yield* ProgramFixture.tokenFor(env, "--user", "ida", "--role", "operator")
        const ada = yield* ProgramFixture.tokenFor(env, "--user", "ada")

        // One finished upload, and one whose encoding hangs.
        const clip = yield* TestClip.make(ffmpeg.path, 2)
        const upload = Effect.gen(function* () {
          const grant = yield* UploadClient.requestUpload(url, ada, clip)
          yield* UploadClient.uploadFile(grant, clip)
          yield* ProgramFixture.publishUploaded(env, url, grant, "ada")
          return grant.media_id
        }).pipe(Effect.provide(NodeServices.layer))
        const statusOf = (mediaId: string) =>
          Effect.map(
            request(`${url}/v1/media/${mediaId}`, { headers: { authorization: `Bearer ${operator}` } }),
            ({ json }) => (typeof json === "object" && json !== null ? Reflect.get(json, "status") : undefined),
          )
        const done = yield* upload
        yield* retryUntil(statusOf(done), (status) => status === "ready")
        held.stall()
        const stuck = yield* upload
        yield* retryUntil(statusOf(stuck), (status) => status === "processing")

        // A dead letter: the rules of this publisher accept an event that the running program rejects.
        const file = join(data, "event.json")
        writeFileSync(file, JSON.stringify(notification))
        const sent = yield* ProgramProcess.run(["publish", file], {
          ...env,
          EVENT_SOURCES: '{"shop":["notification.requested"]}',
        })
        assert.strictEqual(sent.code, 0, sent.stderr)

        const publisher = yield* ProgramFixture.tokenFor(env, "--user", "shop", "--role", "publisher")
        const call = (method: string, path: string, body: object) =>
          request(`${url}${path}`, {
            method,
            headers: { authorization: `Bearer ${publisher}`, "content-type": "application/json" },
            body: JSON.stringify(body),
          })
        const requestNotification = (payload: object) => {
          const now = { event_id: crypto.randomUUID(), timestamp: new Date().toISOString(), source: "php-backend" }
          return call("POST", "/v1/events", { event_type: "notification.requested", ...now, payload })
        }
        yield* call("PUT", "/v1/users/ada/devices/phone", { platform: "android", token: "token-of-ada", locale: "fr" })
        yield* call("PUT", "/v1/users/ada/preferences", { categories: { news: { email: false } }, locale: "fr" })
        yield* call("POST", "/v1/audiences/fans/members", { add: ["ada", "bob"] })
        yield* requestNotification({ user_id: "ada", workflow: "comment", title: "New comment" })
        yield* requestNotification({
          user_id: "shop",
          audience: "fans",
          notification_type: "in_app",
          title: "Concert",
          body: "Tonight",
        })

        const guests = yield* Effect.forEach(["ada", "bob", "cem"], (user) =>
          Effect.flatMap(ProgramFixture.tokenFor(env, "--user", user), (token) =>
            ChatClient.join(url, token, "chat:room:harbour"),
          ),
        )
        const [adaClient, bobClient] = guests
        if (adaClient === undefined || bobClient === undefined) return assert.fail("the guests did not join")
        yield* adaClient.send("good morning")
        yield* bobClient.send("release the kraken")

        const faults: Array<string> = []
        const open = Effect.fnUntraced(function* (options: Omit<Browser.BrowserOptions, "executablePath">) {
          const context = yield* Browser.open({ executablePath: browser.path, ...options })
          return yield* Effect.promise(async () => {
            const page = await context.newPage()
            page.on("pageerror", (error) => faults.push(String(error)))
            page.on("console", (message) => {
              if (message.type() === "error") faults.push(message.text())
            })
            await page.goto(`${url}/console#token=${operator}`)
            await page.waitForSelector(".tile")
            return page
          })
        })
        const light = yield* open({ width: 1360, height: 900 })
        const dark = yield* open({ width: 1360, height: 900, colorScheme: "dark" })
        const phone = yield* open({ width: 390, height: 844, colorScheme: "dark" })

        yield* Effect.promise(async () => {
          assert.strictEqual(new URL(light.url()).hash, "#overview")
          await Browser.waitFor(light, "document.querySelectorAll('.chart .line').length >= 6")
          await Browser.waitFor(light, "/1 dead letter waits/.test(document.querySelector('.attention').innerText)")
          for (const view of views) {
            await show(light, view)
            if (view === "audit") continue
            await light.waitForSelector(".empty, .list, .tiles, .providers")
            assert.deepStrictEqual(await faultsOf(light), [], view)
          }
          await show(light, "jobs")
          await Browser.waitFor(light, "document.querySelector('.picture img')?.naturalWidth > 0")
        })
        // A media and its user have links of their own; the stream plays in the page.
        yield* Effect.promise(async () => {
          await show(light, `media?id=${done}`)
          await light.waitForSelector("#media .player")
          await Browser.waitFor(light, "document.querySelector('.player').readyState >= 2")
          await light.locator("#media", { hasText: "media ready" }).waitFor()
          assert.deepStrictEqual(await faultsOf(light), [], "a media")
          await light.click("#media >> text=ada")
          await light.waitForSelector(`section[aria-label='Media'] >> text=${done}`)
          assert.match(light.url(), /#users\?id=ada$/)
          assert.deepStrictEqual(await faultsOf(light), [], "a user")
          await light.reload()
          await light.waitForSelector(`section[aria-label='Media'] >> text=${done}`)
        })

        // Notifications: what a user receives, a run and its steps, a send, a preview.
        yield* Effect.promise(async () => {
          await light.waitForSelector("section[aria-label='Devices'] >> text=android")
          await light.waitForSelector("section[aria-label='Preferences'] >> text=email off")
          await light.waitForSelector("section[aria-label^='Inbox'] >> text=Concert")
          await light.click("section[aria-label='Workflow runs'] >> text=comment")
          await light.waitForSelector(".steps >> text=delay 1 h")
          await light.waitForSelector(".steps .delivery-row >> text=in_app")
          await look(light, "light-run")
          assert.deepStrictEqual(await faultsOf(light), [], "a run")
          await light.click("button >> text=Audiences")
          await light.waitForSelector(".review >> text=2 members")
          await light.waitForSelector("progress[value='100']")
          await look(light, "light-audiences")
          assert.deepStrictEqual(await faultsOf(light), [], "audiences")
          await light.click("button >> text=Templates")
          await light.click("button >> text=Preview")
          await light.waitForSelector(".notice.bad >> text=context.name is missing")
          await light.fill("textarea", '{"name": "Ada"}')
          await light.click("button >> text=Preview")
          await light.frameLocator("iframe").locator("h1", { hasText: "Welcome, Ada" }).waitFor()
          await look(light, "light-templates")
          assert.deepStrictEqual(await faultsOf(light), [], "templates")
          await light.fill("text=Send a test to", "ida@example.com")
          await light.click("button >> text=Send a test")
          await light.waitForSelector("text=A test is on its way to ida@example.com")
        })
        const mailbox = request(`${url}/v1/inbox`, { headers: { authorization: `Bearer ${operator}` } })
        yield* retryUntil(mailbox, ({ json }) => JSON.stringify(json).includes("Welcome, Ada"))

        // The page behind the link of a mail, without a login.
        yield* requestNotification({
          user_id: "ada",
          notification_type: "email",
          category: "offers",
          title: "Offers",
          body: "Half the price",
          recipients: [{ email: "ada@example.com" }],
        })
        const offers = yield* retryUntil(mailbox, ({ json }) => /\/v1\/preferences\/[^"]+/.test(JSON.stringify(json)))
        const [link = ""] = /http[^"]+\/v1\/preferences\/[^"]+/.exec(JSON.stringify(offers.json)) ?? []
        yield* Effect.promise(async () => {
          const reader = await light.context().newPage()
          await reader.goto(link)
          await reader.uncheck("[aria-label='offers: E-mail']")
          await look(reader, "light-preferences")
          assert.deepStrictEqual(await faultsOf(reader), [], "preferences")
          // In the language of the reader's preferences.
          await reader.click("text=Enregistrer")
          await reader.waitForSelector("text=Votre choix est enregistré.")
          assert.isFalse(await reader.isChecked("[aria-label='offers: E-mail']"))
          await reader.close()
        })

        // Generates activity for the charts.
        if (pictures !== undefined) {
          // Slowly and by different users, so that moderation sees no flood.
          yield* Effect.forEach(Array.from({ length: 60 }), (_, at) =>
            Effect.delay(guests[at % guests.length]?.send(`the tide turns ${at}`) ?? Effect.void, 350),
          )
          yield* Effect.promise(async () => {
            for (const [name, page] of [
              ["light", light],
              ["dark", dark],
              ["phone", phone],
            ] as const) {
              for (const view of views) {
                await show(page, view)
                if (view === "dead-letters") await page.click(".letter")
                if (view === "rooms") await page.click(".room")
                if (view === "media") await page.click(".film >> nth=-1")
                if (view === "users") await show(page, "users?id=ada")
                if (view === "notifications") {
                  await page.click("text=Steps")
                  await page.waitForSelector(".steps")
                }
                await page.waitForTimeout(600)
                await look(page, `${name}-${view}`)
              }
            }
          })
        }

        // Only with the keyboard: opens, edits and replays the dead letter.
        yield* Effect.promise(async () => {
          await light.keyboard.press("3")
          await light.waitForSelector(".letter")
          await light.keyboard.press("j")
          await light.keyboard.press("Enter")
          await light.waitForSelector("#letter-body")
          assert.deepStrictEqual(await faultsOf(light), [], "a letter")
          assert.include(await light.textContent("#letter"), "may not publish")
          const body = await light.inputValue("#letter-body")
          await light.fill("#letter-body", body.replace("}", ""))
          await light.click("text=Replay with changes")
          await light.waitForSelector("#letter-fault")
          await light.fill("#letter-body", body.replace('"shop"', '"php-backend"'))
          await light.click("text=Replay with changes")
          await light.waitForSelector(".empty")
        })
        const delivered = request(`${url}/v1/notifications/${notification.event_id}`, {
          headers: { authorization: `Bearer ${operator}` },
        })
        yield* retryUntil(delivered, ({ json }) => JSON.stringify(json).includes('"status":"sent"'))

        yield* Effect.promise(async () => {
          await show(light, "jobs")
          const job = light.locator(".job", { hasText: stuck })
          await job.locator("text=Cancel").click()
          assert.deepStrictEqual(await faultsOf(light), [], "a dialog")
          await light.click("dialog >> text=Cancel the job")
          await job.locator(".pill.bad", { hasText: "cancelled" }).waitFor()
        })
        held.resume()
        yield* retryUntil(statusOf(stuck), (status) => status === "failed")

        yield* Effect.promise(async () => {
          await show(light, "rooms")
          const bob = light.locator(".socket", { hasText: "bob" })
          const kick = await bob.locator("button", { hasText: /^Kick$/ }).elementHandle()
          await light.click(".room")
          await bob.locator("text=Kick from room").waitFor()
          assert.strictEqual(await kick?.textContent(), "Kick", "a button turned into another under the pointer")
          await kick?.click()
          await light.fill("#dialog-reason", "no krakens")
          await light.keyboard.press("Enter")
          await light.waitForSelector("text=/bob was kicked$/")
        })
        yield* retryUntil(
          Effect.sync(() => bobClient.closeCodes),
          (codes) => codes.includes(4002),
        )

        yield* Effect.promise(async () => {
          await show(light, "moderation")
          await light.locator(".review", { hasText: "release the kraken" }).locator("text=Remove").click()
          await light.waitForSelector("text=is removed")
          await show(light, "audit")
          for (const act of ["Replay dead letter", "Cancel job", "Kick", "Remove review"]) {
            await light.locator(".entry", { hasText: act }).first().waitFor()
          }
          assert.deepStrictEqual(await faultsOf(light), [], "audit")
          assert.deepStrictEqual(await faultsOf(dark), [], "dark")
          await show(phone, "overview")
          assert.deepStrictEqual(await faultsOf(phone), [], "phone")
          await show(phone, "moderation")
          await Browser.waitFor(
            phone,
            "document.querySelector('nav a[aria-current]').getBoundingClientRect().right <= 390",
          )
          await show(phone, "overview")
          const wide = await phone.evaluate<number>("document.documentElement.scrollWidth")
          assert.isAtMost(wide, 390)
        })
        assert.deepStrictEqual(faults, [])
      }).pipe(Effect.scoped),
    180_000,
  )

  it.live("a token without the role operator gets a message that names the role", () =>
    Effect.gen(function* () {
      const env = {
        ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
        JWT_SECRET: "a secret of this test, long enough for it",
      }
      const { url } = yield* ProgramFixture.start(env)
      const token = yield* ProgramFixture.tokenFor(env, "--user", "eve")
      const context = yield* Browser.open({ executablePath: browser.path })
      yield* Effect.promise(async () => {
        const page = await context.newPage()
        await page.goto(`${url}/console`)
        await page.fill("#token", token)
        await page.keyboard.press("Enter")
        await page.waitForSelector("#token-refusal")
        assert.include(await page.textContent("#token-refusal"), "lacks the role operator")
        assert.deepStrictEqual(await faultsOf(page), [])
      })
    }).pipe(Effect.scoped),
  )
})
