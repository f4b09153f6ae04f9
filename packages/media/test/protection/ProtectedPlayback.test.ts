/**
 * hls.js, dash.js and shaka-player in Chromium play protected streams to their end, with keys from the routes of the program:
 * whole segments, and ClearKey for samples.
 */
import "../support/NpmProgramsFirst.ts"
import { createServer } from "node:http"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import * as ContentKeys from "@armoricore/media/protection/ContentKeys"
import * as PlaybackProxy from "@armoricore/storage/PlaybackProxy"
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls"
import { PublicUrl } from "@armoricore/storage/PublicUrl"
import * as Programs from "@armoricore/testing/Programs"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, layer } from "@effect/vitest"
import { Duration, Effect, FileSystem, Layer, Path, Redacted } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts"
import { isFfmpegMissing, pipelineWith, storeUpload, uploaded } from "../support/Pipeline.ts"
import { launchBrowser, servePlayer } from "../support/Player.ts"
import { playToEnd, withDash, withHls, withShaka } from "../support/PlayToEnd.ts"

const chromium = Programs.requireProgram("chromium")
const secret = Redacted.make("a secret of the test")
const key = Redacted.make("a key for tests")
const seconds = 6

/** The routes of the program, over the storage and the state of the pipeline. */
const routes = Layer.unwrap(
  Effect.map(ContentKeys.makeReader(secret), (keysOf) => PlaybackProxy.routes({ key, keysOf })),
)
const setPublicUrl = Layer.effectDiscard(
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    const port = "port" in address ? address.port : 0
    yield* (yield* PublicUrl).set(`http://127.0.0.1:${port}`)
  }),
)

const served = (scheme: "aes-128" | "cbcs") =>
  Layer.merge(HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }), setPublicUrl).pipe(
    Layer.provideMerge(
      pipelineWith(Layer.effect(PlaybackUrls, PlaybackUrls), {
        ladder: [{ shortSide: 96, kilobits: 300 }],
        thumbnails: 1,
        storyboard: false,
        protection: { scheme, secret, period: Duration.seconds(4) },
      }),
    ),
    Layer.provideMerge(PlaybackProxy.layerProxy({ key })),
    Layer.provideMerge(PublicUrl.layer),
    Layer.provide(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
    Layer.orDie,
  )

describe.skipIf(isFfmpegMissing || chromium.missing)("Protected playback", () => {
  for (const scheme of ["aes-128", "cbcs"] as const) {
    layer(served(scheme), { excludeTestServices: true, timeout: "60 seconds" })((it) => {
      it.effect(
        `${scheme} plays to the end, with a second key`,
        () =>
          Effect.gen(function* () {
            const fs = yield* FileSystem.FileSystem
            const path = yield* Path.Path
            const folder = yield* fs.makeTempDirectoryScoped()
            const source = path.join(folder, "source.mp4")
            const video = testVideo({ size: "170x96", rate: "25", seconds })
            yield* ffmpeg([...video, ...tone(seconds), ...h264, "-c:a", "aac", source])
            const { processUpload } = yield* UploadPipeline
            const event = uploaded("film", yield* storeUpload("uploads/source.mp4", source))
            const outcome = yield* processUpload(event, { fencingToken: 1 })
            if (outcome._tag !== "Ready") return yield* Effect.die(new Error(outcome._tag))
            const { dash, hls } = outcome.ready.playback_urls
            const keysUrl = new URL("keys", hls).href
            const clearKey = { emeEnabled: true, drmSystems: { "org.w3.clearkey": { licenseUrl: keysUrl } } }
            const scripts = {
              "hls.js": withHls(hls, scheme === "cbcs" ? clearKey : {}),
              ...(typeof dash === "string"
                ? { "dash.js": withDash(dash), "shaka-player with DASH": withShaka(dash) }
                : { "shaka-player with HLS": withShaka(hls) }),
            }
            const address = yield* servePlayer(folder)
            const context = yield* launchBrowser(chromium.path)
            const results = yield* Effect.forEach(
              Object.entries(scripts),
              ([player, script]) =>
                Effect.promise(async () => {
                  const page = await context.newPage()
                  await page.goto(address)
                  const result: unknown = await page.evaluate(`(async () => { ${playToEnd} ${script} })()`)
                  await page.close()
                  return { player, result }
                }),
              { concurrency: 2 },
            )
            const run = JSON.stringify(results)
            for (const { result } of results) {
              assert.deepInclude(result, { ended: true, faults: [] }, run)
              assert.closeTo(Number(Object(result).at), seconds, 0.25, run)
            }
          }).pipe(Effect.scoped),
        240_000,
      )
    })
  }
})
