/** In Chromium, a chunked stream plays across chunk boundaries without a stall or gap. */
import "../support/NpmProgramsFirst.ts"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, FileSystem, Path } from "effect"
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts"
import { fetchAll, isFfmpegMissing, pipeline, prefixOf, storeUpload, uploaded } from "../support/Pipeline.ts"
import { launchBrowser, servePlayer } from "../support/Player.ts"

const chromium = Programs.requireProgram("chromium")

/** Runs in the page: plays across the boundary of the first chunk. */
const across = `
const until = (is, what) => new Promise((resolve, reject) => {
  const began = Date.now()
  const look = () => is() ? resolve() : Date.now() - began > 40000 ? reject(new Error("not " + what + " at " + video.currentTime)) : setTimeout(look, 20)
  look()
})
video.muted = true
await until(() => video.readyState >= 2, "loaded")
video.currentTime = 6.5
await until(() => !video.seeking && video.readyState >= 4, "sought")
let stalls = 0
video.addEventListener("waiting", () => { stalls++ })
await video.play()
await until(() => video.currentTime > 9, "across")
const gaps = Array.from({ length: Math.max(0, video.buffered.length - 1) }, (_, at) => video.buffered.start(at + 1) - video.buffered.end(at))
return { stalls, gaps, duration: Math.round(video.duration), error: video.error?.message ?? null }`

describe.skipIf(isFfmpegMissing || chromium.missing)("Chunk playback", () => {
  layer(pipeline({ chunks: { minDuration: 10, chunkSeconds: 8 } }), {
    excludeTestServices: true,
    timeout: "60 seconds",
  })((it) => {
    it.effect(
      "hls.js and dash.js play across a chunk boundary",
      () =>
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          const path = yield* Path.Path
          const media = yield* UploadPipeline
          const folder = yield* fs.makeTempDirectoryScoped()
          const source = path.join(folder, "film.mp4")
          const clip = testVideo({ size: "160x90", rate: "30000/1001", seconds: 14 })
          yield* ffmpeg([...clip, ...tone(14), ...h264, "-c:a", "aac", source])
          const begun = yield* media.processUpload(uploaded("film", yield* storeUpload("uploads/film.mp4", source)), {
            fencingToken: 1,
          })
          if (begun._tag !== "Chunked") return yield* Effect.die(new Error(begun._tag))
          const { version } = begun
          const quiet = { onProgress: () => Effect.void, publishPlayable: () => Effect.void }
          for (const chunk of begun.chunks)
            yield* media.encodeChunk({ mediaId: "film", version, chunk, fencingToken: 1, ...quiet })
          const outcome = yield* media.concatChunks({ mediaId: "film", version })
          if (outcome._tag !== "Ready") return yield* Effect.die(new Error(outcome._tag))
          yield* fetchAll(prefixOf(outcome.ready), path.join(folder, "film"))
          const address = yield* servePlayer(folder)
          const context = yield* launchBrowser(chromium.path)
          for (const player of [
            `const hls = new Hls(); hls.loadSource("film/master.m3u8"); hls.attachMedia(video)`,
            `const player = dashjs.MediaPlayer().create(); player.initialize(video, "film/manifest.mpd", false)`,
          ]) {
            const played = yield* Effect.promise(async () => {
              const page = await context.newPage()
              await page.goto(address)
              const script = `(async () => { const video = document.querySelector("#video"); ${player}; ${across} })()`
              const result: unknown = await page.evaluate(script)
              await page.close()
              return result
            })
            assert.deepStrictEqual(played, { stalls: 0, gaps: [], duration: 14, error: null })
          }
        }).pipe(Effect.scoped),
      180_000,
    )
  })
})
