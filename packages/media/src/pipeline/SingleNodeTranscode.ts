/** Encodes a whole upload on this machine: download, probe, then one ffmpeg whose segments are uploaded while it runs. */
import type { PermanentError, TransientError } from "@armoricore/domain/Errors"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import type { ObjectInfo } from "@armoricore/storage/ObjectStorage"
import { Effect, Path } from "effect"
import { type EncodingPlan, trackFolders } from "../encode/EncodingPlan.ts"
import * as FfmpegCommand from "../encode/FfmpegCommand.ts"
import * as FfmpegExit from "../encode/FfmpegExit.ts"
import * as DiskQuota from "../encode/DiskQuota.ts"
import * as Watermark from "../encode/Watermark.ts"
import * as StillImages from "../packaging/StillImages.ts"
import * as ProvisionalPlaylist from "../packaging/ProvisionalPlaylist.ts"
import type { ContentKeys } from "../protection/ContentKeys.ts"
import { probe } from "../probe/Probe.ts"
import * as SegmentUploader from "../packaging/SegmentUploader.ts"
import { download } from "../probe/Source.ts"
import * as MediaRequest from "./MediaRequest.ts"
import { mp4Renditions, planEncoding, type ResolvedOptions, transcodeTimeout } from "./TranscodeOptions.ts"
import type { UploadJob } from "./UploadJob.ts"

/** A downloaded source and the plan for it. */
export interface ProbedSource {
  /** The local file. */
  readonly input: string
  readonly source: ObjectInfo
  readonly plan: EncodingPlan
}

/** ffmpeg has finished; its last segments may not be in storage yet. */
export interface EncodedOutput {
  readonly _tag: "Encoded"
  readonly plan: EncodingPlan
  readonly source: ObjectInfo
  /** The local file of the source. */
  readonly input: string
  readonly uploader: SegmentUploader.SegmentUploader
  /** The local folder that ffmpeg wrote to. */
  readonly output: string
  readonly isPlayablePublished: boolean
}

export const downloadAndProbe = Effect.fn("SingleNodeTranscode.downloadAndProbe")(function* (
  options: ResolvedOptions,
  contentKeys: ContentKeys,
  { event, progress }: UploadJob,
  folder: string,
) {
  const path = yield* Path.Path
  const programs = yield* FfmpegPrograms
  const input = path.join(folder, "source")
  // Before the download: a wrong instruction needs none.
  const request = yield* MediaRequest.decode(event.payload.metadata, options.protection !== undefined)
  yield* progress.report("downloading", 0)
  const source = yield* progress.timeStage(
    "downloading",
    download({
      filePath: event.payload.file_path,
      buckets: options.sourceBuckets,
      to: input,
      bytes: options.limits.maxBytes,
      minFreeDisk: options.minFreeDisk,
      onProgress: (fraction) => progress.report("downloading", fraction * 8),
    }),
  )
  yield* progress.report("probing", 8)
  const probed = yield* progress.timeStage("probing", probe("source", source.size, folder, options.limits))
  const info = yield* MediaRequest.apply(probed, request)
  const etag = yield* Watermark.fetch(request, options, folder)
  const planRequest = MediaRequest.planRequestOf(request, etag)
  const plan = planEncoding(options, info, programs.toneMapping, planRequest)
  const protection = yield* contentKeys.prepare(event.payload, info.duration)
  return { input, source, plan: plan.with({ protection }) } satisfies ProbedSource
})

export const encode = Effect.fn("SingleNodeTranscode.encode")(function* (
  options: ResolvedOptions,
  contentKeys: ContentKeys,
  job: UploadJob,
  { input, plan, source }: ProbedSource,
  folder: string,
) {
  const path = yield* Path.Path
  const { progress } = job
  const output = path.join(folder, "output")
  yield* StillImages.prepare(plan, output)
  const target = {
    from: output,
    bucket: options.bucket,
    prefix: job.attempt.prefix,
    concurrency: options.uploadConcurrency,
  }
  const protector = yield* contentKeys.protector(job.event.payload.media_id, plan.protection)
  const keepLocalFiles = mp4Renditions(options, plan).length > 0
  const uploader = yield* SegmentUploader.make({ ...target, folders: trackFolders(plan), keepLocalFiles, protector })
  const provisionalPlaylist = yield* ProvisionalPlaylist.make(plan, {
    ...target,
    audioOnly: options.audioOnly,
    onPlayable: job.onPlayable,
  })
  yield* progress.report("transcoding", 10)
  const { memoryLimit } = options
  const { duration } = plan.info
  const running = Ffmpeg.run({
    args: FfmpegCommand.args(plan, input),
    cwd: output,
    onProgress: (seconds) => progress.report("transcoding", 10 + 84 * Math.min(1, seconds / duration)),
    frameRate: plan.renditions.length === 0 ? undefined : plan.frameRate.num / plan.frameRate.den,
    stallTimeout: options.stallTimeout,
    timeout: transcodeTimeout(options, duration),
    memoryLimit,
    background: job.workClass === "long",
  })
  const quota = DiskQuota.enforce({
    folder: output,
    maxBytes: options.maxOutputBytes(plan),
    // A job starts only if the minimum is free, and may then use half of it.
    minFreeBytes: options.minFreeDisk / 2,
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
  yield* StillImages.drawSprites(plan, output)
  yield* StillImages.makeCoverPoster(plan, { input, output, memoryLimit })
  return { _tag: "Encoded", plan, source, input, uploader, output, isPlayablePublished } satisfies EncodedOutput
})
