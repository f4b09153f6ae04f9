/** hls.js and dash.js in Chromium play the streams, switch the quality without a gap, seek, and play the audio only. */
import "../support/NpmProgramsFirst.ts"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, FileSystem, Path } from "effect"
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts"
import { fetchAll, isFfmpegMissing, pipeline, prefixOf, storeUpload, uploaded } from "../support/Pipeline.ts"
import { launchBrowser, servePlayer } from "../support/Player.ts"

const chromium = Programs.requireProgram("chromium")

const streamOf = Effect.fnUntraced(function* (name: string, args: ReadonlyArray<string>, folder: string) {
  const path = yield* Path.Path
  const { processUpload } = yield* UploadPipeline
  const upload = path.join(folder, name)
  yield* ffmpeg([...args, upload])
  const outcome = yield* processUpload(uploaded(name.slice(0, -4), yield* storeUpload(`uploads/${name}`, upload)), {
    fencingToken: 1,
  })
  if (outcome._tag !== "Ready") return yield* Effect.die(new Error("superseded"))
  yield* fetchAll(prefixOf(outcome.ready), path.join(folder, name.slice(0, -4)))
})

/** Runs in the page: waits until a condition holds, looking often. */
const until = `const until = (is, what) => new Promise((resolve, reject) => {
  const began = Date.now()
  const look = () => is() ? resolve() : Date.now() - began > 20000 ? reject(new Error("not " + what + ": " + JSON.stringify({ at: video.currentTime, height: video.videoHeight, paused: video.paused, ready: video.readyState, buffered: Array.from({ length: video.buffered.length }, (_, at) => [video.buffered.start(at), video.buffered.end(at)]), now: describe() }))) : setTimeout(look, 20)
  look()
})
const video = document.querySelector("#video")
let stalls = 0
let describe = () => null
video.addEventListener("waiting", () => { if (video.currentTime > 0.3) stalls++ })
const gaps = () => Array.from({ length: Math.max(0, video.buffered.length - 1) }, (_, at) => video.buffered.start(at + 1) - video.buffered.end(at))
`

const common = `
await until(() => video.currentTime > 0.5, "playing")
const before = video.videoHeight
change()
await until(() => video.videoHeight !== before && video.videoHeight > 0, "another quality")
const after = video.videoHeight
await until(() => video.currentTime > 6, "going on")
const played = { before, after, stalls, gaps: gaps() }
video.pause()
video.currentTime = 9.2
await until(() => !video.seeking && video.readyState >= 2, "sought")
played.sought = video.currentTime
`

