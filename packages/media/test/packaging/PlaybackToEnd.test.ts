/** hls.js (three series), dash.js and shaka-player in Chromium play difficult sources to their very end: `ended` fires, without a media error. */
import "../support/NpmProgramsFirst.ts"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { requiredEncoders } from "@armoricore/media/encode/codecs/Codecs"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import * as Programs from "@armoricore/testing/Programs"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, FileSystem, Layer, Path } from "effect"
import { ffmpeg, h264, hdrVideo, testVideo, tone } from "../support/Clips.ts"
import { fetchAll, isFfmpegMissing, pipeline, prefixOf, storeUpload, uploaded } from "../support/Pipeline.ts"
import { playToEnd, withDash, withHls, withShaka } from "../support/PlayToEnd.ts"
import { launchBrowser, olderHls, servePlayer } from "../support/Player.ts"

const anyStorage = Layer.effect(ObjectStorage, ObjectStorage)
const allEncoders = FfmpegPrograms.layer({ encoders: requiredEncoders(["h264", "hevc", "av1"]) }).pipe(
  Layer.provide(NodeServices.layer),
  Layer.orDie,
)
/** As docs/media.md describes it: of the tracks that the browser decodes, those that are not H.264 are in HDR. */
const hdrOfDash = `player.setCustomInitialTrackSelectionFunction((tracks) =>
  tracks.filter(({ codec, type }) => type !== "video" || !codec.includes("avc1")).slice(-1))`
const hdrTransfers = { HDR10: "smpte2084", HLG: "arib-std-b67" } as const

const chromium = Programs.requireProgram("chromium")
const words = (text: string) => text.split(" ")
const video = (seconds: number, rate = "25") => testVideo({ size: "96x64", rate, seconds })
const aac = words("-c:a aac")

/** The number of sources to play, hardest first. `MEDIA_PLAYBACK_SOURCES=11` plays all. */
const count = Number(process.env["MEDIA_PLAYBACK_SOURCES"] ?? 5)

/** The upload's name, its length, and ffmpeg's arguments; with `copies` the file is joined with itself. */
const allSources: ReadonlyArray<{
  readonly file: string
  readonly seconds: number
  readonly args: ReadonlyArray<string>
  readonly copies?: number
}> = [
  { file: "joined.ts", seconds: 6, args: [...video(3), ...tone(3), ...h264, ...aac], copies: 2 },
  { file: "long-audio.mp4", seconds: 6, args: [...video(2), ...tone(6), ...h264, ...aac] },
  { file: "still.mp4", seconds: 6, args: [...video(0.04), ...tone(6), ...h264, ...aac] },
  {
    file: "bursts.mkv",
    seconds: 6,
    args: [
      ...video(6, "60"),
      ...tone(6),
      ...words("-vf select=lt(mod(t\\,2)\\,0.4)+eq(n\\,359) -fps_mode vfr"),
      ...h264,
      ...aac,
    ],
  },
  // regression: hls.js did not end, because the sound was longer than the picture.
  { file: "frame.mp4", seconds: 0.2, args: [...video(0.04), ...tone(0.04), ...h264, ...aac] },
  { file: "long-video.mp4", seconds: 6, args: [...video(6), ...tone(2), ...h264, ...aac] },
  { file: "film-24.mkv", seconds: 6, args: [...video(6, "24000/1001"), ...tone(6), ...h264, ...aac] },
  { file: "late.mkv", seconds: 6, args: ["-itsoffset", "1", ...video(5), ...tone(6), ...h264, ...aac] },
  { file: "odd-length.mp4", seconds: 5.3, args: [...video(5.32), ...tone(5.1), ...h264, ...aac] },
  {
    file: "two-tracks.mkv",
    seconds: 5,
    args: [...video(5), ...tone(5), ...tone(3), ...words("-map 0 -map 1 -map 2"), ...h264, ...aac],
  },
  { file: "song.m4a", seconds: 5, args: [...tone(5), ...words("-c:a aac -b:a 96k -ac 2")] },
]

const sources = allSources.slice(0, count)
/** How many of them the older series of hls.js play too. */
const olderPlayerSources = Math.floor(count / 2)

