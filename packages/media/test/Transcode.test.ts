/** Uploads through the whole pipeline, with a real ffmpeg; what comes out is checked as a strict player would. */
import { Transcode } from "@armoricore/media/Transcode"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, FileSystem, Path } from "effect"
import { ffmpeg, h264, picture, silence, tone } from "./support/Clips.ts"
import { fetchAll, missing, pipeline, store, uploaded } from "./support/Pipeline.ts"
import { check } from "./support/StreamChecker.ts"

const prefixOf = (url: string): string => url.slice("http://cdn.invalid/media/".length, -"master.m3u8".length)

/** Makes a source, sends it through and checks the stream. */
const send = Effect.fnUntraced(function* (name: string, args: ReadonlyArray<string>, extension = "mp4") {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped()
  const source = path.join(folder, `source.${extension}`)
  yield* ffmpeg([...args, source])
  const filePath = yield* store(`uploads/${name}.${extension}`, source)
  const { transcode } = yield* Transcode
  const outcome = yield* transcode(uploaded(name, filePath), { token: 1 })
  if (outcome._tag !== "Ready") return yield* Effect.die(new Error("superseded"))
  const stream = path.join(folder, "stream")
  yield* fetchAll(prefixOf(outcome.ready.playback_urls.hls), stream)
  const report = yield* check(stream)
  assert.deepStrictEqual(report.faults, [])
  return { ready: outcome.ready, report, stream }
})

const sizes = (report: { readonly variants: ReadonlyArray<{ readonly width: number; readonly height: number }> }) =>
  report.variants.map(({ width, height }) => `${width}x${height}`)

describe.skipIf(missing)("Transcode", () => {
  layer(pipeline(), { excludeTestServices: true })((it) => {
    it.effect("makes every rung of a landscape recording with sound", () =>
      Effect.gen(function* () {
        const { ready, report } = yield* send("landscape", [
          ...picture({ size: "854x480", seconds: 7 }),
          ...tone(7),
          ...h264,
          ...["-c:a", "aac"],
        ])
        assert.deepStrictEqual(ready.resolutions, ["480p", "360p"])
        assert.deepStrictEqual(sizes(report), ["854x480", "640x360"])
        assert.isTrue(report.hasAudioGroup)
        assert.closeTo(ready.duration, 7, 0.1)
        assert.strictEqual(ready.thumbnail_urls.length, 5)
      }),
    )
  })
})
