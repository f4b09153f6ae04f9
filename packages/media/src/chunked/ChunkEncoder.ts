/**
 * Encodes one chunk: a window of the video in all renditions, or all audio. ffmpeg reads the upload in ranges, without a
 * download. The output is written below `staging`, which no other worker writes to.
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
import * as Storyboard from "../packaging/Storyboard.ts"
import * as ToneMap from "../encode/ToneMap.ts"
import type { Protector } from "../protection/Protector.ts"
import * as ChunkCommand from "./ChunkCommand.ts"
import type { ChunkOutput } from "./ChunkedEncodes.ts"
import * as ChunkImages from "./ChunkImages.ts"
import { frameTime, type ChunkWindow } from "./ChunkWindow.ts"
import * as RangeProxy from "./RangeProxy.ts"

export interface EncodeRequest<R> {
  readonly plan: EncodingPlan
  /** Undefined: the audio. */
  readonly window: ChunkWindow | undefined
  /** Undefined: the stream is not protected. */
  readonly protector: Protector | undefined
  readonly source: RangeProxy.SourceObject
  readonly bucket: string
  /** Ends with a slash. */
  readonly staging: string
  /** Concurrent uploads. */
  readonly uploadConcurrency: number
  readonly stallTimeout: Duration.Duration
  readonly timeout: Duration.Duration
  readonly memoryLimit: number
  readonly publishTimeout: Duration.Duration
  /** The largest size of the output in the work folder. */
  readonly maxOutputBytes: number
  /** Bytes that must stay free in the work folder. */
  readonly minFreeDisk: number
  /** Called with the encoded seconds of the chunk. */
  readonly onProgress: (seconds: number) => Effect.Effect<void>
  /**
   * Called repeatedly, one call at a time, with the tracks that are below `staging` so far. A running call is interrupted
   * when ffmpeg ends.
   */
  readonly onTracksGrown?: ((tracks: ChunkOutput["tracks"]) => Effect.Effect<void, never, R>) | undefined
}

export const encode = Effect.fn("ChunkEncoder.encode")(function* <R>(request: EncodeRequest<R>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const { plan, window } = request
  const programs = yield* FfmpegPrograms
  if (plan.toneMapping && plan.info.video?.hdr !== undefined && !programs.toneMapping) {
    // Without the filter, the colours would change between the chunks of two workers.
    return yield* new TransientError({
      dependency: "ffmpeg",
      code: "encoder_mismatch",
      message:
        "this worker's ffmpeg has no zscale filter but the one that planned the encode has; install the same ffmpeg " +
        "build everywhere",
    })
  }
  const folder = yield* Effect.flatMap(ScratchDir, ({ make }) => make)
  for (const name of ["thumbnails", Storyboard.tileFolder])
    yield* mapDiskErrors(fs.makeDirectory(path.join(folder, name)))
  yield* ToneMap.prepare(plan, folder)
  const proxy = yield* RangeProxy.open(request.source)
  const uploader = yield* SegmentUploader.make({
    from: folder,
    bucket: request.bucket,
    prefix: request.staging,
    folders:
      window === undefined
        ? plan.info.audioTracks.map((_, track) => audioFolder(track))
        : plan.renditions.map(({ name }) => name),
    concurrency: request.uploadConcurrency,
    protector: request.protector,
  })
  const start = window === undefined ? 0 : frameTime(window.firstFrame, plan.frameRate)
  const running = Ffmpeg.run({
    args:
      window === undefined
        ? ChunkCommand.audioCommand(plan, proxy.url)
        : ChunkCommand.videoCommand(plan, window, proxy.url),
    cwd: folder,
    onProgress: request.onProgress,
    frameRate: window === undefined ? undefined : plan.frameRate.num / plan.frameRate.den,
    stallTimeout: request.stallTimeout,
    timeout: request.timeout,
    memoryLimit: request.memoryLimit,
    background: true,
  })
  const quota = DiskQuota.enforce({
    folder,
    maxBytes: request.maxOutputBytes,
    minFreeBytes: request.minFreeDisk,
  })
  const describeTracks = (uploaded: ReadonlyArray<SegmentUploader.UploadedTrack>) =>
    Effect.forEach(uploaded, ({ folder: name, init, segments, track }) =>
      Effect.map(mapDiskErrors(fs.readFile(path.join(folder, name, init))), (bytes): ChunkOutput["tracks"][number] => ({
        folder: name,
        track,
        init_hash: sha256(Buffer.from(bytes).toString("latin1")),
        init_bytes: request.protector?.init(bytes, track)?.byteLength ?? bytes.byteLength,
        segments,
      })),
    )
  const { onTracksGrown } = request
  let uploadedTracks: ReadonlyArray<SegmentUploader.UploadedTrack> = []
  const uploading = uploader.uploadContinuously((uploaded) => Effect.sync(() => void (uploadedTracks = uploaded)))
  // A separate fiber, because the callback may wait for storage and state.
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
  const fault = proxy.fault()
  if (fault !== undefined) return yield* Effect.fail(fault)
  const retryWhileUnavailable = SegmentUploader.retryWhileUnavailable(request.publishTimeout)
  yield* retryWhileUnavailable(uploader.sync)
  const encodedTracks = uploader.uploadedTracks().filter(({ segments }) => segments.length > 0)
  if (result.code !== 0) {
    const error = FfmpegExit.classify(result, { hasMemoryLimit: true })
    // A source may end before its stated duration. The concatenation checks how much is missing.
    const isPastEnd = encodedTracks.length === 0 && start > 0 && error._tag === "PermanentError"
    if (!isPastEnd) return yield* error
  }
  const imageFrames =
    window === undefined || encodedTracks.length === 0 ? undefined : ChunkImages.imageFrames(plan, window)
  const images =
    imageFrames === undefined ? [] : yield* retryWhileUnavailable(uploadImages(imageFrames, folder, request))
  const tracks = yield* describeTracks(encodedTracks)
  return { staging: request.staging, tracks, images } satisfies ChunkOutput
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
      file: Storyboard.tileName(file),
      name,
    })),
  ]
  return yield* Effect.forEach(
    files,
    ({ file, name }) =>
      Effect.gen(function* () {
        const local = path.join(folder, file)
        // The source may end before this frame.
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