describe.skipIf(isFfmpegMissing || chromium.missing)("Playback to the end", () => {
  layer(pipeline({ ladder: [{ shortSide: 64, kilobits: 300 }], thumbnails: 1 }), {
    excludeTestServices: true,
    timeout: "60 seconds",
  })((it) => {
    it.effect(
      "ends without a media error in hls.js, dash.js and shaka-player",
      () =>
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          const path = yield* Path.Path
          const folder = yield* fs.makeTempDirectoryScoped()
          const { processUpload } = yield* UploadPipeline
          for (const { args, copies = 1, file } of sources) {
            const local = path.join(folder, file)
            yield* ffmpeg([...args, local])
            const bytes = yield* fs.readFile(local)
            const upload = yield* storeUpload(
              `uploads/${file}`,
              Buffer.concat(Array.from({ length: copies }, () => bytes)),
            )
            const outcome = yield* processUpload(uploaded(path.parse(file).name, upload), { fencingToken: 1 })
            if (outcome._tag !== "Ready") return yield* Effect.die(new Error("superseded"))
            yield* fetchAll(prefixOf(outcome.ready), path.join(folder, path.parse(file).name))
          }
          const address = yield* servePlayer(folder)
          const context = yield* launchBrowser(chromium.path)
          const inPage = (query: string, script: string) =>
            Effect.promise(async (): Promise<unknown> => {
              const page = await context.newPage()
              await page.goto(`${address}/${query}`)
              const result: unknown = await page.evaluate(`(async () => { ${playToEnd} ${script} })()`)
              await page.close()
              return result
            })
          const runs = sources.flatMap(({ file, seconds }, position) => {
            const name = path.parse(file).name
            const older = position < olderPlayerSources ? Object.keys(olderHls) : []
            return [
              { file, seconds, player: "hls.js", query: "", script: withHls(`${name}/master.m3u8`) },
              { file, seconds, player: "dash.js", query: "", script: withDash(`${name}/manifest.mpd`) },
              // Both kinds of manifest, in turn.
              {
                file,
                seconds,
                player: "shaka-player",
                query: "",
                script: withShaka(`${name}/${position % 2 === 0 ? "manifest.mpd" : "master.m3u8"}`),
              },
              ...older.map((version) => ({
                file,
                seconds,
                player: `hls.js ${version}`,
                query: `?hls=${version}`,
                script: withHls(`${name}/master.m3u8`),
              })),
            ]
          })
          const results = yield* Effect.forEach(
            runs,
            ({ query, script, ...run }) => Effect.map(inPage(query, script), (result) => ({ ...run, result })),
            { concurrency: 4 },
          )
          for (const { file, player, result, seconds } of results) {
            const run = `${file} in ${player}: ${JSON.stringify(result)}`
            assert.deepInclude(result, { ended: true, faults: [] }, run)
            assert.closeTo(Number(Object(result).at), seconds, 0.25, run)
          }
        }).pipe(Effect.scoped),
      240_000,
    )
  })

  layer(
    pipeline(
      { ladder: [{ shortSide: 72, kilobits: 300 }], thumbnails: 1, storyboard: false, codecs: ["h264", "hevc", "av1"] },
      anyStorage,
      allEncoders,
    ),
    { excludeTestServices: true, timeout: "60 seconds" },
  )((it) => {
    it.effect(
      "players take SDR of an HDR10 or HLG video on a display without HDR, and HDR where the page asks for it",
      () =>
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          const path = yield* Path.Path
          const folder = yield* fs.makeTempDirectoryScoped()
          const { processUpload } = yield* UploadPipeline
          for (const [name, transfer] of Object.entries(hdrTransfers)) {
            const local = path.join(folder, `${name}.mp4`)
            yield* ffmpeg([
              ...testVideo({ size: "128x72", rate: "25", seconds: 2 }),
              ...tone(2),
              ...hdrVideo(transfer),
              ...aac,
              local,
            ])
            const outcome = yield* processUpload(uploaded(name, yield* storeUpload(`uploads/${name}.mp4`, local)), {
              fencingToken: 1,
            })
            if (outcome._tag !== "Ready") return yield* Effect.die(new Error("superseded"))
            yield* fetchAll(prefixOf(outcome.ready), path.join(folder, name))
          }
          const address = yield* servePlayer(folder)
          const context = yield* launchBrowser(chromium.path)
          const runs = Object.keys(hdrTransfers).flatMap((name) => {
            const [hls, dash] = [`${name}/master.m3u8`, `${name}/manifest.mpd`]
            const hdrOfShaka = { preferredVideoHdrLevel: name === "HLG" ? "HLG" : "PQ" }
            return [
              { player: "hls.js", script: withHls(hls), plays: "avc1" },
              { player: "dash.js", script: withDash(dash), plays: "avc1" },
              { player: "shaka-player with HLS", script: withShaka(hls), plays: "avc1" },
              { player: "shaka-player with DASH", script: withShaka(dash), plays: "avc1" },
              { player: "hls.js", script: withHls(hls, { videoPreference: { preferHDR: true } }), plays: "av01" },
              { player: "dash.js", script: withDash(dash, hdrOfDash), plays: "av01" },
              { player: "shaka-player with HLS", script: withShaka(hls, hdrOfShaka), plays: "av01" },
              { player: "shaka-player with DASH", script: withShaka(dash, hdrOfShaka), plays: "av01" },
            ].map((run) => ({ name, ...run }))
          })
          const results = yield* Effect.forEach(
            runs,
            ({ script, ...run }) =>
              Effect.promise(async () => {
                const page = await context.newPage()
                await page.goto(address)
                const result: unknown = await page.evaluate(`(async () => { ${playToEnd} ${script} })()`)
                await page.close()
                return { ...run, result }
              }),
            { concurrency: 4 },
          )
          for (const { name, player, plays, result } of results) {
            const run = `${name} in ${player}, which plays ${plays}: ${JSON.stringify(result)}`
            assert.deepInclude(result, { ended: true, faults: [] }, run)
            assert.closeTo(Number(Object(result).at), 2, 0.25, run)
            const codecs: ReadonlyArray<string> = Object(result).codecs
            assert.deepStrictEqual([...new Set(codecs.map((codec) => codec.slice(0, 4)))], [plays], run)
          }
        }).pipe(Effect.scoped),
      240_000,
    )
  })
})
