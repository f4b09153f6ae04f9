/**
 * Uploads of minutes, with pictures that are cheap to encode, on every ffmpeg of this machine. Faults that grow with the
 * length (memory, silence of the progress) do not show on clips of seconds.
 */
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import type { TranscodeOptions } from "@armoricore/media/pipeline/TranscodeOptions"
import { afterAll, assert, describe, layer } from "@effect/vitest"
import { Duration, Effect, FileSystem, Layer, Path } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ffmpeg, h264 } from "../support/Clips.ts"
import { ffmpegBuilds } from "../support/FfmpegBuilds.ts"
import { withPeakMemory } from "../support/PeakMemory.ts"
import { fetchAll, isFfmpegMissing, pipeline, prefixOf, storeUpload, uploaded } from "../support/Pipeline.ts"
import { cuesOf } from "../support/StoryboardChecker.ts"

const clips = mkdtempSync(join(tmpdir(), "armoricore-long-clips-"))
afterAll(() => rmSync(clips, { recursive: true, force: true }))

interface Clip {
  readonly size: string
  readonly rate: number
  readonly seconds: number
}

/** One picture for the whole length, and a tone. Made once for all builds of ffmpeg, by the first. */
const makeClip = Effect.fnUntraced(function* (name: string, { rate, seconds, size }: Clip) {
  const fs = yield* FileSystem.FileSystem
  const file = join(clips, `${name}.mp4`)
  if (yield* fs.exists(file)) return file
  const inputs = `-f lavfi -i smptebars=s=${size}:r=${rate}:d=${seconds} -f lavfi -i sine=440:d=${seconds}`
  yield* ffmpeg([...inputs.split(" "), ...h264, "-g", String(rate * 2), "-c:a", "aac", file])
  return file
})

const processClip = Effect.fnUntraced(function* (name: string, clip: Clip) {
  const fs = yield* FileSystem.FileSystem
  const { processUpload } = yield* UploadPipeline
  const upload = yield* storeUpload(`uploads/${name}.mp4`, yield* makeClip(name, clip))
  const percents: Array<number> = []
  const { peak, value: outcome } = yield* withPeakMemory(
    processUpload(uploaded(name, upload), { fencingToken: 1 }, (stage, percent) =>
      Effect.sync(() => void (stage === "transcoding" ? percents.push(percent) : 0)),
    ),
  )
  if (outcome._tag !== "Ready") return yield* Effect.die(new Error(outcome._tag))
  const folder = yield* fs.makeTempDirectoryScoped()
  yield* fetchAll(prefixOf(outcome.ready), folder)
  const steps = percents.map((percent, index) => percent - (percents[index - 1] ?? 10))
  return { ready: outcome.ready, peak, folder, largestStep: Math.max(...steps), percents: new Set(percents).size }
})

describe.skipIf(isFfmpegMissing || process.platform !== "linux")("Long clips", () => {
  describe.each(ffmpegBuilds)("with the ffmpeg %s", (_, programs) => {
    const withOptions = (changes: Partial<TranscodeOptions>) => pipeline(changes, undefined, Layer.fresh(programs))

    layer(withOptions({ stallTimeout: Duration.seconds(12) }), { excludeTestServices: true, timeout: 60_000 })((it) => {
      it.effect(
        "3 minutes of 640x360 are ready with all images, and the progress moves all the time",
        () =>
          Effect.gen(function* () {
            const path = yield* Path.Path
            const { folder, largestStep, peak, percents, ready } = yield* processClip("long-360", {
              size: "640x360",
              rate: 6,
              seconds: 180,
            })
            assert.closeTo(ready.duration, 180, 0.07)
            assert.strictEqual(ready.thumbnail_urls.length, 5)
            const cues = yield* cuesOf(folder)
            assert.deepStrictEqual([cues.length, cues.at(-1)?.to], [90, 180])
            const fs = yield* FileSystem.FileSystem
            assert.deepStrictEqual(yield* fs.readDirectory(path.join(folder, "storyboard")), ["000.jpg"])
            assert.isAbove(percents, 5)
            assert.isBelow(largestStep, 40)
            assert.isBelow(peak, 700)
          }).pipe(Effect.scoped),
        120_000,
      )

      it.effect(
        "the memory for 3 minutes of 720p stays below 700 MB",
        () =>
          Effect.gen(function* () {
            // regression: ffmpeg 7 collected the decoded frames of all renditions, here 2 GB
            const { peak, ready } = yield* processClip("long-720", { size: "1280x720", rate: 2, seconds: 180 })
            assert.closeTo(ready.duration, 180, 0.34)
            assert.isBelow(peak, 700)
          }).pipe(Effect.scoped),
        120_000,
      )
    })

    layer(withOptions({ stallTimeout: Duration.seconds(3) }), { excludeTestServices: true, timeout: 60_000 })((it) => {
      it.effect(
        "95 s of 1080p take longer than the stall timeout and are ready",
        () =>
          Effect.gen(function* () {
            // regression: ffmpeg reported no progress before the first sprite was full, and counted as stalled
            const { largestStep, ready } = yield* processClip("long-1080", { size: "1920x1080", rate: 3, seconds: 95 })
            assert.closeTo(ready.duration, 95, 0.34)
            assert.isBelow(largestStep, 40)
          }).pipe(Effect.scoped),
        120_000,
      )
    })
  })
})
