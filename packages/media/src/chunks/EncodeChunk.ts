/**
 * Makes one part of a film: a window of the picture in all renditions, or all of its sound. The upload is read by
 * ranges; what is made goes below `staging`, which no other worker writes to.
 */
import { sha256 } from "@armoricore/domain/Causation"
import { TransientError } from "@armoricore/domain/Errors"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { diskTrouble, WorkFolder } from "@armoricore/ffmpeg/WorkFolder"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { type Duration, Effect, FileSystem, Path } from "effect"
import { audioFolder, type Plan } from "../FfmpegCommand.ts"
import * as FfmpegVerdict from "../FfmpegVerdict.ts"
import * as OutputGuard from "../OutputGuard.ts"
import * as SegmentUploader from "../SegmentUploader.ts"
import * as ToneMap from "../ToneMap.ts"
import * as ChunkCommand from "./ChunkCommand.ts"
import type { Part } from "./ChunkJobs.ts"
import * as ChunkPictures from "./ChunkPictures.ts"
import { timeOf, type Window } from "./ChunkPlan.ts"
import * as SourceReader from "./SourceReader.ts"

export interface Request<R> {
  readonly plan: Plan
  /** Absent: the sound. */
  readonly window: Window | undefined
  readonly source: SourceReader.Source
  readonly bucket: string
  /** Ends with a slash. */
  readonly staging: string
  /** Objects put at once. */
  readonly uploads: number
  readonly stuckAfter: Duration.Duration
  readonly limit: Duration.Duration
  readonly memory: number
  readonly publishPatience: Duration.Duration
  /** Bytes that it may write in all; absent: what the plan makes likely. */
  readonly maxOutput: number | undefined
  /** Bytes that must stay free in the work folder. */
  readonly freeDisk: number
  /** Seconds of the part that are made. */
  readonly onProgress: (seconds: number) => Effect.Effect<void>
  /**
   * Called again and again, one call at a time, with what lies below `staging` so far; what is under way when all is
   * made is interrupted. Absent: nobody wants to know.
   */
  readonly onGrown?: ((folders: Part["folders"]) => Effect.Effect<void, never, R>) | undefined
}

export const encode = Effect.fn("EncodeChunk.encode")(function* <R>(request: Request<R>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const { plan, window } = request
  const programs = yield* FfmpegPrograms
  if (plan.toneMapping && plan.info.video?.hdr !== undefined && !programs.toneMapping) {
    // A film must not change its colours where another machine went on.
    return yield* new TransientError({
      dependency: "ffmpeg",
      code: "unlike",
      message: "the ffmpeg of this machine has no zscale filter and that of another has; install alike ones",
    })
  }
  const folder = yield* Effect.flatMap(WorkFolder, ({ make }) => make)
  for (const name of ["thumbnails", ChunkPictures.tileFolder])
    yield* diskTrouble(fs.makeDirectory(path.join(folder, name)))
  yield* ToneMap.prepare(plan, folder)
  const reader = yield* SourceReader.open(request.source)
  const uploader = yield* SegmentUploader.make({
    from: folder,
    bucket: request.bucket,
    prefix: request.staging,
    folders:
      window === undefined
        ? plan.info.sounds.map((_, track) => audioFolder(track))
        : plan.renditions.map(({ name }) => name),
    concurrency: request.uploads,
  })
  const start = window === undefined ? 0 : timeOf(window.firstFrame, plan.frameRate)
  const running = Ffmpeg.run({
    args:
      window === undefined
        ? ChunkCommand.soundCommand(plan, reader.url)
        : ChunkCommand.pictureCommand(plan, window, reader.url),
    cwd: folder,
    onProgress: (seconds) => request.onProgress(Math.max(0, seconds - start)),
    stuckAfter: request.stuckAfter,
    limit: request.limit,
    memory: request.memory,
    background: true,
  })
  const guard = OutputGuard.watch({
    folder,
    bytes: request.maxOutput ?? OutputGuard.boundOf(plan),
    free: request.freeDisk,
  })
  const described = (uploaded: ReadonlyArray<SegmentUploader.Uploaded>) =>
    Effect.forEach(uploaded, ({ folder: name, init, segments, track }) =>
      Effect.map(diskTrouble(fs.readFile(path.join(folder, name, init))), (bytes): Part["folders"][number] => ({
        folder: name,
        track,
        init: sha256(Buffer.from(bytes).toString("latin1")),
        initBytes: bytes.byteLength,
        segments,
      })),
    )
  const { onGrown } = request
  let stored: ReadonlyArray<SegmentUploader.Uploaded> = []
  const uploading = uploader.follow((uploaded) => Effect.sync(() => void (stored = uploaded)))
  // Beside the uploading: whoever is told may have to wait.
  const growing =
    onGrown === undefined
      ? Effect.never
      : Effect.forever(
          Effect.suspend(() => described(stored)).pipe(
            Effect.flatMap(onGrown),
            Effect.andThen(Effect.sleep("250 millis")),
          ),
        )
  const ended = yield* Effect.raceAllFirst([running, uploading, growing, guard])
  const fault = reader.fault()
  if (fault !== undefined) return yield* Effect.fail(fault)
  const patient = SegmentUploader.whileStorageIsAway(request.publishPatience)
  yield* patient(uploader.sync)
  const made = uploader.uploaded().filter(({ segments }) => segments.length > 0)
  if (ended.code !== 0) {
    const verdict = FfmpegVerdict.judge(ended, { limited: true })
    // A file may end before it says it does; how much may be missing is judged where all parts are known.
    const isBehindTheEnd = made.length === 0 && start > 0 && verdict._tag === "PermanentError"
    if (!isBehindTheEnd) return yield* verdict
  }
  const picks = window === undefined || made.length === 0 ? undefined : ChunkPictures.picksOf(plan, window)
  const pictures = picks === undefined ? [] : yield* patient(putPictures(picks, folder, request))
  const folders = yield* described(made)
  const part: Part = { staging: request.staging, folders, pictures }
  return part
}, Effect.scoped)

const putPictures = Effect.fnUntraced(function* (
  picks: ChunkPictures.Picks,
  folder: string,
  { bucket, staging }: Pick<Request<never>, "bucket" | "staging">,
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const storage = yield* ObjectStorage
  const digits = (file: number, length: number) => String(file).padStart(length, "0")
  const files = [
    ...ChunkPictures.named(picks.thumbnails).map(({ file, name }) => ({
      file: `thumbnails/${digits(file, 2)}.jpg`,
      name,
    })),
    ...(picks.poster.length === 0 ? [] : [{ file: "poster.jpg", name: "poster.jpg" }]),
    ...ChunkPictures.named(picks.tiles).map(({ file, name }) => ({
      file: `${ChunkPictures.tileFolder}/t${digits(file, 5)}.pgmyuv`,
      name,
    })),
  ]
  return yield* Effect.forEach(
    files,
    ({ file, name }) =>
      Effect.gen(function* () {
        const local = path.join(folder, file)
        // The source may end before the frame that would have been taken.
        if (!(yield* diskTrouble(fs.exists(local)))) return []
        const bytes = yield* diskTrouble(fs.readFile(local))
        const contentType = name.endsWith(".jpg") ? "image/jpeg" : "application/octet-stream"
        yield* SegmentUploader.again(
          storage.put<never, never>({ bucket, key: `${staging}${name}` }, bytes, { contentType }),
        )
        return [name]
      }),
    { concurrency: 4 },
  ).pipe(Effect.map((names) => names.flat()))
})
