/**
 * Makes all of an upload on this machine: download → probe → plan → one ffmpeg, whose segments are uploaded while it
 * runs.
 */
import { type EncodingPlan, trackFolders } from "../encode/EncodingPlan.ts"
import type { PermanentError, TransientError } from "@armoricore/domain/Errors"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import type { ObjectInfo } from "@armoricore/storage/ObjectStorage"
import { Duration, Effect, Path } from "effect"
import * as PassthroughCheck from "../passthrough/PassthroughCheck.ts"
import * as FfmpegCommand from "../encode/FfmpegCommand.ts"
import * as FfmpegExit from "../encode/FfmpegExit.ts"
import { defaultLadder } from "../encode/Ladder.ts"
import * as WorkClass from "./WorkClass.ts"
import * as DiskQuota from "../encode/DiskQuota.ts"
import * as StillImages from "../packaging/StillImages.ts"
import * as ProvisionalPlaylist from "../packaging/ProvisionalPlaylist.ts"
import { defaultInputLimits, probe } from "../probe/Probe.ts"
import * as SegmentUploader from "../packaging/SegmentUploader.ts"
import { download } from "../probe/Source.ts"
import type { JobProgress } from "./JobProgress.ts"
import {
  defaultMinFreeDisk,
  defaultMemoryLimit,
  mp4Renditions,
  type TranscodeOptions,
  planEncoding,
} from "./TranscodeOptions.ts"

export interface TranscodeRequest<E> {
  /** `s3://bucket/key` */
  readonly filePath: string
  /** Ends with a slash. */
  readonly prefix: string
  /** An empty folder. */
  readonly folder: string
  /** Absent: whatever its length. */
  readonly workClass: WorkClass.WorkClass | undefined
  /** Whether parts of the source may be taken as they are. */
  readonly allowPassthrough: boolean
  readonly progress: JobProgress
  /** Called once its size is known. */
  readonly charge: (of: { readonly bytes: number; readonly seconds: number }) => Effect.Effect<void, E>
  /** See `Playable`. */
  readonly onPlayable: ((master: string) => Effect.Effect<boolean>) | undefined
}

/** ffmpeg came to a good end; what it made last may not be in storage yet. */
export interface CompletedTranscode {
  readonly _tag: "Run"
  /** What was made. */
  readonly plan: EncodingPlan
  readonly source: ObjectInfo
  readonly uploader: SegmentUploader.SegmentUploader
  /** The local folder that it wrote to. */
  readonly output: string
  /** Whether `media.playable` was told of it. */
  readonly isPlayablePublished: boolean
}

/** It is no work for the queue of the short ones; nothing was made. */
export interface LongUpload {
  readonly _tag: "Long"
}

export const transcode = Effect.fn("WholeRun.make")(function* <E>(
  options: TranscodeOptions,
  request: TranscodeRequest<E>,
) {
  const path = yield* Path.Path
  const programs = yield* FfmpegPrograms
  const { folder, workClass, prefix, progress } = request
  const limits = options.limits ?? defaultInputLimits
  const input = path.join(folder, "source")
  yield* progress.report("downloading", 0)
  const source = yield* progress.timeStage(
    "downloading",
    download({
      filePath: request.filePath,
      buckets: options.sourceBuckets,
      to: input,
      bytes: limits.maxBytes,
      minFreeDisk: options.minFreeDisk ?? defaultMinFreeDisk,
      onProgress: (part) => progress.report("downloading", part * 8),
    }),
  )

  yield* progress.report("probing", 8)
  const info = yield* progress.timeStage("probing", probe("source", source.size, folder, limits))
  yield* request.charge({ bytes: source.size, seconds: info.duration })
  const planned = planEncoding(options, info, programs.toneMapping)
  if (workClass === "short" && WorkClass.isLong(planned, options.shortWorkLimit ?? WorkClass.defaultShortWorkLimit))
    return { _tag: "Long" } satisfies LongUpload
  const plan = request.allowPassthrough
    ? (yield* PassthroughCheck.decide(planned, {
        input,
        folder,
        ladder: options.ladder ?? defaultLadder,
        timeout: Duration.seconds(60 + info.duration),
      })).plan
    : planned

  const output = path.join(folder, "output")
  yield* StillImages.prepare(plan, output)
  const target = { from: output, bucket: options.bucket, prefix, concurrency: options.uploadConcurrency ?? 4 }
  const keepLocalFiles = mp4Renditions(options, plan).length > 0
  const uploader = yield* SegmentUploader.make({ ...target, folders: trackFolders(plan), keepLocalFiles })
  const provisionalPlaylist = yield* ProvisionalPlaylist.make(plan, {
    ...target,
    audioOnly: options.audioOnly ?? true,
    onPlayable: request.onPlayable,
  })
  yield* progress.report("transcoding", 10)
  const memoryLimit = options.memoryLimit ?? defaultMemoryLimit
  const running = Ffmpeg.run({
    args: FfmpegCommand.args(plan, input),
    cwd: output,
    onProgress: (seconds) => progress.report("transcoding", 10 + 84 * Math.min(1, seconds / info.duration)),
    stallTimeout: options.stallTimeout ?? Duration.minutes(1),
    timeout: transcodeTimeout(options, info.duration),
    memoryLimit,
    background: workClass === "long",
  })
  const quota = DiskQuota.enforce({
    folder: output,
    maxBytes: options.maxOutputBytes ?? DiskQuota.estimate(plan),
    // What was asked for at the start is for this; the last of it is for others.
    minFreeBytes: (options.minFreeDisk ?? defaultMinFreeDisk) / 2,
  })
  const result = yield* progress.timeStage(
    "transcoding",
    Effect.raceAllFirst([running, uploader.uploadContinuously(provisionalPlaylist.update), quota]),
  )

  const isPlayablePublished = yield* provisionalPlaylist.close
  yield* progress.report("publishing", 94)
  if (result.code !== 0) {
    const error: TransientError | PermanentError = FfmpegExit.classify(result, {
      hasMemoryLimit: true,
      hasPassthrough: plan.passthrough !== undefined,
    })
    return yield* error
  }
  yield* StillImages.makeCoverPoster(plan, { input, output, memoryLimit })
  return { _tag: "Run", plan, source, uploader, output, isPlayablePublished } satisfies CompletedTranscode
})

/** How long ffmpeg may take for so many seconds. */
export const transcodeTimeout = (options: TranscodeOptions, seconds: number): Duration.Duration =>
  Duration.seconds(300 + seconds * (options.timeoutFactor ?? 30))
