/** One MP4 file a rendition for download: its segments and those of the first sound track, put together, not encoded. */
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { diskTrouble } from "@armoricore/ffmpeg/WorkFolder"
import { TransientError } from "@armoricore/domain/Errors"
import { Duration, Effect, FileSystem, Path, Stream } from "effect"
import { audioFolder } from "./FfmpegCommand.ts"
import * as OutputGuard from "./OutputGuard.ts"
import type { Uploaded } from "./SegmentUploader.ts"

export interface Request {
  /** The folder whose folders hold the segments. */
  readonly from: string
  readonly uploaded: ReadonlyArray<Uploaded>
  /** Renditions; empty for the sound alone, which comes out as `audio`. */
  readonly renditions: ReadonlyArray<string>
  readonly limit: Duration.Duration
  /** Bytes that must stay free on the disk. */
  readonly freeDisk: number
}

/** Bytes of the segments that the files are made of, and how many more the making takes at most beside them. */
export const bytesOf = (uploaded: ReadonlyArray<Uploaded>, renditions: ReadonlyArray<string>) => {
  const of = (name: string) =>
    (uploaded.find(({ folder }) => folder === name)?.segments ?? []).reduce((sum, { bytes }) => sum + bytes, 0)
  const sound = of(audioFolder(0))
  const pictures = renditions.map(of)
  const segments = pictures.reduce((sum, bytes) => sum + bytes, sound)
  // A picture goes when its file is there; the sound is in every file.
  return { segments, more: Math.max(0, ...pictures) + sound * Math.max(1, renditions.length) }
}

/** Local files by rendition. The segments must still be in their folders. */
export const make = Effect.fn("Mp4Files.make")(function* (request: Request) {
  const { freeDisk, from, renditions, uploaded } = request
  yield* OutputGuard.room(from, bytesOf(uploaded, renditions).more, freeDisk, "making files for download")
  return yield* OutputGuard.guarded(from, freeDisk)(remuxed(request))
})

const remuxed = Effect.fnUntraced(function* (request: Request) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const out = path.join(request.from, "mp4")
  yield* diskTrouble(fs.makeDirectory(out, { recursive: true }))

  /** A part as one file. Its segments are removed as they go, so that it does not lie on the disk twice. */
  const joined = Effect.fnUntraced(function* (folder: string) {
    const part = request.uploaded.find((one) => one.folder === folder)
    if (part === undefined || part.segments.length === 0) return undefined
    const file = path.join(request.from, folder, "joined.mp4")
    const pieces = [part.init, ...part.segments.map(({ name }) => name)]
    for (const name of pieces) {
      const piece = path.join(request.from, folder, name)
      yield* diskTrouble(Stream.run(fs.stream(piece), fs.sink(file, { flag: "a" })))
      yield* diskTrouble(fs.remove(piece))
    }
    return file
  })

  const sound = yield* joined(audioFolder(0))
  const files: Record<string, string> = {}
  for (const name of request.renditions.length === 0 ? [audioFolder(0)] : request.renditions) {
    const picture = request.renditions.length === 0 ? undefined : yield* joined(name)
    const inputs = [picture, sound].filter((file) => file !== undefined)
    const file = path.join(out, `${name}.mp4`)
    const ended = yield* Ffmpeg.run({
      args: [
        ..."-hide_banner -nostdin -loglevel error -y".split(" "),
        ...inputs.flatMap((input) => ["-i", `file:${input}`]),
        ...inputs.flatMap((_, index) => ["-map", `${index}:0`]),
        ..."-c copy -map_metadata -1 -movflags +faststart".split(" "),
        `file:${file}`,
      ],
      cwd: out,
      onProgress: () => Effect.void,
      stuckAfter: Duration.minutes(5),
      limit: request.limit,
    })
    if (ended.code !== 0) {
      return yield* new TransientError({
        dependency: "ffmpeg",
        code: "failed",
        message: `the segments of ${name} could not be put into one file: ${ended.stderr.trim()}`,
      })
    }
    if (picture !== undefined) yield* diskTrouble(fs.remove(picture))
    files[name] = file
  }
  return files
})
