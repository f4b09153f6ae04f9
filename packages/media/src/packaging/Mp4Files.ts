/** One MP4 file a rendition for download: its segments and those of the first sound track, put together, not encoded. */
import { audioFolder } from "../encode/EncodingPlan.ts"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir"
import { TransientError } from "@armoricore/domain/Errors"
import { Duration, Effect, FileSystem, Path, Stream } from "effect"
import * as DiskQuota from "../encode/DiskQuota.ts"
import type { UploadedTrack } from "./SegmentUploader.ts"

export interface RemuxRequest {
  /** The folder whose folders hold the segments. */
  readonly from: string
  readonly uploadedTracks: ReadonlyArray<UploadedTrack>
  /** Renditions; empty for the sound alone, which comes out as `audio`. */
  readonly renditions: ReadonlyArray<string>
  readonly timeout: Duration.Duration
  /** Bytes that must stay free on the disk. */
  readonly minFreeDisk: number
}

/** Bytes of the segments that the files are made of, and how many more the making takes at most beside them. */
export const requiredBytes = (uploaded: ReadonlyArray<UploadedTrack>, renditions: ReadonlyArray<string>) => {
  const of = (name: string) =>
    (uploaded.find(({ folder }) => folder === name)?.segments ?? []).reduce((sum, { bytes }) => sum + bytes, 0)
  const audioBytes = of(audioFolder(0))
  const videoBytes = renditions.map(of)
  const segments = videoBytes.reduce((sum, bytes) => sum + bytes, audioBytes)
  // A picture goes when its file is there; the sound is in every file.
  return { segments, scratchBytes: Math.max(0, ...videoBytes) + audioBytes * Math.max(1, renditions.length) }
}

/** Local files by rendition. The segments must still be in their folders. */
export const make = Effect.fn("Mp4Files.make")(function* (request: RemuxRequest) {
  const { minFreeDisk, from, renditions, uploadedTracks } = request
  yield* DiskQuota.ensureFree(
    from,
    requiredBytes(uploadedTracks, renditions).scratchBytes,
    minFreeDisk,
    "making files for download",
  )
  return yield* DiskQuota.withMinFree(from, minFreeDisk)(remux(request))
})

const remux = Effect.fnUntraced(function* (request: RemuxRequest) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const out = path.join(request.from, "mp4")
  yield* mapDiskErrors(fs.makeDirectory(out, { recursive: true }))

  /** A part as one file. Its segments are removed as they go, so that it does not lie on the disk twice. */
  const concatSegments = Effect.fnUntraced(function* (folder: string) {
    const part = request.uploadedTracks.find((one) => one.folder === folder)
    if (part === undefined || part.segments.length === 0) return undefined
    const file = path.join(request.from, folder, "joined.mp4")
    const pieces = [part.init, ...part.segments.map(({ name }) => name)]
    for (const name of pieces) {
      const piece = path.join(request.from, folder, name)
      yield* mapDiskErrors(Stream.run(fs.stream(piece), fs.sink(file, { flag: "a" })))
      yield* mapDiskErrors(fs.remove(piece))
    }
    return file
  })

  const audioFile = yield* concatSegments(audioFolder(0))
  const files: Record<string, string> = {}
  for (const name of request.renditions.length === 0 ? [audioFolder(0)] : request.renditions) {
    const videoFile = request.renditions.length === 0 ? undefined : yield* concatSegments(name)
    const inputs = [videoFile, audioFile].filter((file) => file !== undefined)
    const file = path.join(out, `${name}.mp4`)
    const result = yield* Ffmpeg.run({
      args: [
        ..."-hide_banner -nostdin -loglevel error -y".split(" "),
        ...inputs.flatMap((input) => ["-i", `file:${input}`]),
        ...inputs.flatMap((_, index) => ["-map", `${index}:0`]),
        ..."-c copy -map_metadata -1 -movflags +faststart".split(" "),
        `file:${file}`,
      ],
      cwd: out,
      onProgress: () => Effect.void,
      stallTimeout: Duration.minutes(5),
      timeout: request.timeout,
    })
    if (result.code !== 0) {
      return yield* new TransientError({
        dependency: "ffmpeg",
        code: "failed",
        message: `the segments of ${name} could not be put into one file: ${result.stderr.trim()}`,
      })
    }
    if (videoFile !== undefined) yield* mapDiskErrors(fs.remove(videoFile))
    files[name] = file
  }
  return files
})
