/**
 * Turns one upload into a stream, in these steps:
 *
 *     claim → probe → classify → (reuse | passthrough + encode | chunk) → package → publish
 *
 * - Every attempt writes below its own prefix (`media/<media_id>/<version>/`), so a late worker cannot overwrite the
 *   version that its successor published, and a CDN never mixes two versions.
 * - The master playlist is uploaded after all objects that it names were found in storage, so a player never finds an
 *   incomplete stream.
 * - The state record is written last. `MediaRecord` describes the order of concurrent uploads and workers.
 */
import { resultEventId, sha256 } from "@armoricore/domain/DeterministicId"
import type { ConfigurationError, InvalidEvent, PermanentError, TransientError } from "@armoricore/domain/Errors"
import type { EventOf, PayloadOf } from "@armoricore/domain/EventRegistry"
import { precedesDeletion } from "@armoricore/domain/MediaState"
import type { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir"
import * as Collection from "@armoricore/state/Collection"
import * as Erasure from "@armoricore/worker/erasure/Erasure"
import * as MediaOwner from "@armoricore/state/MediaOwner"
import { transcriptStates } from "@armoricore/state/TranscriptStates"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls"
import { Context, Duration, Effect, type FileSystem, Layer, Option, type Path, Result } from "effect"
import type { ChildProcessSpawner } from "effect/process"
import type { ChunkContext, ChunkRequest } from "../chunked/ChunkContext.ts"
import * as ChunkedEncodes from "../chunked/ChunkedEncodes.ts"
import { cancelChunks, type CancelMessage } from "../chunked/ChunkMessages.ts"
import { planChunks, type ChunkedUpload } from "../chunked/ChunkPlanner.ts"
import * as ChunkWorker from "../chunked/ChunkWorker.ts"
import { concat, type ConcatRequest, reject, type RejectedChunks } from "../chunked/ConcatChunks.ts"
import * as StreamPublisher from "../packaging/StreamPublisher.ts"
import * as TrackAlignment from "../encode/TrackAlignment.ts"
import * as PassthroughCheck from "../passthrough/PassthroughCheck.ts"
import * as ContentKeys from "../protection/ContentKeys.ts"
import { locate } from "../probe/Source.ts"
import * as MediaRecord from "../record/MediaRecord.ts"
import * as Deletion from "./Deletion.ts"
import * as EncodeCheckpoint from "./EncodeCheckpoint.ts"
import * as MediaRequest from "./MediaRequest.ts"
import { failureMessages } from "./Failures.ts"
import { finalize } from "./Packaging.ts"
import * as PlayableEvent from "./PlayableEvent.ts"
import { Quota } from "./Quota.ts"
import { reuse, type ReusedOutput } from "./ReuseEncodedOutput.ts"
import * as SingleNodeTranscode from "./SingleNodeTranscode.ts"
import * as TranscodeOptions from "./TranscodeOptions.ts"
import { makeCharge, makeProgress, type OnProgress, type UploadJob } from "./UploadJob.ts"
import * as VersionPublisher from "./VersionPublisher.ts"
import * as WorkClass from "./WorkClass.ts"

/** The upload belongs in the queue for long uploads; no output was written. */
export interface LongUpload {
  readonly _tag: "Long"
}

export type UploadOutcome = VersionPublisher.PublishOutcome | LongUpload

export interface UploadAttempt {
  /** Grows with each owner of the event. */
  readonly fencingToken: number
  /** Failed attempts before this one. */
  readonly priorAttempts?: number
  /** The queue that the message came from. Absent: the upload is processed here even if it is long. */
  readonly workClass?: WorkClass.WorkClass
}

type JobError = TransientError | PermanentError | ConfigurationError
type RecordError = TransientError | ConfigurationError

export class UploadPipeline extends Context.Service<
  UploadPipeline,
  {
    /**
     * Processes an upload, or splits it into chunks. Fails with `InvalidEvent` if the media belongs to another user. Calls `onProgress` a few times a second and `publishPlayable` at most
     * once. Without `publishPlayable` the stream is playable only at the end, and the outcome holds the event.
     */
    readonly processUpload: (
      event: EventOf<"media.uploaded">,
      attempt: UploadAttempt,
      onProgress?: OnProgress,
      publishPlayable?: PlayableEvent.PublishPlayable,
    ) => Effect.Effect<UploadOutcome | ChunkedUpload, JobError | InvalidEvent>
    /** Encodes one chunk of an upload that `processUpload` has split. */
    readonly encodeChunk: (request: ChunkRequest) => Effect.Effect<ChunkWorker.ChunkOutcome, JobError>
    /** Publishes a stream whose chunks are all done, if it is as long as its source. */
    readonly concatChunks: (
      request: ConcatRequest,
    ) => Effect.Effect<VersionPublisher.PublishOutcome | RejectedChunks, JobError>
    /** Stops all chunks if one of them failed with a code that encoding in one run may avoid; undefined otherwise. */
    readonly rejectChunks: (version: string, code: string) => Effect.Effect<RejectedChunks | undefined, RecordError>
    /** Stops all chunks, because one of them has failed finally. */
    readonly abortChunks: (version: string) => Effect.Effect<void, RecordError>
    /** Cancels the chunks of the newest upload. `cancelMessage` cancels one message and returns whether it was in time. */
    readonly cancelChunks: <E>(mediaId: string, cancelMessage: CancelMessage<E>) => Effect.Effect<void, E | RecordError>
    /** Records a published final failure and removes output that a retry cannot reuse. */
    readonly recordFailure: (failed: EventOf<"media.failed">) => Effect.Effect<void, RecordError>
    /** Sets or, without a value, removes uploaded captions in the state. Returns the files that are no longer needed. */
    readonly setCaptions: MediaRecord.MediaRecord["setCaptions"]
    /** Removes a media with everything that was made from it. Undefined: nothing of it was known. */
    readonly remove: Deletion.Deletion["remove"]
    /** The events and retries that the known work on a media belongs to. */
    readonly causes: (
      mediaId: string,
    ) => Effect.Effect<
      { readonly uploads: ReadonlyArray<string>; readonly transcriptions: ReadonlyArray<string> },
      RecordError
    >
    /** The newest upload of a media and the id of its event; undefined if the media is unknown or deleted. */
    readonly newestUpload: (
      mediaId: string,
    ) => Effect.Effect<
      { readonly eventId: string; readonly upload: PayloadOf<"media.uploaded"> | undefined } | undefined,
      RecordError
    >
  }
>()("@armoricore/media/UploadPipeline") {
  static readonly layer = (options: TranscodeOptions.TranscodeOptions) =>
    Layer.effect(UploadPipeline, make(TranscodeOptions.resolve(options)))
}

const superseded = { _tag: "Superseded" } as const
const longUpload: LongUpload = { _tag: "Long" }

const make = Effect.fnUntraced(function* (options: TranscodeOptions.ResolvedOptions) {
  const { bucket } = options
  const storage = yield* ObjectStorage
  const playback = yield* PlaybackUrls
  const scratch = yield* ScratchDir
  const quota = yield* Quota
  const services = yield* Effect.context<
    | FileSystem.FileSystem
    | Path.Path
    | ObjectStorage
    | PlaybackUrls
    | FfmpegPrograms
    | ScratchDir
    | ChildProcessSpawner.ChildProcessSpawner
  >()

  const record = yield* MediaRecord.make
  const owner = yield* MediaOwner.make
  const publisher = yield* VersionPublisher.make(bucket, record)
  const context: ChunkContext = {
    options,
    record,
    publisher,
    encodes: yield* ChunkedEncodes.make,
    contentKeys: yield* ContentKeys.make(options.protection),
  }
  const publishIfCurrent = PlayableEvent.publishIfCurrent(record, (key) => playback.urlFor({ bucket, key }))
  const deletion = yield* Deletion.make(context)
  const transcripts = yield* Collection.make(transcriptStates)
  const precedesErasure = yield* Erasure.makePrecedesErasure
  const encodeChunk = ChunkWorker.make(context)
  const concatChunks = concat(context)

  const processUpload = Effect.fn("UploadPipeline.processUpload")(
    function* (
      event: EventOf<"media.uploaded">,
      uploadAttempt: UploadAttempt,
      onProgress: OnProgress = () => Effect.void,
      publishPlayable?: PlayableEvent.PublishPlayable,
    ) {
      // First of all: what an upload of another user leads to, also to the removal of a late file, is not done.
      yield* owner.requireOwner(event.payload)
      const deleted = yield* dropIfDeleted(event)
      if (deleted !== undefined) return deleted
      const claim = yield* claimVersion(event, uploadAttempt.fencingToken)
      if (claim._tag === "NotOwner") return yield* MediaOwner.notOwner(event.payload.media_id)
      if (claim._tag === "Superseded") return claim
      if (claim._tag === "AlreadyReady") {
        const { attempt, isPlayablePublished, ready } = claim
        const playableEvent = isPlayablePublished ? undefined : PlayableEvent.fromReady(ready, attempt.prefix)
        return { _tag: "Ready", ready, playableEvent } as const
      }
      const { attempt } = claim
      const job: UploadJob = {
        event,
        attempt,
        workClass: uploadAttempt.workClass,
        isFirstAttempt: (uploadAttempt.priorAttempts ?? 0) === 0,
        progress: makeProgress(event, record, onProgress),
        charge: makeCharge(event, record, quota),
        onPlayable:
          publishPlayable === undefined
            ? undefined
            : (master) => publishIfCurrent(event, attempt, master, publishPlayable),
      }

      const work = Effect.gen(function* () {
        const chunked = yield* planChunks(context, job)
        if (chunked !== undefined) {
          yield* job.progress.report("transcoding", 10)
          return chunked
        }
        const encoded = yield* reuseOrEncode(job)
        if (encoded._tag === "Long") return encoded
        const stream = yield* packageStream(job, encoded)
        if (stream === undefined) return superseded
        const outcome = yield* publishVersion(job, encoded, stream)
        if (outcome._tag === "Ready") yield* onProgress("publishing", 100)
        return outcome
      })
      return yield* Effect.onError(work, () => publisher.removeIfDeleted(event.payload.media_id, attempt))
    },
    Effect.scoped,
    Effect.provide(services),
  )

  /** An upload that waited in the queue while its media was deleted, or its user erased. A retry has the time at which it started. */
  const dropIfDeleted = Effect.fnUntraced(function* (event: EventOf<"media.uploaded">) {
    const mediaId = event.payload.media_id
    const isErased = yield* precedesErasure(event.payload.user_id, event.timestamp)
    if (!isErased && !precedesDeletion(event.timestamp, yield* deletion.find(mediaId))) return undefined
    const state = yield* record.find(mediaId)
    // A later upload was faster; its file may be in the same folder.
    if (state !== undefined && state.deleted_at === undefined) return superseded
    return { _tag: "Superseded", deleted: yield* deletion.removeLateUpload(event.payload) } as const
  })

  /** Registers the attempt. If an earlier attempt has published and crashed, only its events are left to publish. */
  const claimVersion = Effect.fnUntraced(function* (event: EventOf<"media.uploaded">, fencingToken: number) {
    const version = sha256(`${event.event_id}:${fencingToken}`).slice(0, 16)
    const prefix = MediaRecord.versionPrefix(event.payload.media_id, version)
    const begun = yield* record.begin(event, fencingToken, prefix, false)
    if (begun._tag !== "AlreadyReady") return begun
    const master = yield* Effect.result(
      storage.head({ bucket, key: `${begun.attempt.prefix}${StreamPublisher.masterName}` }),
    )
    if (Result.isSuccess(master)) return begun
    if (master.failure._tag !== "NotFound") return yield* master.failure
    return yield* record.begin(event, fencingToken, prefix, true)
  })

  /** Whether a message of the short queue turned out to be a long upload. */
  const isMisclassified = ({ workClass }: UploadJob, evidence: WorkClass.Evidence): boolean =>
    workClass === "short" && WorkClass.classify(evidence, options.shortWorkLimit) === "long"

  /** Probes and classifies the upload, then reuses an earlier encode or encodes on this machine. */
  const reuseOrEncode = Effect.fnUntraced(function* (job: UploadJob) {
    const { attempt, event } = job
    const { file_path: filePath, media_id } = event.payload
    const { limits, sourceBuckets } = options
    const source = yield* locate({ filePath, buckets: sourceBuckets, bytes: limits.maxBytes })
    if (isMisclassified(job, { bytes: source.size })) return longUpload

    const folder = yield* scratch.make
    const attempts = (yield* record.find(media_id))?.attempts ?? []
    const earlierAttempts = attempts.filter(({ prefix }) => prefix !== attempt.prefix)
    const request = yield* MediaRequest.decode(event.payload.metadata, options.protection !== undefined)
    const checkpoint = yield* EncodeCheckpoint.find(options, earlierAttempts, source, request)
    if (checkpoint !== undefined) {
      yield* job.charge({ bytes: source.size, seconds: checkpoint.plan.info.duration })
      if (isMisclassified(job, { plan: checkpoint.plan })) return longUpload
      const reused = yield* reuse(options, job, source, checkpoint, folder)
      if (reused !== undefined) return reused
    }

    const probed = yield* SingleNodeTranscode.downloadAndProbe(options, context.contentKeys, job, folder)
    yield* job.charge({ bytes: probed.source.size, seconds: probed.plan.info.duration })
    if (isMisclassified(job, { plan: probed.plan })) return longUpload
    const plan = yield* choosePassthrough(job, probed, folder)
    return yield* SingleNodeTranscode.encode(options, context.contentKeys, job, { ...probed, plan }, folder)
  })

  /** Adds the tracks that can be copied to the plan. A retry encodes all tracks, in case copying made the attempt fail. */
  const choosePassthrough = Effect.fnUntraced(function* (
    { isFirstAttempt }: UploadJob,
    { input, plan }: SingleNodeTranscode.ProbedSource,
    folder: string,
  ) {
    // A part has other packets than the source, and a watermark other pictures.
    const { clip, watermark } = plan.request ?? {}
    const isChanged = clip !== undefined || watermark !== undefined || TrackAlignment.isExtended(plan)
    if (!options.passthrough || !isFirstAttempt || isChanged) return plan
    const timeout = Duration.seconds(60 + plan.info.duration)
    const decision = yield* PassthroughCheck.decide(plan, { input, folder, ladder: options.ladder, timeout })
    return decision.plan
  })

  const packageStream = ({ attempt, event, progress }: UploadJob, encoded: EncodedUpload) =>
    progress
      .timeStage("publishing", finalize(options, encoded, attempt.prefix, progress.timings))
      .pipe(publisher.unlessSuperseded(event.payload.media_id, attempt))

  const publishVersion = Effect.fnUntraced(function* (
    { attempt, event, progress }: UploadJob,
    { isPlayablePublished, plan, source }: EncodedUpload,
    stream: StreamPublisher.PublishedStream,
  ) {
    const outcome = yield* publisher.publish({
      event,
      attempt,
      stream,
      info: plan.info,
      bytes: source.size,
      timings: progress.timings,
      isPlayablePublished,
    })
    if (outcome._tag === "Ready") yield* EncodeCheckpoint.discard(options, attempt.prefix)
    return outcome
  })

  /** Prefixes with complete chunks or a complete encode, which a retry requested by the user can reuse. */
  const reusablePrefixes = Effect.fnUntraced(function* (mediaId: string, eventId: string, code: string) {
    const none: ReadonlySet<string> = new Set<string>()
    // Output of an invalid file is useless, and a cancelled upload is not retried.
    if (code === "cancelled" || code in failureMessages) return none
    const state = yield* record.find(mediaId)
    const attempts = (state?.attempts ?? []).filter(({ generation }) => generation === state?.generations[eventId])
    const reusable = yield* Effect.filter(attempts, ({ prefix }) =>
      Effect.gen(function* () {
        const chunked = yield* context.encodes.find(MediaRecord.versionFromPrefix(prefix))
        return chunked === undefined ? yield* EncodeCheckpoint.exists(options, prefix) : chunked.completed.length > 0
      }),
    )
    return new Set(reusable.map(({ prefix }) => prefix))
  })

  const recordFailure = Effect.fn("UploadPipeline.recordFailure")(function* (failed: EventOf<"media.failed">) {
    const { error, media_id } = failed.payload
    for (const eventId of yield* record.uploadEventIds(media_id)) {
      // The id of a result derives from the id of its cause, so it identifies the upload that failed.
      if (resultEventId(eventId, "media.failed") !== failed.event_id) continue
      const retained = yield* reusablePrefixes(media_id, eventId, error.code)
      yield* publisher.removeStale(yield* record.fail(eventId, failed.payload, retained))
    }
  }, Effect.provide(services))

  const newestUpload = Effect.fn("UploadPipeline.newestUpload")(function* (mediaId: string) {
    const state = yield* record.find(mediaId)
    return state === undefined || state.deleted_at !== undefined
      ? undefined
      : { eventId: state.source_event_id, upload: state.upload }
  })

  return {
    processUpload,
    encodeChunk: (request: ChunkRequest) => Effect.provide(encodeChunk(request), services),
    concatChunks: (request: ConcatRequest) => Effect.provide(concatChunks(request), services),
    rejectChunks: reject(context),
    abortChunks: context.encodes.abort,
    cancelChunks: cancelChunks(context),
    recordFailure,
    setCaptions: record.setCaptions,
    remove: deletion.remove,
    causes: Effect.fn("UploadPipeline.causes")(function* (mediaId: string) {
      const transcript = Option.getOrUndefined(yield* transcripts.get(mediaId))?.value
      return {
        uploads: yield* record.uploadEventIds(mediaId),
        transcriptions: transcript === undefined ? [] : [transcript.source_event_id],
      }
    }),
    newestUpload,
  }
})

type EncodedUpload = SingleNodeTranscode.EncodedOutput | ReusedOutput