describe.skipIf(isFfmpegMissing || chromium.missing)("Players", () => {
  layer(
    pipeline({
      ladder: [
        { shortSide: 270, kilobits: 800 },
        { shortSide: 144, kilobits: 300 },
      ],
    }),
    { excludeTestServices: true, timeout: "60 seconds" },
  )((it) => {
    it.effect(
      "hls.js and dash.js play, switch the quality without a gap, seek with previews, and play audio only",
      () =>
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          const folder = yield* fs.makeTempDirectoryScoped()
          yield* streamOf(
            "film.mp4",
            [...testVideo({ size: "480x270", rate: "25", seconds: 12 }), ...tone(12), ...h264, "-c:a", "aac"],
            folder,
          )
          yield* streamOf("song.m4a", tone(6), folder)
          const address = yield* servePlayer(folder)
          const context = yield* launchBrowser(chromium.path)
          const inPage = (script: string) =>
            Effect.promise(async () => {
              const page = await context.newPage()
              await page.goto(address)
              const result: unknown = await page.evaluate(`(async () => { ${until} ${script} })()`)
              const shot = process.env["ARMORICORE_SCREENSHOTS"]
              if (shot !== undefined) await page.screenshot({ path: `${shot}/player-${Date.now()}.png` })
              await page.close()
              return result
            })

          const preview = `
            const track = document.createElement("track")
            track.kind = "metadata"; track.src = "film/storyboard.vtt"
            video.append(track); track.track.mode = "hidden"
            await until(() => track.track.cues?.length > 0, "cues")
            const cue = [...track.track.cues].find((one) => one.startTime <= 9.2 && one.endTime > 9.2)
            const [, sprite, box] = /^(.*)#xywh=(.*)$/.exec(cue.text)
            const [x, y, w, h] = box.split(",").map(Number)
            const image = new Image(); image.src = "film/" + sprite; await image.decode()
            const canvas = document.querySelector("#preview"); canvas.width = w; canvas.height = h
            const pen = canvas.getContext("2d")
            const look = (from, ...where) => { pen.drawImage(from, ...where, 0, 0, w, h); return pen.getImageData(0, 0, w, h).data }
            const small = look(image, x, y, w, h)
            video.currentTime = cue.startTime + 0.01
            await until(() => !video.seeking && video.readyState >= 2, "at the cue")
            const large = look(video, 0, 0, video.videoWidth, video.videoHeight)
            played.unlike = small.reduce((sum, one, at) => sum + Math.abs(one - large[at]), 0) / small.length
            look(image, x, y, w, h)
          `
          const hls = yield* inPage(`
            const hls = new Hls({ startLevel: 0, capLevelToPlayerSize: false }); const faults = []
            hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal || data.details === "bufferStalledError") faults.push(data.details) })
            hls.loadSource("film/master.m3u8"); hls.attachMedia(video)
            await until(() => hls.levels.length > 0, "levels"); hls.currentLevel = 0; video.play()
            describe = () => [hls.levels.map(({ height }) => height), hls.currentLevel, hls.nextLevel, hls.loadLevel, faults]
            const change = () => { hls.nextLevel = hls.levels.length - 1 }
            ${common} ${preview}
            return { ...played, faults, levels: hls.levels.length }`)
          assert.deepInclude(hls, { before: 144, after: 270, stalls: 0, gaps: [], faults: [], levels: 2, sought: 9.2 })
          assert.isBelow(Number(Object(hls).unlike), 12)

          const dash = yield* inPage(`
            const player = dashjs.MediaPlayer().create(); const faults = []
            player.on("error", (event) => faults.push(event.error.message))
            player.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: false }, initialBitrate: { video: 50 } }, buffer: { fastSwitchEnabled: false, bufferTimeDefault: 4, bufferTimeAtTopQuality: 4, bufferTimeAtTopQualityLongForm: 4 } } })
            player.initialize(video, "film/manifest.mpd", true)
            await until(() => video.videoHeight > 0, "a picture")
            const qualities = player.getRepresentationsByType("video")
            const now = qualities.find(({ height }) => height === video.videoHeight)
            const other = qualities.find(({ height }) => height !== video.videoHeight)
            const change = () => player.setRepresentationForTypeById("video", other.id)
            ${common}
            const thumbnail = await new Promise((resolve) => player.provideThumbnail(9.2, resolve))
            const image = new Image(); image.src = thumbnail.url; await image.decode()
            played.inside = thumbnail.x + thumbnail.width <= image.width && thumbnail.y + thumbnail.height <= image.height
            return { ...played, faults, qualities: qualities.length }`)
          assert.deepInclude(dash, { stalls: 0, gaps: [], faults: [], qualities: 2, sought: 9.2, inside: true })

          for (const script of [
            `const hls = new Hls(); hls.loadSource("song/master.m3u8"); hls.attachMedia(video); video.play()`,
            `const player = dashjs.MediaPlayer().create(); player.initialize(video, "song/manifest.mpd", true)`,
          ]) {
            const song = yield* inPage(`${script}
              await until(() => video.currentTime > 1, "sound")
              return { duration: Math.round(video.duration), error: video.error?.message ?? null, height: video.videoHeight }`)
            assert.deepStrictEqual(song, { duration: 6, error: null, height: 0 })
          }
        }).pipe(Effect.scoped),
      180_000,
    )
  })
})
