/** Only files with an index are encoded in chunks: ffmpeg must find each chunk without reading the file before it. */
import "../support/NpmProgramsFirst.ts"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, FileSystem, Path } from "effect"
import { ffmpeg, testVideo } from "../support/Clips.ts"
import { isFfmpegMissing, pipeline, storeUpload, uploaded } from "../support/Pipeline.ts"

const cues = Buffer.from([0x1c, 0x53, 0xbb, 0x6b])

describe.skipIf(isFfmpegMissing)("ChunkPlanner", () => {
  layer(pipeline({ chunks: { minDuration: 10, chunkSeconds: 8 }, shortWorkLimit: 1 }), { excludeTestServices: true })(
    (it) => {
      it.effect("chunks a file with an index, and no file without one", () =>
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          const path = yield* Path.Path
          const { processUpload } = yield* UploadPipeline
          const folder = yield* fs.makeTempDirectoryScoped()
          const file = path.join(folder, "film.mkv")
          const outcomeOf = Effect.fnUntraced(function* (name: string, bytes: Uint8Array) {
            const event = uploaded(name, yield* storeUpload(`uploads/${name}.mkv`, bytes))
            return (yield* processUpload(event, { fencingToken: 1, workClass: "short" }))._tag
          })
          // More than a megabyte per second.
          const args = [...testVideo({ size: "256x144", rate: "25", seconds: 60 }), "-c:v", "rawvideo"]
          yield* ffmpeg([...args, file])
          const whole = Buffer.from(yield* fs.readFile(file))
          assert.strictEqual(yield* outcomeOf("indexed", whole), "Chunked")
          assert.strictEqual(yield* outcomeOf("cut-off", whole.subarray(0, whole.lastIndexOf(cues))), "Long")
          yield* ffmpeg([...args, "-live", "1", file])
          assert.strictEqual(yield* outcomeOf("live", yield* fs.readFile(file)), "Long")
        }),
      )
    },
  )
})
