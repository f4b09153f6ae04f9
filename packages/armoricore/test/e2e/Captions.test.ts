/** Captions from the request to the screen: the running program, a fake speech server that recognises tones, and Chromium. */
import * as LanguageModel from "@armoricore/testing/fakes/FakeLanguageModel"
import { FakeSpeech, apiKey } from "@armoricore/testing/fakes/FakeSpeech"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it } from "@effect/vitest"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer } from "effect"
import { createRequire } from "node:module"
import * as UploadClient from "@armoricore/demo/UploadClient"
import * as Browser from "../support/Browser.ts"
import { request, retryUntil } from "../support/ApiClient.ts"
import { publishUploaded, start, tokenFor } from "../support/ProgramFixture.ts"
import { temporaryDirectory } from "../support/ProgramProcess.ts"
import * as SpeechVideo from "../support/SpeechVideo.ts"

const browser = Programs.requireProgram("chromium")
const ffmpeg = Programs.requireProgram("ffmpeg")

describe.skipIf(browser.missing || ffmpeg.missing)("captions in Chromium", () => {
  it.live(
    "appear with the spoken word, in sync to 0.2 s",
    () =>
      Effect.gen(function* () {
        const speech = yield* FakeSpeech
        const model = yield* LanguageModel.FakeLanguageModel
        const env = {
          ARMORICORE_DATA_DIR: yield* temporaryDirectory,
          SPEECH_ENGINE: "openai",
          SPEECH_BASE_URL: `${speech.url}/v1`,
          SPEECH_API_KEY: apiKey,
          LANGUAGE_MODEL_BASE_URL: `${model.url}/v1`,
          LANGUAGE_MODEL_API_KEY: LanguageModel.apiKey,
          LANGUAGE_MODEL: "fake-1",
          CAPTION_LANGUAGES: "de",
          TRANSCRIPT_OUTLINE: "on",
        }
        const { url } = yield* start(env)
        const token = yield* tokenFor(env, "--user", "u1")
        const file = yield* SpeechVideo.make(ffmpeg.path)
        const grant = yield* UploadClient.requestUpload(url, token, file)
        yield* UploadClient.uploadFile(grant, file)
        yield* publishUploaded(env, url, grant)
        const asked = yield* request(`${url}/v1/events`, {
          method: "POST",
          headers: { authorization: `Bearer ${yield* tokenFor(env, "--user", "php", "--role", "publisher")}` },
          body: JSON.stringify({
            event_type: "transcription.requested",
            event_id: crypto.randomUUID(),
            timestamp: new Date().toISOString(),
            source: "php-backend",
            payload: { media_id: grant.media_id, user_id: "u1", source_file_path: grant.file_path, language: "en" },
          }),
        })
        assert.strictEqual(asked.status, 202)
        const authorized = { headers: { authorization: `Bearer ${token}` } }
        const about = yield* retryUntil(request(`${url}/v1/media/${grant.media_id}`, authorized), ({ json }) =>
          JSON.stringify(json).includes('"status":"ready"'),
        )
        const [, hls = ""] = /"hls":"([^"]+)"/.exec(JSON.stringify(about.json)) ?? []
        const master = yield* retryUntil(request(hls), ({ json }) => String(json).includes("TYPE=SUBTITLES"))
        assert.match(String(master.json), /TYPE=SUBTITLES[^\n]*LANGUAGE="de"/)
        const german = yield* request(`${url}/v1/media/${grant.media_id}/transcript?language=de&q=W3`, authorized)
        assert.include(JSON.stringify(german.json), '"matches":[{"start":1.')
        const own = yield* request(`${url}/v1/media/${grant.media_id}/transcript`, authorized)
        assert.include(JSON.stringify(own.json), '"outline":{"title":"A voyage"')
        const found = yield* request(`${url}/v1/media/${grant.media_id}/transcript?q=w3`, authorized)
        assert.include(JSON.stringify(found.json), '"matches":[{"start":1.5')

        const { first, second } = SpeechVideo.sentenceStarts
        const context = yield* Browser.open({ executablePath: browser.path })
        const script = createRequire(import.meta.url).resolve("hls.js/dist/hls.min.js")
        const shown = yield* Effect.promise(async () => {
          const page = await context.newPage()
          await page.goto(`${url}/healthz`)
          await page.addScriptTag({ path: script })
          await page.evaluate(`
            const video = document.body.appendChild(document.createElement("video"))
            video.muted = true
            video.width = 640
            const hls = new Hls()
            window.faults = []
            hls.on(Hls.Events.ERROR, (_, { details, error }) => faults.push(details + " " + error?.message))
            hls.loadSource(${JSON.stringify(hls)})
            hls.attachMedia(video)
            window.video = video`)
          await Browser.waitFor(page, "video.readyState >= 2 && video.textTracks.length > 0")
          // Switches captions on, as a viewer would.
          await page.evaluate("video.textTracks[0].mode = 'showing'")
          await Browser.waitFor(page, "video.textTracks[0].cues?.length >= 2").catch(async (error) => {
            const [faults, tracks] = [
              await page.evaluate<string>("faults.join()"),
              await page.evaluate<string>("[...video.textTracks].map((t) => t.label + t.mode + t.cues?.length).join()"),
            ]
            throw new Error(`no cues: ${faults} ${tracks}`, { cause: error })
          })
          /** The visible caption after a seek to this time. */
          const at = async (seconds: number) => {
            await page.evaluate(`video.currentTime = ${seconds}`)
            await Browser.waitFor(page, `!video.seeking && Math.abs(video.currentTime - ${seconds}) < 0.05`)
            await page.waitForTimeout(150)
            return page.evaluate<string>(
              "[...(video.textTracks[0].activeCues ?? [])].map(({ text }) => text).join('|')",
            )
          }
          return {
            before: await at(first - 0.2),
            said: await at(first + 0.2),
            between: await at(second - 0.2),
            next: await at(second + 0.2),
          }
        })
        assert.strictEqual(shown.before, "")
        assert.match(shown.said, /^w0 w1 w2/)
        assert.strictEqual(shown.between, "")
        assert.match(shown.next, /^w0 w1 w2/)
      }).pipe(
        Effect.provide(Layer.mergeAll(FakeSpeech.layer, LanguageModel.FakeLanguageModel.layer, NodeServices.layer)),
      ),
    180_000,
  )
})
