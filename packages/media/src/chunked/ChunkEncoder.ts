/**
 * Makes one part of a film: a window of the picture in all renditions, or all of its sound. The upload is read by
 * ranges; what is made goes below `staging`, which no other worker writes to.
 */
import { sha256 } from "@armoricore/domain/DeterministicId"
import { TransientError } from "@armoricore/domain/Errors"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { mapDiskErrors, ScratchDir } from "@armoricore/ffmpeg/ScratchDir"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { type Duration, Effect, FileSystem, Path } from "effect"
import { audioFolder, type EncodingPlan } from "../encode/EncodingPlan.ts"
import * as FfmpegExit from "../encode/FfmpegExit.ts"
import * as DiskQuota from "../encode/DiskQuota.ts"
import * as SegmentUploader from "../packaging/SegmentUploader.ts"
import * as ToneMap from "../encode/ToneMap.ts"
import * as ChunkCommand from "./ChunkCommand.ts"
import type { ChunkOutput } from "./ChunkedEncodes.ts"
import * as ChunkImages from "./ChunkImages.ts"
import { frameTime, type ChunkWindow } from "./ChunkWindow.ts"
import * as RangeProxy from "./RangeProxy.ts"

export interface EncodeRequest<R> {
  readonly plan: EncodingPlan
  /** Absent: the sound. */
  readonly window: ChunkWindow | undefined
  readonly source: RangeProxy.SourceObject
  readonly bucket: string
  /** Ends with a slash. */
  readonly staging: string
  /** Objects put at once. */
  readonly uploadConcurrency: number
  readonly stallTimeout: Duration.Duration
  readonly timeout: Duration.Duration
  readonly memoryLimit: number
  readonly publishTimeout: Duration.Duration
  /** Bytes that it may write in all; absent: what the plan makes likely. */
  readonly maxOutputBytes: number | undefined
  /** Bytes that must stay free in the work folder. */
  readonly minFreeDisk: number
  /** Seconds of the part that are made. */
  readonly onProgress: (seconds: number) => Effect.Effect<void>
  /**
   * Called again and again, one call at a time, with what lies below `staging` so far; what is under way when all is
   * made is interrupted. Absent: nobody wants to know.
   */
  readonly onTracksGrown?: ((tracks: ChunkOutput["tracks"]) => Effect.Effect<void, never, R>) | undefined
}

