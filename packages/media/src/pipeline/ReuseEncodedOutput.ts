/** An earlier try had encoded all of an upload and could not finish it: what it stored is copied, and no encoder runs. */
import type { MediaAttempt } from "@armoricore/domain/MediaState"
import type { ObjectInfo } from "@armoricore/storage/ObjectStorage"
import { Duration, Effect, Path } from "effect"
import * as EncodeCheckpoint from "./EncodeCheckpoint.ts"
import type { EncodingPlan } from "../encode/EncodingPlan.ts"
import * as WorkClass from "./WorkClass.ts"
import * as StillImages from "../packaging/StillImages.ts"
import { defaultInputLimits } from "../probe/Probe.ts"
import { download, locate } from "../probe/Source.ts"
import { defaultMinFreeDisk, defaultMemoryLimit, type TranscodeOptions } from "./TranscodeOptions.ts"
import { transcodeTimeout, type LongUpload, type TranscodeRequest as RunRequest } from "./SingleNodeTranscode.ts"

export interface ReuseRequest<E> extends Omit<RunRequest<E>, "allowPassthrough" | "onPlayable"> {
  readonly previousAttempts: ReadonlyArray<MediaAttempt>
}

/** All of it is in storage below the prefix of this try. */
export interface ReusedOutput {
  readonly _tag: "Taken"
  readonly plan: EncodingPlan
  readonly source: ObjectInfo
  readonly checkpoint: EncodeCheckpoint.EncodeCheckpoint & { readonly stillImages: StillImages.StillImages }
  /** Where it was taken from. */
  readonly sourcePrefix: string
  /** An empty local folder. */
  readonly output: string
  readonly isPlayablePublished: false
}

/** Undefined where there is nothing that could be taken over. */
export const reuse = Effect.fn("TakeOver.take")(function* <E>(options: TranscodeOptions, request: ReuseRequest<E>) {
  if (request.previousAttempts.length === 0) return undefined
  const path = yield* Path.Path
  const { folder, prefix, progress } = request
  const source = yield* locate({
    filePath: request.filePath,
    buckets: options.sourceBuckets,
    bytes: (options.limits ?? defaultInputLimits).maxBytes,
  })
  const found = yield* EncodeCheckpoint.find(options, request.previousAttempts, source)
  if (found === undefined) return undefined
  const { plan } = found
  yield* request.charge({ bytes: source.size, seconds: plan.info.duration })
  if (
    request.workClass === "short" &&
    WorkClass.isLong(plan, options.shortWorkLimit ?? WorkClass.defaultShortWorkLimit)
  )
    return { _tag: "Long" } satisfies LongUpload
  yield* progress.report("transcoding", 10)
  const output = path.join(folder, "output")
  const isThere = yield* progress.timeStage("transcoding", EncodeCheckpoint.copyTo(options, found, prefix))
  const stillImages = isThere
    ? (found.stillImages ?? (yield* makeStillImages(options, request, source, plan)))
    : undefined
  if (stillImages === undefined) return undefined
  yield* Effect.logInfo("what an earlier try had encoded was taken over", { from: found.prefix })
  Object.assign(progress.timings, found.timings)
  yield* progress.report("publishing", 94)
  return {
    _tag: "Taken",
    plan,
    source,
    checkpoint: { ...found, stillImages },
    sourcePrefix: found.prefix,
    output,
    isPlayablePublished: false,
  } satisfies ReusedOutput
})

/** Undefined where the upload was replaced meanwhile. */
const makeStillImages = Effect.fnUntraced(function* <E>(
  options: TranscodeOptions,
  { filePath, folder, prefix }: ReuseRequest<E>,
  source: ObjectInfo,
  plan: EncodingPlan,
) {
  const path = yield* Path.Path
  const input = path.join(folder, "source")
  const fetched = yield* download({
    filePath,
    buckets: options.sourceBuckets,
    to: input,
    bytes: (options.limits ?? defaultInputLimits).maxBytes,
    minFreeDisk: options.minFreeDisk ?? defaultMinFreeDisk,
    onProgress: () => Effect.void,
  })
  if (fetched.etag !== source.etag || fetched.size !== source.size) return undefined
  const output = path.join(folder, "pictures")
  const memoryLimit = options.memoryLimit ?? defaultMemoryLimit
  yield* StillImages.prepare(plan, output)
  yield* StillImages.make(plan, {
    input,
    output,
    memoryLimit,
    stuckAfter: options.stallTimeout ?? Duration.minutes(1),
    limit: transcodeTimeout(options, plan.info.duration),
  })
  yield* StillImages.makeCoverPoster(plan, { input, output, memoryLimit })
  return yield* StillImages.upload({
    from: output,
    bucket: options.bucket,
    prefix,
    concurrency: options.uploadConcurrency ?? 4,
  })
})
