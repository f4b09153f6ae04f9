/**
 * Processes the message of one chunk: encodes it or reuses the output of an earlier encode, records the output, promotes
 * its objects to the names in the playlists, and marks it as completed.
 *
 *     staged ──record (first wins)──▶ recorded ──copy──▶ promoted ──mark──▶ completed
 *
 * - After a crash, the next worker repeats the steps after the last recorded one. Copies of a recorded output have the same
 *   bytes and names, so a repeated or late copy is harmless.
 * - Running chunks of an encode that was cancelled, failed, deleted or superseded stop within two seconds.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { Duration, Effect } from "effect"
import { transcodeTimeout } from "../pipeline/TranscodeOptions.ts"
import * as MediaRecord from "../record/MediaRecord.ts"
import type { ChunkContext, ChunkRequest } from "./ChunkContext.ts"
import * as ChunkedEncodes from "./ChunkedEncodes.ts"
import { encode } from "./ChunkEncoder.ts"
import * as ChunkOutputs from "./ChunkOutputs.ts"
import * as IncrementalAudio from "./IncrementalAudio.ts"
import * as ProvisionalChunkPlaylist from "./ProvisionalChunkPlaylist.ts"

export type ChunkOutcome =
  /** `isLast`: all chunks are completed and must be concatenated. */
  | { readonly _tag: "Done"; readonly isLast: boolean }
  /** The encode was aborted or superseded. */
  | { readonly _tag: "Stopped" }

const stopped: ChunkOutcome = { _tag: "Stopped" }
const cancellationPollInterval = Duration.seconds(2)

/** Called with the completed fraction of this chunk, 0 to 1. */
type OnFraction = (fraction: number) => Effect.Effect<void>

