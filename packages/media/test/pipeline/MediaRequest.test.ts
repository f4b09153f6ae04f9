/** The instructions in the metadata of an upload: part, watermark, poster, sound only, files for download, chapters. */
import "../support/NpmProgramsFirst.ts"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, FileSystem, Path, Stream } from "effect"
import { ffmpeg, h264, tone } from "../support/Clips.ts"
import { fetchAll, isFfmpegMissing, pipeline, prefixOf, storeUpload, uploaded } from "../support/Pipeline.ts"
import { ffmpegOutput } from "../support/RunFfmpeg.ts"
import { concatTrack } from "../support/Tracks.ts"

const words = (text: string) => text.split(" ")

/** 3 s in black; frames 30 and 31 are white, and a tone begins with them. */
const flash = [
  ...words("-f lavfi -i color=black:s=128x64:r=25:d=3,drawbox=c=white:t=fill:enable='between(n,30,31)'"),
  ...tone(3),
  ...words("-filter:a volume=enable='lt(t,1.2)':volume=0"),
  ...h264,
  ...words("-g 75 -bf 0 -c:a aac"),
]

describe.skipIf(isFfmpegMissing)("metadata of an upload", () => {
  layer(pipeline({ ladder: [{ shortSide: 64, kilobits: 300 }], thumbnails: 1, storyboard: false }), {
    excludeTestServices: true,
    timeout: "60 seconds",
  })((it) => {
    let uploads = 0
    const process = Effect.fnUntraced(function* (key: string, metadata: Readonly<Record<string, unknown>>) {
      const { processUpload } = yield* UploadPipeline
      const event = uploaded(`r${++uploads}`, `s3://media/${key}`)
      const upload = { ...event, payload: { ...event.payload, metadata: metadata as Record<string, never> } }
      return yield* processUpload(upload, { fencingToken: 1 })
    })
    const ready = Effect.fnUntraced(function* (key: string, metadata: Readonly<Record<string, unknown>>) {
      const outcome = yield* process(key, metadata)
      if (outcome._tag !== "Ready") return yield* Effect.die(new Error(outcome._tag))
      const fs = yield* FileSystem.FileSystem
      const folder = yield* fs.makeTempDirectoryScoped()
      yield* fetchAll(prefixOf(outcome.ready), folder)
      return { ready: outcome.ready, folder }
    })
    const store = Effect.fnUntraced(function* (name: string, args: ReadonlyArray<string>) {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const file = path.join(yield* fs.makeTempDirectoryScoped(), name)
      yield* ffmpeg([...args, file])
      yield* storeUpload(`uploads/${name}`, file)
      return `uploads/${name}`
    })
    /** The brightness of every frame at one pixel. */
    const brightness = (file: string, x: number, y: number) =>
      Effect.map(
        ffmpegOutput(["-i", file, "-vf", `crop=2:2:${x}:${y},format=gray`, ...words("-f rawvideo -")]),
        (bytes) => Array.from({ length: bytes.byteLength / 4 }, (_, frame) => bytes[frame * 4] ?? 0),
      )

    it.effect.each(["mp4", "ts"])(
      "a clip of a .%s file has exactly its frames, picture and sound together",
      (extension) =>
        Effect.gen(function* () {
          const key = yield* store(`flash.${extension}`, flash)
          const { folder, ready: made } = yield* ready(key, { clip: { start: 1.2, end: 2.2 } })
          assert.closeTo(made.duration, 1, 0.001)
          const frames = yield* brightness(yield* concatTrack(folder, "64p"), 40, 20)
          assert.lengthOf(frames, 25)
          assert.deepStrictEqual(
            frames.map((value) => value > 128),
            [true, true, ...Array.from({ length: 23 }, () => false)],
          )
          const sound = yield* ffmpegOutput([
            "-i",
            yield* concatTrack(folder, "audio"),
            ...words("-f f32le -ac 1 -ar 1000 -"),
          ])
          const loud = Array.from({ length: 50 }, (_, at) => Math.abs(sound.readFloatLE(at * 4)) > 0.02)
          assert.isTrue(loud.slice(0, 30).includes(true))
        }),
    )

    // regression: the last frame lasted beyond the end, so a clip of 0.5 s became 0.8 s long.
    it.effect("a clip of a variable frame rate ends at its end, and one of a frame is held", () =>
      Effect.gen(function* () {
        // One frame at 0, 0.04, … 0.96 s, then one every 0.4 s.
        const rare = words("-vf select='lt(t,1)+not(mod(n,10))' -fps_mode vfr")
        const key = yield* store("rare.mp4", [
          ...words("-f lavfi -i testsrc2=s=128x64:r=25:d=3"),
          ...tone(3),
          ...rare,
          ...h264,
          ...words("-c:a aac"),
        ])
        for (const [start, end, frames] of [
          [0.7, 1.3, 15],
          // One frame, held until the end of the shortest possible sound.
          [1.7, 1.74, 5],
        ] as const) {
          const { folder } = yield* ready(key, { clip: { start, end } })
          assert.lengthOf(yield* brightness(yield* concatTrack(folder, "64p"), 40, 20), frames)
        }
      }),
    )

    it.effect("a watermark is drawn over every frame at its place, and the poster shows its time", () =>
      Effect.gen(function* () {
        const key = yield* store("flash.mp4", flash)
        const mark = yield* store("mark.png", words("-f lavfi -i color=white:s=40x20 -frames:v 1"))
        const { folder, ready: made } = yield* ready(key, {
          watermark: { file_path: `s3://media/${mark}`, position: "top-left", opacity: 0.5, width: 0.25 },
          poster_time: 1.22,
          title: "passed on",
        })
        assert.strictEqual(made.metadata["title"], "passed on")
        const file = yield* concatTrack(folder, "64p")
        const marked = yield* brightness(file, 16, 8)
        assert.lengthOf(marked, 75)
        for (const value of marked.filter((_, frame) => frame < 30)) assert.closeTo(value, 128, 20)
        for (const value of (yield* brightness(file, 100, 40)).slice(0, 30)) assert.isBelow(value, 20)
        const path = yield* Path.Path
        const [poster = 0] = yield* brightness(path.join(folder, "poster.jpg"), 100, 40)
        assert.isAbove(poster, 200)
      }),
    )

    it.effect("sound only, chapters, and files for download with their names", () =>
      Effect.gen(function* () {
        const key = yield* store("flash.mp4", flash)
        const sound = yield* ready(key, {
          audio_only: true,
          chapters: [
            { start: 1, title: "b" },
            { start: 0, title: "a" },
          ],
        })
        assert.deepStrictEqual(sound.ready.resolutions, [])
        assert.deepStrictEqual(sound.ready.metadata["chapters"], [
          { start: 0, end: 1, title: "a" },
          { start: 1, end: sound.ready.duration, title: "b" },
        ])
        const { ready: made } = yield* ready(key, { download: { filename: "Été/1" } })
        const url = made.playback_urls.mp4["64p"] ?? ""
        const storage = yield* ObjectStorage
        const file = yield* storage.head({ bucket: "media", key: url.slice("http://cdn.invalid/media/".length) })
        assert.strictEqual(
          file.contentDisposition,
          `attachment; filename="_t__1-64p.mp4"; filename*=UTF-8''%C3%89t%C3%A9_1-64p.mp4`,
        )
      }),
    )

    it.effect("an instruction that cannot be followed fails the upload by name", () =>
      Effect.gen(function* () {
        const key = yield* store("flash.mp4", flash)
        const failing = (metadata: Readonly<Record<string, unknown>>) =>
          Effect.map(Effect.flip(process(key, metadata)), (error) =>
            "code" in error ? `${error.code}: ${error.message}` : error._tag,
          )
        const mark = { file_path: `s3://media/${key}` }
        const fs = yield* FileSystem.FileSystem
        const storage = yield* ObjectStorage
        const path = yield* Path.Path
        const png = path.join(yield* fs.makeTempDirectoryScoped(), "mark.png")
        yield* ffmpeg([...words("-f lavfi -i testsrc2=s=64x64 -frames:v 1"), png])
        const bytes = yield* fs.readFile(png)
        const damaged = { file_path: yield* storeUpload("uploads/damaged.png", bytes.subarray(0, 300)) }
        const large = Buffer.from(bytes)
        large.writeUInt32BE(5_000, 16)
        const tooLarge = { file_path: yield* storeUpload("uploads/large.png", large) }
        for (const [metadata, expected] of [
          [{ clip: { start: 2, end: 1 } }, /^invalid_clip: .*ends before it begins/],
          [{ clip: { start: 2, end: 9 } }, /^invalid_clip: .*2 to 9 s of a recording of 3\.0 s: it is outside/],
          [{ clip: { start: 1 } }, /^invalid_metadata: .*metadata\.clip\.end is missing/],
          [{ clip: "intro" }, /^invalid_metadata: .*metadata\.clip/],
          [{ poster_time: 9 }, /^invalid_metadata: .*metadata\.poster_time is 9/],
          [{ chapters: [{ start: 7, title: "x" }] }, /^invalid_metadata: .*metadata\.chapters\.0\.start is 7/],
          [{ watermark: mark }, /^invalid_watermark: .*is no PNG/],
          // regression: a damaged PNG was reported as a damaged video.
          [{ watermark: damaged }, /^invalid_watermark: .*damaged\.png is damaged/],
          [{ watermark: tooLarge }, /^invalid_watermark: .*5000×64 pixels, at most 4096/],
          [{ watermark: { ...mark, opacity: 2 } }, /^invalid_metadata: .*metadata\.watermark\.opacity/],
          [{ watermark: { file_path: "s3://media/none.png" } }, /^invalid_watermark: .*source_missing/],
        ] as const) {
          assert.match(yield* failing(metadata), expected)
          const objects = yield* Stream.runCollect(storage.list("media", `media/r${uploads}/`))
          assert.lengthOf(objects, 0)
        }
        const silent = yield* store("silent.mp4", [...words("-f lavfi -i color=s=128x64:r=25:d=1"), ...h264])
        assert.strictEqual((yield* Effect.flip(process(silent, { audio_only: true })))._tag, "PermanentError")
      }),
    )
  })
})