export const encode = Effect.fn("EncodeChunk.encode")(function* <R>(request: EncodeRequest<R>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const { plan, window } = request
  const programs = yield* FfmpegPrograms
  if (plan.toneMapping && plan.info.video?.hdr !== undefined && !programs.toneMapping) {
    // A film must not change its colours where another machine went on.
    return yield* new TransientError({
      dependency: "ffmpeg",
      code: "encoder_mismatch",
      message: "the ffmpeg of this machine has no zscale filter and that of another has; install alike ones",
    })
  }
  const folder = yield* Effect.flatMap(ScratchDir, ({ make }) => make)
  for (const name of ["thumbnails", ChunkImages.tileFolder])
    yield* mapDiskErrors(fs.makeDirectory(path.join(folder, name)))
  yield* ToneMap.prepare(plan, folder)
  const reader = yield* RangeProxy.open(request.source)
  const uploader = yield* SegmentUploader.make({
    from: folder,
    bucket: request.bucket,
    prefix: request.staging,
    folders:
      window === undefined
        ? plan.info.audioTracks.map((_, track) => audioFolder(track))
        : plan.renditions.map(({ name }) => name),
    concurrency: request.uploadConcurrency,
  })
  const start = window === undefined ? 0 : frameTime(window.firstFrame, plan.frameRate)
  const running = Ffmpeg.run({
    args:
      window === undefined
        ? ChunkCommand.audioCommand(plan, reader.url)
        : ChunkCommand.videoCommand(plan, window, reader.url),
    cwd: folder,
    onProgress: (seconds) => request.onProgress(Math.max(0, seconds - start)),
    stallTimeout: request.stallTimeout,
    timeout: request.timeout,
    memoryLimit: request.memoryLimit,
    background: true,
  })
  const quota = DiskQuota.enforce({
    folder,
    maxBytes: request.maxOutputBytes ?? DiskQuota.estimate(plan),
    minFreeBytes: request.minFreeDisk,
  })
  const describeTracks = (uploaded: ReadonlyArray<SegmentUploader.UploadedTrack>) =>
    Effect.forEach(uploaded, ({ folder: name, init, segments, track }) =>
      Effect.map(mapDiskErrors(fs.readFile(path.join(folder, name, init))), (bytes): ChunkOutput["tracks"][number] => ({
        folder: name,
        track,
        init_hash: sha256(Buffer.from(bytes).toString("latin1")),
        init_bytes: bytes.byteLength,
        segments,
      })),
    )
  const { onTracksGrown } = request
  let uploadedTracks: ReadonlyArray<SegmentUploader.UploadedTrack> = []
  const uploading = uploader.uploadContinuously((uploaded) => Effect.sync(() => void (uploadedTracks = uploaded)))
  // Beside the uploading: whoever is told may have to wait.
  const reporting =
    onTracksGrown === undefined
      ? Effect.never
      : Effect.forever(
          Effect.suspend(() => describeTracks(uploadedTracks)).pipe(
            Effect.flatMap(onTracksGrown),
            Effect.andThen(Effect.sleep("250 millis")),
          ),
        )
  const result = yield* Effect.raceAllFirst([running, uploading, reporting, quota])
  const fault = reader.fault()
  if (fault !== undefined) return yield* Effect.fail(fault)
  const retryWhileUnavailable = SegmentUploader.retryWhileUnavailable(request.publishTimeout)
  yield* retryWhileUnavailable(uploader.sync)
  const made = uploader.uploadedTracks().filter(({ segments }) => segments.length > 0)
  if (result.code !== 0) {
    const error = FfmpegExit.classify(result, { hasMemoryLimit: true })
    // A file may end before it says it does; how much may be missing is judged where all parts are known.
    const isPastEnd = made.length === 0 && start > 0 && error._tag === "PermanentError"
    if (!isPastEnd) return yield* error
  }
  const imageFrames = window === undefined || made.length === 0 ? undefined : ChunkImages.imageFrames(plan, window)
  const images =
    imageFrames === undefined ? [] : yield* retryWhileUnavailable(uploadImages(imageFrames, folder, request))
  const tracks = yield* describeTracks(made)
  const part: ChunkOutput = { staging: request.staging, tracks, images }
  return part
}, Effect.scoped)

const uploadImages = Effect.fnUntraced(function* (
  imageFrames: ChunkImages.ImageFrames,
  folder: string,
  { bucket, staging }: Pick<EncodeRequest<never>, "bucket" | "staging">,
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const storage = yield* ObjectStorage
  const digits = (file: number, length: number) => String(file).padStart(length, "0")
  const files = [
    ...ChunkImages.outputFiles(imageFrames.thumbnails).map(({ file, name }) => ({
      file: `thumbnails/${digits(file, 2)}.jpg`,
      name,
    })),
    ...(imageFrames.poster.length === 0 ? [] : [{ file: "poster.jpg", name: "poster.jpg" }]),
    ...ChunkImages.outputFiles(imageFrames.tiles).map(({ file, name }) => ({
      file: `${ChunkImages.tileFolder}/t${digits(file, 5)}.pgmyuv`,
      name,
    })),
  ]
  return yield* Effect.forEach(
    files,
    ({ file, name }) =>
      Effect.gen(function* () {
        const local = path.join(folder, file)
        // The source may end before the frame that would have been taken.
        if (!(yield* mapDiskErrors(fs.exists(local)))) return []
        const bytes = yield* mapDiskErrors(fs.readFile(local))
        const contentType = name.endsWith(".jpg") ? "image/jpeg" : "application/octet-stream"
        yield* SegmentUploader.retryTransient(
          storage.put<never, never>({ bucket, key: `${staging}${name}` }, bytes, { contentType }),
        )
        return [name]
      }),
    { concurrency: 4 },
  ).pipe(Effect.map((names) => names.flat()))
})