export const make = (context: ChunkContext) => {
  const { contentKeys, publisher, encodes, options, record } = context
  const copier = ChunkOutputs.makeCopier(context)

  /** Undefined if the encode was aborted or superseded. */
  const findActive = Effect.fnUntraced(function* (request: ChunkRequest) {
    const job = yield* encodes.find(request.version)
    if (job === undefined || job.aborted === true) return undefined
    const state = yield* record.find(request.mediaId)
    return MediaRecord.isSuperseded(state, job.attempt) ? undefined : { job, percent: state?.percent ?? 0 }
  })

  /** Tracks the progress of the whole upload, of which this worker encodes one chunk. */
  const makeProgress = (
    job: ChunkedEncodes.ChunkedEncode,
    { chunk, onProgress }: ChunkRequest,
    initialPercent: number,
  ) => {
    const event = ChunkedEncodes.uploadEvent(job)
    const total = totalSeconds(ChunkedEncodes.chunkNames(job), job)
    let { completed } = job
    let percent = initialPercent
    let recordedPercent = initialPercent
    return {
      /** Other workers have made progress. */
      refresh: (completedNow: ReadonlyArray<string>, percentNow = 0) => {
        completed = completedNow
        percent = Math.max(percent, percentNow)
      },
      report: (fraction: number) =>
        Effect.gen(function* () {
          const done = (totalSeconds(completed, job) + fraction * chunkSeconds(job, chunk)) / total
          // Other workers report too: the percentage never decreases.
          percent = Math.max(percent, Math.round((10 + 84 * Math.min(1, done)) * 10) / 10)
          yield* onProgress(percent)
          if (percent - recordedPercent < 1) return
          recordedPercent = percent
          yield* record.progress(event, "transcoding", percent)
        }).pipe(Effect.catch((error) => Effect.logDebug("Progress could not be recorded", { chunk, percent, error }))),
    }
  }

  /** Ends when the encode is aborted or superseded. */
  const untilStopped = Effect.fnUntraced(function* (
    request: ChunkRequest,
    refresh: ReturnType<typeof makeProgress>["refresh"],
  ) {
    for (;;) {
      yield* Effect.sleep(cancellationPollInterval)
      const active = yield* Effect.option(findActive(request))
      if (active._tag === "None") continue
      if (active.value === undefined) return undefined
      refresh(active.value.job.completed, active.value.percent)
    }
  })

  /** The recorded output of the chunk: from another worker, from an earlier encode, or encoded here. */
  const produceOutput = Effect.fnUntraced(function* (
    job: ChunkedEncodes.ChunkedEncode,
    request: ChunkRequest,
    onFraction: OnFraction,
  ) {
    const { chunk, version } = request
    const existing = yield* encodes.findOutput(version, chunk)
    if (existing !== undefined) return { output: existing, promoted: new Set<string>(), isPlayablePublished: false }
    const staging = chunkStaging(job, request)
    const audio =
      chunk === ChunkedEncodes.audioChunk ? IncrementalAudio.make(context, copier, job, request, staging) : undefined
    const reused = job.reuse_version === undefined ? undefined : yield* reuseOutput(job.reuse_version, chunk, staging)
    const encoded = reused ?? (yield* encodeOutput(job, chunk, staging, onFraction, audio))
    const output = audio === undefined ? encoded : yield* audio.mergeRecorded(encoded)
    const initHashes = Object.fromEntries(output.tracks.map(({ folder, init_hash }) => [folder, init_hash]))
    if (!(yield* encodes.pinInitSegments(version, initHashes))) {
      yield* publisher.removeStale([staging])
      return yield* new TransientError({
        dependency: "ffmpeg",
        code: "encoder_mismatch",
        message:
          "this worker's ffmpeg produces a different init segment than the other workers'; install the same ffmpeg " +
          "build everywhere",
      })
    }
    const recorded = yield* encodes.recordOutput(version, chunk, output)
    const isOurs = recorded.staging === staging
    // Recorded audio steps may refer to objects in the staging folder.
    if (!isOurs && audio?.hasRecordedCheckpoints() !== true) yield* publisher.removeStale([staging])
    return {
      output: recorded,
      promoted: (isOurs ? audio?.promoted() : undefined) ?? new Set<string>(),
      isPlayablePublished: audio?.isPlayablePublished() ?? false,
    }
  })

  const encodeOutput = Effect.fnUntraced(function* (
    job: ChunkedEncodes.ChunkedEncode,
    chunk: string,
    staging: string,
    onFraction: OnFraction,
    audio: IncrementalAudio.IncrementalAudio | undefined,
  ) {
    const window = chunk === ChunkedEncodes.audioChunk ? undefined : job.windows[Number(chunk)]
    const seconds = chunkSeconds(job, chunk)
    const { plan } = job
    return yield* encode({
      plan,
      protector: yield* contentKeys.protector(job.upload.media_id, plan.protection),
      window,
      source: job.source,
      bucket: options.bucket,
      staging,
      uploadConcurrency: options.uploadConcurrency,
      stallTimeout: options.stallTimeout,
      timeout: transcodeTimeout(options, seconds),
      memoryLimit: options.memoryLimit,
      publishTimeout: options.publishTimeout,
      maxOutputBytes: options.maxOutputBytes(plan),
      minFreeDisk: options.minFreeDisk / 2,
      onProgress: (encoded) => onFraction(Math.min(1, encoded / (window === undefined ? plan.info.duration : seconds))),
      onTracksGrown: audio?.publishCheckpoints,
    })
  })

  /** Copies the output of an earlier encode. Undefined if any of its objects is missing. */
  const reuseOutput = Effect.fnUntraced(function* (version: string, name: string, staging: string) {
    const output = yield* encodes.findOutput(version, name)
    if (output === undefined) return undefined
    const names = [...ChunkOutputs.listObjects(output).map((object) => object.name), ...output.images]
    const isCopied = yield* copier.copy(
      names.map((object) => ({ name: object })),
      output.staging,
      staging,
    )
    return isCopied ? { ...output, staging } : undefined
  })

  const encodeActive = Effect.fnUntraced(function* (
    request: ChunkRequest,
    job: ChunkedEncodes.ChunkedEncode,
    percent: number,
  ) {
    const { chunk, mediaId, version } = request
    const progress = makeProgress(job, request, percent)
    const produced = yield* Effect.raceFirst(
      produceOutput(job, request, progress.report),
      untilStopped(request, progress.refresh),
    )
    if (produced === undefined) {
      yield* publisher.removeStale([chunkStaging(job, request)])
      return stopped
    }
    if (!(yield* copier.promote(job, produced.output, produced.promoted))) {
      yield* encodes.discardOutput(version, chunk)
      return yield* new TransientError({
        dependency: "storage",
        code: "object_missing",
        message: `objects of chunk ${chunk} of media ${mediaId} are missing; it is encoded again`,
      })
    }
    const completed = yield* encodes.markCompleted(version, chunk)
    if (completed === undefined) return stopped
    progress.refresh(completed)
    yield* progress.report(0)
    yield* ProvisionalChunkPlaylist.update(
      context,
      produced.isPlayablePublished ? { ...request, publishPlayable: undefined } : request,
      completed,
    )
    const isLast = ChunkedEncodes.chunkNames(job).every((name) => completed.includes(name))
    return { _tag: "Done", isLast } satisfies ChunkOutcome
  })

  return Effect.fn("UploadPipeline.encodeChunk")(function* (request: ChunkRequest) {
    const active = yield* findActive(request)
    if (active === undefined) return stopped
    const { job, percent } = active
    const removeIfDeleted = publisher.removeIfDeleted(request.mediaId, job.attempt)
    return yield* encodeActive(request, job, percent).pipe(
      Effect.tap(({ _tag }) => (_tag === "Stopped" ? removeIfDeleted : Effect.void)),
      Effect.onError(() => removeIfDeleted),
    )
  })
}

/** The fencing token gives each owner of a chunk its own folder. */
const chunkStaging = ({ attempt }: ChunkedEncodes.ChunkedEncode, { chunk, fencingToken }: ChunkRequest): string =>
  `${ChunkedEncodes.stagingPrefix(attempt.prefix)}${chunk}-${fencingToken}/`

/** The cost of encoding a second of audio, relative to video. */
const audioWeight = 0.03

/** The length of a chunk, weighted by its cost. */
const chunkSeconds = ({ plan, windows }: ChunkedEncodes.ChunkedEncode, chunk: string): number => {
  if (chunk === ChunkedEncodes.audioChunk) return plan.info.duration * audioWeight
  const window = windows[Number(chunk)]
  if (window === undefined) return 0
  const { den, num } = plan.frameRate
  return Math.max(1, window.frames === undefined ? plan.info.duration - window.from : (window.frames * den) / num)
}

const totalSeconds = (chunks: ReadonlyArray<string>, job: ChunkedEncodes.ChunkedEncode): number =>
  chunks.reduce((total, chunk) => total + chunkSeconds(job, chunk), 0)
