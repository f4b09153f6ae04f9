/**
 * One part of a film from its message to its place: made anew, or taken from where it was made before, recorded, copied
 * to where the playlists look for it, and counted.
 *
 *     staged ──record (first wins)──▶ recorded ──copy──▶ in place ──count──▶ done
 *
 * - A crash anywhere repeats what is behind the last step that was recorded. Copies of one record are the same bytes
 *   under the same names, so that it harms nobody to make them twice, or late.
 * - A job that was cancelled, failed, deleted or overtaken stops its parts within two seconds, wherever they run.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { Duration, Effect } from "effect"
import * as PlayableEvent from "../pipeline/PlayableEvent.ts"
import * as MediaRecord from "../record/MediaRecord.ts"
import { defaultMinFreeDisk, defaultMemoryLimit } from "../pipeline/TranscodeOptions.ts"
import * as ChunkedEncodes from "./ChunkedEncodes.ts"
import { encode } from "./ChunkEncoder.ts"
import * as IncrementalAudio from "./IncrementalAudio.ts"
import * as ChunkObjects from "./ChunkObjects.ts"
import * as ProvisionalChunkPlaylist from "./ProvisionalChunkPlaylist.ts"
import { uploadEvent, type ChunkContext, stagingPrefix } from "./ChunkContext.ts"

export interface ChunkRequest {
  readonly mediaId: string
  readonly version: string
  readonly chunk: string
  /** The claim's; it grows with each owner of the part. */
  readonly fencingToken: number
  /** Percent over the whole job, 0 to 100. */
  readonly onProgress: (percent: number) => Effect.Effect<void>
  readonly publishPlayable: PlayableEvent.PublishPlayable
}

export type ChunkOutcome =
  /** `isLast`: nothing is missing, and somebody must join it. */
  | { readonly _tag: "Done"; readonly isLast: boolean }
  /** Nobody wants it any more. */
  | { readonly _tag: "Stopped" }

const stopped: ChunkOutcome = { _tag: "Stopped" }
/** How often a part looks whether it is still wanted. */
const cancellationPollInterval = Duration.seconds(2)

