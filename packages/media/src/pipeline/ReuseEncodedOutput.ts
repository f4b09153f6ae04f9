/** Reuses the complete encode of an earlier attempt: copies its segments instead of encoding again. */
import type { ObjectInfo } from "@armoricore/storage/ObjectStorage"
import { Effect, Path } from "effect"
import * as EncodeCheckpoint from "./EncodeCheckpoint.ts"
import type { EncodingPlan } from "../encode/EncodingPlan.ts"
import * as Watermark from "../encode/Watermark.ts"
import * as StillImages from "../packaging/StillImages.ts"
import { download } from "../probe/Source.ts"
import * as MediaRequest from "./MediaRequest.ts"
import { type ResolvedOptions, transcodeTimeout } from "./TranscodeOptions.ts"
import type { UploadJob } from "./UploadJob.ts"

/** All segments and images are in storage, below the prefix of this attempt. */
export interface ReusedOutput {
  readonly _tag: "Reused"
  readonly plan: EncodingPlan
  readonly source: ObjectInfo
  readonly checkpoint: EncodeCheckpoint.EncodeCheckpoint & { readonly stillImages: StillImages.StillImages }
  /** The prefix of the attempt that wrote the checkpoint. */
  readonly checkpointPrefix: string
  /** An empty local folder. */
  readonly output: string
  readonly isPlayablePublished: false
}

/** Undefined if objects of the checkpoint are gone or the upload was replaced: then it must be encoded again. */
export const reuse = Effect.fn("ReuseEncodedOutput.reuse")(function* (
  options: ResolvedOptions,
  job: UploadJob,
  source: ObjectInfo,
  checkpoint: EncodeCheckpoint.StoredCheckpoint,
  folder: string,
) {
  const path = yield* Path.Path
  const { attempt, progress } = job
  yield* progress.report("transcoding", 10)
  const isCopied = yield* progress.timeStage(
    "transcoding",
    EncodeCheckpoint.copyTo(options, checkpoint, attempt.prefix),
  )
  const stillImages = isCopied
    ? (checkpoint.stillImages ?? (yield* makeStillImages(options, job, source, checkpoint.plan, folder)))
    : undefined
  if (stillImages === undefined) return undefined
  yield* Effect.logInfo("The encode of an earlier attempt was reused", { from: checkpoint.prefix })
  Object.assign(progress.timings, checkpoint.timings)
  yield* progress.report("publishing", 94)
  return {
    _tag: "Reused",
    plan: checkpoint.plan,
    source,
    checkpoint: { ...checkpoint, stillImages },
    checkpointPrefix: checkpoint.prefix,
    output: path.join(folder, "output"),
    isPlayablePublished: false,
  } satisfies ReusedOutput
})

/** Makes only the images, from a new download. Undefined if the upload was replaced. */
const makeStillImages = Effect.fnUntraced(function* (
  options: ResolvedOptions,
  { attempt, event }: UploadJob,
  source: ObjectInfo,
  plan: EncodingPlan,
  folder: string,
) {
  const path = yield* Path.Path
  const input = path.join(folder, "source")
  const downloaded = yield* download({
    filePath: event.payload.file_path,
    buckets: options.sourceBuckets,
    to: input,
    bytes: options.limits.maxBytes,
    minFreeDisk: options.minFreeDisk,
    onProgress: () => Effect.void,
  })
  if (downloaded.etag !== source.etag || downloaded.size !== source.size) return undefined
  const request = yield* MediaRequest.decode(event.payload.metadata, options.protection !== undefined)
  const etag = yield* Watermark.fetch(request, options, folder)
  if (etag !== plan.request?.watermark?.etag) return undefined
  const output = path.join(folder, "images")
  const { memoryLimit } = options
  yield* StillImages.prepare(plan, output)
  yield* StillImages.make(plan, {
    input,
    output,
    memoryLimit,
    stallTimeout: options.stallTimeout,
    timeout: transcodeTimeout(options, plan.info.duration),
  })
  yield* StillImages.makeCoverPoster(plan, { input, output, memoryLimit })
  return yield* StillImages.upload({
    from: output,
    bucket: options.bucket,
    prefix: attempt.prefix,
    concurrency: options.uploadConcurrency,
  })
})
