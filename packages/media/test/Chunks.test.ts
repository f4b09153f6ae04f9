/** Films that are made in parts by many workers: what comes out is what one run would have made. */
import { Transcode } from "@armoricore/media/Transcode"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, FileSystem, Path } from "effect"
import { ffmpeg, h264, picture, tone } from "./support/Clips.ts"
import { fetchAll, missing, pipeline, prefixOf, store, uploaded } from "./support/Pipeline.ts"
import { check } from "./support/StreamChecker.ts"

/** Sends a source through in one run, and in parts by hand. */
const chunkedOf = Effect.fnUntraced(function* (name: string, args: ReadonlyArray<string>, extension = "mp4") {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped()
  const source = path.join(folder, `source.${extension}`)
  yield* ffmpeg([...args, source])
  const media = yield* Transcode
  const event = uploaded(name, yield* store(`uploads/${name}.${extension}`, source))
  const begun = yield* media.transcode(event, { token: 1 })
  if (begun._tag !== "Chunked") return yield* Effect.die(new Error(begun._tag))
  const percents: Array<number> = []
  const last: Array<string> = []
  for (const part of [...begun.parts].reverse()) {
    const outcome = yield* media.part({
      mediaId: name,
      version: begun.version,
      part,
      token: 7,
      onProgress: (percent) => Effect.sync(() => void percents.push(percent)),
      announce: () => Effect.void,
    })
    if (outcome._tag === "Done" && outcome.isLast) last.push(part)
  }
  const outcome = yield* media.join({ mediaId: name, version: begun.version })
  if (outcome._tag !== "Ready") return yield* Effect.die(new Error(outcome._tag))
  const stream = path.join(folder, "stream")
  yield* fetchAll(prefixOf(outcome.ready), stream)
  const report = yield* check(stream)
  assert.deepStrictEqual(report.faults, [])
  return { parts: begun.parts, ready: outcome.ready, report, stream, percents, last }
})

describe.skipIf(missing)("Chunks", () => {
  layer(pipeline({ chunks: { from: 10, seconds: 8 } }), { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    it.effect("makes a stream of parts that passes the checker", () =>
      Effect.gen(function* () {
        const { last, parts, percents, ready, report } = yield* chunkedOf("film", [
          ...picture({ size: "160x90", rate: "30000/1001", seconds: 33 }),
          ...tone(33),
          ...h264,
          "-g",
          "75",
          "-c:a",
          "aac",
        ])
        assert.deepStrictEqual(parts, ["0", "sound", "1", "2", "3"])
        assert.deepStrictEqual(last, ["0"])
        assert.closeTo(ready.duration, 33, 0.05)
        assert.strictEqual(ready.thumbnail_urls.length, 5)
        assert.isDefined(ready.storyboard_url)
        assert.isDefined(ready.poster_url)
        assert.isTrue(report.hasAudioGroup)
        assert.deepStrictEqual(percents, [...percents].sort((a, b) => a - b))
        assert.closeTo(percents.at(-1) ?? 0, 94, 0.1)
      }),
    )
  })
})
