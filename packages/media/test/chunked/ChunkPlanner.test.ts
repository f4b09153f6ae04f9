/** What a film must be to be made in chunks: every part of it is to be found without reading what lies before. */
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, FileSystem, Path } from "effect"
import { ffmpeg, testVideo } from "../support/Clips.ts"
import { isFfmpegMissing, pipeline, storeUpload, uploaded } from "../support/Pipeline.ts"

const cues = Buffer.from([0x1c, 0x53, 0xbb, 0x6b])

describe.skipIf(isFfmpegMissing)("BeginJob", () => {
  layer(pipeline({ chunks: { minDuration: 10, chunkSeconds: 8 }, shortWorkLimit: 1 }), { excludeTestServices: true })(
    (it) => {
      it.effect("reads no film again and again from its beginning for want of an index", () =>
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          const path = yield* Path.Path
          const { processUpload } = yield* UploadPipeline
          const folder = yield* fs.makeTempDirectoryScoped()
          const file = path.join(folder, "film.mkv")
          const become = Effect.fnUntraced(function* (name: string, bytes: Uint8Array) {
            const event = uploaded(name, yield* storeUpload(`uploads/${name}.mkv`, bytes))
            return (yield* processUpload(event, { fencingToken: 1, workClass: "short" }))._tag
          })
          // Over a megabyte a second.
          const film = [...testVideo({ size: "256x144", rate: "25", seconds: 60 }), "-c:v", "rawvideo"]
          yield* ffmpeg([...film, file])
          const whole = Buffer.from(yield* fs.readFile(file))
          assert.strictEqual(yield* become("indexed", whole), "Chunked")
          assert.strictEqual(yield* become("cut-off", whole.subarray(0, whole.lastIndexOf(cues))), "Long")
          yield* ffmpeg([...film, "-live", "1", file])
          assert.strictEqual(yield* become("live", yield* fs.readFile(file)), "Long")
        }),
      )
    },
  )
})