export const make = (shared: ChunkContext) => {
  const { publisher, encodes, options, record } = shared
  const objects = ChunkObjects.make(shared)

  const findActive = Effect.fnUntraced(function* (request: ChunkRequest) {
    const job = yield* encodes.find(request.version)
    if (job === undefined || job.aborted === true) return undefined
    const state = yield* record.find(request.mediaId)
    return MediaRecord.isSuperseded(state, job.attempt) ? undefined : { job, percent: state?.percent ?? 0 }
  })

  const produceOutput = Effect.fnUntraced(function* (
    job: ChunkedEncodes.ChunkedEncode,
    request: ChunkRequest,
    told: (own: number) => Effect.Effect<void>,
  ) {
    const { chunk, fencingToken, version } = request
    const recorded = yield* encodes.findOutput(version, chunk)
    if (recorded !== undefined) return { output: recorded, promoted: new Set<string>(), isPlayablePublished: false }
    const staging = `${stagingPrefix(job.attempt.prefix)}${chunk}-${fencingToken}/`
    const sound =
      chunk === ChunkedEncodes.audioChunk ? IncrementalAudio.make(shared, objects, job, request, staging) : undefined
    const kept = job.reuse_version === undefined ? undefined : yield* reuseOutput(job.reuse_version, chunk, staging)
    const encoded = kept ?? (yield* encodeOutput(job, chunk, staging, told, sound))
    const made = sound === undefined ? encoded : yield* sound.mergeRecorded(encoded)
    const inits = Object.fromEntries(made.tracks.map(({ folder, init_hash }) => [folder, init_hash]))
    if (!(yield* encodes.pinInitSegments(version, inits))) {
      yield* publisher.removeStale([staging])
      return yield* new TransientError({
        dependency: "ffmpeg",
        code: "encoder_mismatch",
        message: "the ffmpeg of this machine writes other headers than that of another; install alike ones",
      })
    }
    const first = yield* encodes.recordOutput(version, chunk, made)
    if (first.staging === staging) {
      return {
        output: first,
        promoted: sound?.promoted() ?? new Set<string>(),
        isPlayablePublished: sound?.isPlayablePublished() ?? false,
      }
    }
    if (sound?.hasRecordedCheckpoints() !== true) yield* publisher.removeStale([staging])
    return { output: first, promoted: new Set<string>(), isPlayablePublished: sound?.isPlayablePublished() ?? false }
  })

  const encodeOutput = (
    job: ChunkedEncodes.ChunkedEncode,
    part: string,
    staging: string,
    told: (own: number) => Effect.Effect<void>,
    sound: IncrementalAudio.IncrementalAudio | undefined,
  ) => {
    const window = part === ChunkedEncodes.audioChunk ? undefined : job.windows[Number(part)]
    const seconds = chunkSeconds(job, part)
    const plan = job.plan
    return encode({
      plan,
      window,
      source: job.source,
      bucket: options.bucket,
      staging,
      uploadConcurrency: options.uploadConcurrency ?? 4,
      stallTimeout: options.stallTimeout ?? Duration.minutes(1),
      timeout: Duration.seconds(300 + seconds * (options.timeoutFactor ?? 30)),
      memoryLimit: options.memoryLimit ?? defaultMemoryLimit,
      publishTimeout: options.publishTimeout ?? Duration.minutes(5),
      maxOutputBytes: options.maxOutputBytes,
      minFreeDisk: (options.minFreeDisk ?? defaultMinFreeDisk) / 2,
      onProgress: (made) => told(Math.min(1, made / (window === undefined ? plan.info.duration : seconds))),
      onTracksGrown: sound?.publishCheckpoints,
    })
  }

  /** What an earlier job made of the same; undefined where something of it is gone. */
  const reuseOutput = Effect.fnUntraced(function* (version: string, name: string, staging: string) {
    const output = yield* encodes.findOutput(version, name)
    if (output === undefined) return undefined
    const all = [
      ...ChunkObjects.listObjects(output).map((one) => ({ name: one.name })),
      ...output.images.map((name) => ({ name })),
    ]
    return (yield* objects.copy(all, output.staging, staging)) ? { ...output, staging } : undefined
  })

  return Effect.fn("WorkOnPart.work")(function* (request: ChunkRequest) {
    const { onProgress, chunk, version } = request
    const wanted = yield* findActive(request)
    if (wanted === undefined) return stopped
    const { job } = wanted
    const event = uploadEvent(job)
    const prefix = job.attempt.prefix
    const total = totalSeconds(ChunkedEncodes.chunkNames(job), job)
    let { completed } = job
    let { percent } = wanted
    let kept = percent

    const told = (own: number) =>
      Effect.gen(function* () {
        const fraction = (totalSeconds(completed, job) + own * chunkSeconds(job, chunk)) / total
        // Others are at work too: nobody sees it go back.
        percent = Math.max(percent, Math.round((10 + 84 * Math.min(1, fraction)) * 10) / 10)
        yield* onProgress(percent)
        if (percent - kept < 1) return
        kept = percent
        yield* record.progress(event, "transcoding", percent)
      }).pipe(Effect.catch((error) => Effect.logDebug("progress was not recorded", { error })))

    const watching = Effect.gen(function* () {
      for (;;) {
        yield* Effect.sleep(cancellationPollInterval)
        const now = yield* Effect.option(findActive(request))
        if (now._tag === "None") continue
        if (now.value === undefined) return undefined
        completed = now.value.job.completed
        percent = Math.max(percent, now.value.percent)
      }
    })
    const made = yield* Effect.raceFirst(produceOutput(job, request, told), watching)
    if (made === undefined) {
      yield* publisher.removeStale([`${stagingPrefix(prefix)}${chunk}-${request.fencingToken}/`])
      return stopped
    }
    if (!(yield* objects.promote(job, made.output, made.promoted))) {
      yield* encodes.discardOutput(version, chunk)
      return yield* new TransientError({
        dependency: "storage",
        code: "object_missing",
        message: `something of part ${chunk} of ${request.mediaId} is gone and must be made again`,
      })
    }
    const doneNow = yield* encodes.markCompleted(version, chunk)
    if (doneNow === undefined) return stopped
    completed = doneNow
    yield* told(0)
    yield* ProvisionalChunkPlaylist.update(
      shared,
      made.isPlayablePublished ? { ...request, publishPlayable: undefined } : request,
      doneNow,
    )
    const all = ChunkedEncodes.chunkNames(job)
    return { _tag: "Done", isLast: all.every((one) => doneNow.includes(one)) } satisfies ChunkOutcome
  })
}

/** Encoding sound is quick. */
const audioWeight = 0.03

const chunkSeconds = ({ plan, windows }: ChunkedEncodes.ChunkedEncode, part: string): number => {
  if (part === ChunkedEncodes.audioChunk) return plan.info.duration * audioWeight
  const window = windows[Number(part)]
  if (window === undefined) return 0
  const { den, num } = plan.frameRate
  return Math.max(1, window.frames === undefined ? plan.info.mainDuration - window.from : (window.frames * den) / num)
}

const totalSeconds = (parts: ReadonlyArray<string>, job: ChunkedEncodes.ChunkedEncode): number =>
  parts.reduce((total, part) => total + chunkSeconds(job, part), 0)
