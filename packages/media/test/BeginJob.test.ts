/** What a film must be to be made in chunks: every part of it is to be found without reading what lies before. */
import { Transcode } from "@armoricore/media/Transcode"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, FileSystem, Path } from "effect"
import { ffmpeg, picture } from "./support/Clips.ts"
import { missing, pipeline, store, uploaded } from "./support/Pipeline.ts"

const cues = Buffer.from([0x1c, 0x53, 0xbb, 0x6b])

describe.skipIf(missing)("BeginJob", () => {
  layer(pipeline({ chunks: { from: 10, seconds: 8 }, shortWork: 1 }), { excludeTestServices: true })((it) => {
    it.effect("reads no film again and again from its beginning for want of an index", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const path = yield* Path.Path
        const { transcode } = yield* Transcode
        const folder = yield* fs.makeTempDirectoryScoped()
        const file = path.join(folder, "film.mkv")
        const become = Effect.fnUntraced(function* (name: string, bytes: Uint8Array) {
          const event = uploaded(name, yield* store(`uploads/${name}.mkv`, bytes))
          return (yield* transcode(event, { token: 1, lane: "short" }))._tag
        })
        // Over a megabyte a second.
        const film = [...picture({ size: "256x144", rate: "25", seconds: 60 }), "-c:v", "rawvideo"]
        yield* ffmpeg([...film, file])
        const whole = Buffer.from(yield* fs.readFile(file))
        assert.strictEqual(yield* become("indexed", whole), "Chunked")
        assert.strictEqual(yield* become("cut-off", whole.subarray(0, whole.lastIndexOf(cues))), "Long")
        yield* ffmpeg([...film, "-live", "1", file])
        assert.strictEqual(yield* become("live", yield* fs.readFile(file)), "Long")
      }),
    )
  })
})
