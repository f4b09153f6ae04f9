/** In Chromium a stream is watched while it is still being made, from its announcement to its end. */
import { mkdirSync, renameSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { Transcode } from "@armoricore/media/Transcode"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, FileSystem, Layer } from "effect"
import { ffmpeg, h264, picture, tone } from "./support/Clips.ts"
import { missing, pipeline, prefixOf, programs, store, uploaded } from "./support/Pipeline.ts"
import { browser, serve } from "./support/Player.ts"
import { slowly } from "./support/SlowFfmpeg.ts"

const chromium = Programs.need("chromium")
const seconds = 20

/** What is put can be fetched from a folder at once, as from a bucket. */
const mirrored = (folder: string) =>
  Layer.effect(
    ObjectStorage,
    Effect.map(ObjectStorage, (own) =>
      ObjectStorage.of({
        ...own,
        put: (ref, body, options) =>
          Effect.tap(own.put(ref, body, options), () =>
            Effect.sync(() => {
              if (!(body instanceof Uint8Array)) return
              const file = join(folder, ref.key)
              mkdirSync(dirname(file), { recursive: true })
              writeFileSync(`${file}.new`, body)
              renameSync(`${file}.new`, file)
            }),
          ),
      }),
    ),
  )

const begin = (master: string) => `
const hls = new Hls()
window.seen = { faults: [], live: [] }
hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) seen.faults.push(data.details) })
hls.on(Hls.Events.LEVEL_LOADED, (_, { details }) => { if (seen.live.at(-1) !== details.live) seen.live.push(details.live) })
const video = document.querySelector("#video")
hls.loadSource("${master}"); hls.attachMedia(video); video.play()
`
const until = (is: string) =>
  `new Promise((resolve, reject) => { const video = document.querySelector("#video"); const began = Date.now(); const look = () => ${is} ? resolve(video.currentTime) : Date.now() - began > 80000 ? reject(new Error("at " + video.currentTime + " of " + video.duration + JSON.stringify(seen))) : setTimeout(look, 20); look() })`

describe.skipIf(missing || chromium.missing)("GrowingPlayer", () => {
  layer(programs, { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    it.effect(
      "hls.js plays from the beginning while encoding goes on, and to the end of the finished stream",
      () =>
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          const folder = yield* fs.makeTempDirectoryScoped()
          const ladder = [{ side: 72, kilobits: 200 }] as const
          yield* Effect.gen(function* () {
            const { transcode } = yield* Transcode
            const file = join(folder, "source.mp4")
            yield* ffmpeg([...picture({ size: "128x72", rate: "25", seconds }), ...tone(seconds), ...h264, file])
            const path = yield* store("uploads/growing.mp4", file)
            const address = yield* serve(folder)
            const context = yield* browser(chromium.path)
            const page = yield* Effect.promise(() => context.newPage())
            yield* Effect.promise(() => page.goto(address))

            const told = yield* Deferred.make<string>()
            const making = yield* Effect.forkChild(
              transcode(uploaded("growing", path), { token: 1 }, undefined, ({ payload }) =>
                Effect.asVoid(Deferred.succeed(told, prefixOf(payload))),
              ),
            )
            const prefix = yield* Deferred.await(told)
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
          }).pipe(Effect.provide(pipeline({ ladder, copy: false }, mirrored(folder), slowly(1.5))))
        }).pipe(Effect.scoped),
      180_000,
    )
  })
})
