/** In Chromium a stream is watched while it is still being made, from its announcement to its end. */
import "../support/NpmProgramsFirst.ts"
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type { PublishPlayable } from "@armoricore/media/pipeline/PlayableEvent"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, FileSystem, Layer } from "effect"
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts"
import { isFfmpegMissing, pipeline, prefixOf, programs, storeUpload, uploaded } from "../support/Pipeline.ts"
import { launchBrowser, servePlayer } from "../support/Player.ts"
import { layerThrottled } from "../support/ThrottledFfmpeg.ts"

const chromium = Programs.requireProgram("chromium")
const seconds = 20

/** Writes each stored object to a folder too, which a web server serves like a bucket. */
const mirrored = (folder: string) =>
  Layer.effect(
    ObjectStorage,
    Effect.map(ObjectStorage, (own) => {
      const write = (key: string, body: Uint8Array) =>
        Effect.sync(() => {
          const file = join(folder, key)
          mkdirSync(dirname(file), { recursive: true })
          writeFileSync(`${file}.new`, body)
          renameSync(`${file}.new`, file)
        })
      return ObjectStorage.of({
        ...own,
        put: (ref, body, how) =>
          Effect.tap(own.put(ref, body, how), () => (body instanceof Uint8Array ? write(ref.key, body) : Effect.void)),
        copy: (from, to) =>
          Effect.tap(own.copy(from, to), () =>
            Effect.suspend(() => write(to.key, readFileSync(join(folder, from.key)))),
          ),
      })
    }),
  )

const begin = (master: string, speed = 1) => `
const hls = new Hls()
window.seen = { faults: [], live: [] }
hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) seen.faults.push(data.details) })
hls.on(Hls.Events.LEVEL_LOADED, (_, { details }) => { if (seen.live.at(-1) !== details.live) seen.live.push(details.live) })
const video = document.querySelector("#video")
hls.loadSource("${master}"); hls.attachMedia(video); video.playbackRate = ${speed}; video.play()
`
const until = (is: string) =>
  `new Promise((resolve, reject) => { const video = document.querySelector("#video"); const began = Date.now(); const look = () => ${is} ? resolve(video.currentTime) : Date.now() - began > 80000 ? reject(new Error("at " + video.currentTime + " of " + video.duration + JSON.stringify(seen))) : setTimeout(look, 20); look() })`

/** A film is stored, and a page is open beside it. */
const opened = Effect.fnUntraced(function* (folder: string, name: string) {
  const file = join(folder, "source.mp4")
  yield* ffmpeg([...testVideo({ size: "128x72", rate: "25", seconds }), ...tone(seconds), ...h264, file])
  const path = yield* storeUpload(`uploads/${name}.mp4`, file)
  const address = yield* servePlayer(folder)
  const context = yield* launchBrowser(chromium.path)
  const page = yield* Effect.promise(() => context.newPage())
  yield* Effect.promise(() => page.goto(address))
  return { page, path }
})

describe.skipIf(isFfmpegMissing || chromium.missing)("Playback during the encode", () => {
  layer(programs, { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    it.effect(
      "hls.js plays from the start during the encode and to the end of the complete stream",
      () =>
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          const folder = yield* fs.makeTempDirectoryScoped()
          const ladder = [{ shortSide: 72, kilobits: 200 }] as const
          yield* Effect.gen(function* () {
            const { processUpload } = yield* UploadPipeline
            const { page, path } = yield* opened(folder, "growing")

            const reported = yield* Deferred.make<string>()
            const making = yield* Effect.forkChild(
              processUpload(uploaded("growing", path), { fencingToken: 1 }, undefined, ({ payload }) =>
                Effect.asVoid(Deferred.succeed(reported, prefixOf(payload))),
              ),
            )
            const prefix = yield* Deferred.await(reported)
            yield* Effect.promise(() => page.evaluate(begin(`${prefix}master.m3u8`)))
            const at = yield* Effect.promise(() => page.evaluate(until("video.currentTime > 0.5")))
            assert.isBelow(Number(at), 4)
            assert.isUndefined(making.pollUnsafe())

            const outcome = yield* Fiber.join(making)
            assert.strictEqual(outcome._tag, "Ready")
            yield* Effect.promise(() => page.evaluate(until("video.ended")))
            const seen: unknown = yield* Effect.promise(() =>
              page.evaluate(`({ ...seen, duration: Math.round(document.querySelector("#video").duration) })`),
            )
            // It was a live one first, then a finished one.
            assert.deepStrictEqual(seen, { faults: [], live: [true, false], duration: seconds })
          }).pipe(Effect.provide(pipeline({ ladder, passthrough: false }, mirrored(folder), layerThrottled(1.5))))
        }).pipe(Effect.scoped),
      180_000,
    )

    it.effect(
      "hls.js plays a chunked encode during its audio encode and to its end",
      () =>
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          const folder = yield* fs.makeTempDirectoryScoped()
          const ladder = [{ shortSide: 72, kilobits: 200 }] as const
          yield* Effect.gen(function* () {
            const media = yield* UploadPipeline
            const { page, path } = yield* opened(folder, "film")

            const begun = yield* media.processUpload(uploaded("film", path), { fencingToken: 1 })
            if (begun._tag !== "Chunked") return yield* Effect.die(new Error(begun._tag))
            const { version } = begun
            const reported = yield* Deferred.make<string>()
            const publishPlayable: PublishPlayable = ({ payload }) =>
              Effect.asVoid(
                Deferred.succeed(reported, payload.playback_urls.hls.slice("http://cdn.invalid/media/".length)),
              )
            const make = (chunk: string) =>
              media.encodeChunk({
                mediaId: "film",
                version,
                chunk,
                fencingToken: 1,
                onProgress: () => Effect.void,
                publishPlayable,
              })
            yield* make("0")
            const sound = yield* Effect.forkChild(make("audio"))
            const master = yield* Deferred.await(reported)
            assert.isUndefined(sound.pollUnsafe())
            yield* Effect.promise(() => page.evaluate(begin(master, 2)))
            yield* Effect.promise(() => page.evaluate(until("video.currentTime > 0.5")))
            assert.isUndefined(sound.pollUnsafe())
            for (const part of begun.chunks.filter((one) => Number(one) > 0)) yield* make(part)
            yield* Fiber.join(sound)
            const outcome = yield* media.concatChunks({ mediaId: "film", version })
            assert.strictEqual(outcome._tag, "Ready")
            yield* Effect.promise(() => page.evaluate(until("video.ended")))
            const seen: unknown = yield* Effect.promise(() =>
              page.evaluate(`({ ...seen, duration: Math.round(document.querySelector("#video").duration) })`),
            )
            assert.deepStrictEqual(seen, { faults: [], live: [true, false], duration: seconds })
          }).pipe(
            Effect.provide(
              pipeline(
                { ladder, passthrough: false, chunks: { minDuration: 10, chunkSeconds: 8 } },
                mirrored(folder),
                // The film's sound takes as long as watching a good part of it.
                layerThrottled(4),
              ),
            ),
          )
        }).pipe(Effect.scoped),
      180_000,
    )
  })
})
