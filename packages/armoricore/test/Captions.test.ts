/** Captions from the request to the screen: the running program, a speech server that hears tones, a real Chromium. */
import { wavHeader } from "@armoricore/ai/Pcm"
import { FakeSpeech, key } from "@armoricore/testing/fakes/FakeSpeech"
import * as ToneSpeech from "@armoricore/testing/fakes/ToneSpeech"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it } from "@effect/vitest"
import { NodeServices } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { execFile } from "node:child_process"
import { writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { promisify } from "node:util"
import * as Upload from "../src/demo/Upload.ts"
import * as Browser from "./support/Browser.ts"
import { request, until } from "./support/Client.ts"
import { publish, start, tokenFor } from "./support/Flow.ts"
import { folder } from "./support/Program.ts"

const browser = Programs.need("chromium")
const ffmpeg = Programs.need("ffmpeg")

/** Words that the server will hear, with a pause of two seconds before the tenth. */
const [first, second] = [ToneSpeech.say(9, { before: 1.5, after: 2 }), ToneSpeech.say(9, { after: 1 })]
const offset = first.samples.length / ToneSpeech.sampleRate

const film = Effect.gen(function* () {
  const home = yield* folder
  const samples = Int16Array.from([...first.samples, ...second.samples])
  const sound = join(home, "sound.wav")
  writeFileSync(sound, Buffer.concat([wavHeader(samples.length), Buffer.from(samples.buffer)]))
  const file = join(home, "film.mp4")
  const args = `-v error -f lavfi -i testsrc2=s=640x360:r=25:d=12 -i ${sound} -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac ${file}`
  yield* Effect.promise(() => promisify(execFile)(ffmpeg.path, args.split(" ")))
  return file
})

describe.skipIf(browser.missing || ffmpeg.missing)("captions in Chromium", () => {
  it.live(
    "are there when the word is said, in sync to 0.2 s",
    () =>
      Effect.gen(function* () {
        const speech = yield* FakeSpeech
        const env = {
          ARMORICORE_DATA_DIR: yield* folder,
          SPEECH_ENGINE: "openai",
          SPEECH_BASE_URL: `${speech.url}/v1`,
          SPEECH_API_KEY: key,
        }
        const { url } = yield* start(env)
        const token = yield* tokenFor(env, "--user", "u1")
        const file = yield* film
        const grant = yield* Upload.ask(url, token, file)
        yield* Upload.put(grant, file)
        yield* publish(env, url, grant)
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
        const about = yield* until(request(`${url}/v1/media/${grant.media_id}`, authorized), ({ json }) =>
          JSON.stringify(json).includes('"status":"ready"'),
        )
        const [, hls = ""] = /"hls":"([^"]+)"/.exec(JSON.stringify(about.json)) ?? []
        yield* until(request(hls), ({ json }) => String(json).includes("TYPE=SUBTITLES"))
        const found = yield* request(`${url}/v1/media/${grant.media_id}/transcript?q=w3`, authorized)
        assert.include(JSON.stringify(found.json), '"matches":[{"start":1.5')

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
          await page.waitForFunction("video.readyState >= 2 && video.textTracks.length > 0")
          // As a viewer who switches captions on.
          await page.evaluate("video.textTracks[0].mode = 'showing'")
          await page.waitForFunction("video.textTracks[0].cues?.length >= 2").catch(async (error) => {
            const [faults, tracks] = [
              await page.evaluate<string>("faults.join()"),
              await page.evaluate<string>("[...video.textTracks].map((t) => t.label + t.mode + t.cues?.length).join()"),
            ]
            throw new Error(`no cues: ${faults} ${tracks}`, { cause: error })
          })
          /** What is on the screen once the video stands at this moment. */
          const at = async (seconds: number) => {
            await page.evaluate(`video.currentTime = ${seconds}`)
            await page.waitForFunction(`!video.seeking && Math.abs(video.currentTime - ${seconds}) < 0.05`)
            await page.waitForTimeout(150)
            return page.evaluate<string>(
              "[...(video.textTracks[0].activeCues ?? [])].map(({ text }) => text).join('|')",
            )
          }
          const spoken = second.words[0]?.start ?? 0
          return {
            before: await at(1.5 - 0.2),
            said: await at(1.5 + 0.2),
            between: await at(offset + spoken - 0.2),
            next: await at(offset + spoken + 0.2),
          }
        })
        assert.strictEqual(shown.before, "")
        assert.match(shown.said, /^w0 w1 w2/)
        assert.strictEqual(shown.between, "")
        assert.match(shown.next, /^w0 w1 w2/)
      }).pipe(Effect.provide(Layer.mergeAll(FakeSpeech.layer, NodeServices.layer))),
    180_000,
  )
})
