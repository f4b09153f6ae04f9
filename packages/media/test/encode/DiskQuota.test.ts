import "../support/NpmProgramsFirst.ts"
import * as SegmentDownloader from "@armoricore/media/packaging/SegmentDownloader"
import * as Mp4Files from "@armoricore/media/packaging/Mp4Files"
import * as DiskQuota from "@armoricore/media/encode/DiskQuota"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import { waitForProcesses } from "@armoricore/testing/Processes"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, FileSystem, Path } from "effect"
import { ffmpeg, h264, testVideo } from "../support/Clips.ts"
import { isFfmpegMissing, ScratchParent, pipeline, storeUpload, uploaded } from "../support/Pipeline.ts"

describe("DiskQuota", () => {
  it.live("fails if the output is too large or the free space too small", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const folder = yield* fs.makeTempDirectoryScoped()
      yield* fs.makeDirectory(path.join(folder, "720p"))
      yield* fs.writeFile(path.join(folder, "720p", "00000.m4s"), new Uint8Array(1000))
      const enforce = (maxBytes: number, minFreeBytes: number) =>
        Effect.flip(DiskQuota.enforce({ folder, maxBytes, minFreeBytes })).pipe(
          // regression: the person who uploaded the file got the byte counts of the server's disk
          Effect.tap(({ message }) => Effect.sync(() => assert.notMatch(message, /[0-9]|[/]/))),
          Effect.map(({ code }) => code),
          Effect.timeoutOrElse({ duration: Duration.millis(300), orElse: () => Effect.succeed("nothing") }),
        )
      assert.strictEqual(yield* enforce(999, 0), "quota")
      assert.strictEqual(yield* enforce(1000, Number.MAX_SAFE_INTEGER), "full")
      assert.strictEqual(yield* enforce(1000, 0), "nothing")
    }).pipe(Effect.provide(NodeServices.layer), Effect.scoped),
  )

  it.live.skipIf(isFfmpegMissing)("neither files for download nor their downloaded segments fill the disk", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const from = yield* fs.makeTempDirectoryScoped()
      const track = { codec: "avc1.64001F", timescale: 1, sampleDuration: 1 }
      const petabyte = { name: "00000.m4s", seconds: 4, bytes: 1e15 }
      const uploadedTracks = [{ folder: "720p", track, init: "init.mp4", segments: [petabyte] }]
      const renditions = ["720p"]
      const nowhere = { bucket: "media", prefix: "nowhere/", to: from }
      const fromDisk = Mp4Files.make({
        from,
        uploadedTracks,
        renditions,
        timeout: Duration.seconds(9),
        minFreeDisk: 0,
      })
      const fromStorage = SegmentDownloader.download({ ...nowhere, uploadedTracks, renditions, minFreeDisk: 0 })
      for (const error of [yield* Effect.flip(fromDisk), yield* Effect.flip(fromStorage)]) {
        assert.deepInclude(error, { _tag: "TransientError", dependency: "disk", code: "full" })
        assert.notMatch(error.message, /[0-9]|[/]/)
      }
      assert.deepStrictEqual(yield* fs.readDirectory(from), [])
      // The disk is full while the effect runs.
      const error = yield* Effect.flip(DiskQuota.withMinFree(from, Number.MAX_SAFE_INTEGER)(Effect.never))
      assert.strictEqual(error.code, "full")
    }).pipe(Effect.provide(pipeline()), Effect.scoped),
  )

  it.live.skipIf(isFfmpegMissing)("an output over its limit ends ffmpeg and leaves no files", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const parent = yield* ScratchParent
      const { processUpload } = yield* UploadPipeline
      const file = yield* fs.makeTempFileScoped({ suffix: ".mp4" })
      yield* ffmpeg([...testVideo({ size: "640x360", seconds: 60 }), ...h264, file])
      const upload = uploaded("large", yield* storeUpload("large.mp4", file))
      const error = yield* Effect.flip(processUpload(upload, { fencingToken: 1 }))
      assert.deepStrictEqual([error._tag, "code" in error ? error.code : ""], ["TransientError", "quota"])
      yield* waitForProcesses(parent, "ffmpeg", (count) => count === 0)
      for (const scratchDir of yield* fs.readDirectory(parent)) {
        assert.deepStrictEqual(yield* fs.readDirectory(path.join(parent, scratchDir)), [])
      }
    }).pipe(Effect.provide(pipeline({ maxOutputBytes: 10_000, mp4: "all" })), Effect.scoped),
  )
})
