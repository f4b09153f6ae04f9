/** An earlier try had encoded all of an upload and could not finish it: what it stored is copied, and no encoder runs. */
import type { MediaAttempt } from "@armoricore/domain/MediaState"
import type { ObjectInfo } from "@armoricore/storage/ObjectStorage"
import { Duration, Effect, Path } from "effect"
import * as Encoded from "./Encoded.ts"
import type { Plan } from "./FfmpegCommand.ts"
import * as Lane from "./Lane.ts"
import * as Pictures from "./Pictures.ts"
import { defaultLimits } from "./Probe.ts"
import { download, locate } from "./Source.ts"
import { defaultFreeDisk, defaultMemory, type Options } from "./TranscodeOptions.ts"
import { limitOf, type Long, type Request as RunRequest } from "./WholeRun.ts"

export interface Request<E> extends Omit<RunRequest<E>, "mayCopy" | "announce"> {
  readonly earlier: ReadonlyArray<MediaAttempt>
}

/** All of it is in storage below the prefix of this try. */
export interface Taken {
  readonly _tag: "Taken"
  readonly plan: Plan
  readonly source: ObjectInfo
  readonly encoded: Encoded.Encoded & { readonly pictures: Pictures.Pictures }
  /** Where it was taken from. */
  readonly from: string
  /** An empty local folder. */
  readonly output: string
  readonly isTold: false
}

/** Undefined where there is nothing that could be taken over. */
export const take = Effect.fn("TakeOver.take")(function* <E>(options: Options, request: Request<E>) {
  if (request.earlier.length === 0) return undefined
  const path = yield* Path.Path
  const { folder, prefix, stopwatch } = request
  const source = yield* locate({
    filePath: request.filePath,
    buckets: options.sourceBuckets,
    bytes: (options.limits ?? defaultLimits).bytes,
  })
  const found = yield* Encoded.find(options, request.earlier, source)
  if (found === undefined) return undefined
  const { plan } = found
  yield* request.charge({ bytes: source.size, seconds: plan.info.duration })
  if (request.lane === "short" && Lane.isLong(plan, options.shortWork ?? Lane.defaultShortWork))
    return { _tag: "Long" } satisfies Long
  yield* stopwatch.lightly("transcoding", 10)
  const output = path.join(folder, "output")
  const isThere = yield* stopwatch.timed("transcoding", Encoded.copy(options, found, prefix))
  const pictures = isThere ? (found.pictures ?? (yield* picturesAlone(options, request, source, plan))) : undefined
  if (pictures === undefined) return undefined
  yield* Effect.logInfo("what an earlier try had encoded was taken over", { from: found.prefix })
  Object.assign(stopwatch.timings, found.timings)
  yield* stopwatch.lightly("publishing", 94)
  return {
    _tag: "Taken",
    plan,
    source,
    encoded: { ...found, pictures },
    from: found.prefix,
    output,
    isTold: false,
  } satisfies Taken
})

/** Undefined where the upload was replaced meanwhile. */
const picturesAlone = Effect.fnUntraced(function* <E>(
  options: Options,
  { filePath, folder, prefix }: Request<E>,
  source: ObjectInfo,
  plan: Plan,
) {
  const path = yield* Path.Path
  const input = path.join(folder, "source")
  const fetched = yield* download({
    filePath,
    buckets: options.sourceBuckets,
    to: input,
    bytes: (options.limits ?? defaultLimits).bytes,
    freeDisk: options.freeDisk ?? defaultFreeDisk,
    onFraction: () => Effect.void,
  })
  if (fetched.etag !== source.etag || fetched.size !== source.size) return undefined
  const output = path.join(folder, "pictures")
  const memory = options.memory ?? defaultMemory
  yield* Pictures.prepare(plan, output)
  yield* Pictures.make(plan, {
    input,
    output,
    memory,
    stuckAfter: options.stuckAfter ?? Duration.minutes(1),
    limit: limitOf(options, plan.info.duration),
  })
  yield* Pictures.makeCover(plan, { input, output, memory })
  return yield* Pictures.put({ from: output, bucket: options.bucket, prefix, concurrency: options.uploads ?? 4 })
})
