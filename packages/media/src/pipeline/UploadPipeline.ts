/**
 * Turns one upload into a stream: download → probe → plan → one ffmpeg, uploading while it runs → playlists → verify →
 * master playlist → state record.
 *
 * - Every try writes below a prefix of its own (`media/<media_id>/<version>/`), so no late worker overwrites what its
 *   successor published, and no CDN mixes two versions.
 * - The master playlist is put when everything it names is in storage and was looked at; nobody sees half a stream.
 * - The state record is written last; see `MediaRecord` for what happens when several uploads or workers meet.
 */
import { resultEventId, sha256 } from "@armoricore/domain/DeterministicId"
import type { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import type { EventOf, PayloadOf } from "@armoricore/domain/EventRegistry"
import type { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls"
import { Context, Effect, type FileSystem, Layer, type Path, Result } from "effect"
import type { ChildProcessSpawner } from "effect/process"
import * as PlayableEvent from "./PlayableEvent.ts"
import * as VersionPublisher from "./VersionPublisher.ts"
import { planChunks, type ChunkedUpload } from "../chunked/ChunkPlanner.ts"
import * as ChunkedEncodes from "../chunked/ChunkedEncodes.ts"
import * as ChunkCancellation from "../chunked/ChunkCancellation.ts"
import { concat, type ConcatRequest as JoinRequest } from "../chunked/ConcatChunks.ts"
import type { ChunkContext } from "../chunked/ChunkContext.ts"
import * as ChunkWorker from "../chunked/ChunkWorker.ts"
import * as EncodeCheckpoint from "./EncodeCheckpoint.ts"
import { finalize } from "./Packaging.ts"
import * as RetainedPrefixes from "./RetainedPrefixes.ts"
import * as WorkClass from "./WorkClass.ts"
import * as MediaRecord from "../record/MediaRecord.ts"
import { defaultInputLimits } from "../probe/Probe.ts"
import { Quota } from "./Quota.ts"
import { locate } from "../probe/Source.ts"
import * as JobProgress from "./JobProgress.ts"
import * as StreamPublisher from "../packaging/StreamPublisher.ts"
import { reuse } from "./ReuseEncodedOutput.ts"
import type { TranscodeOptions } from "./TranscodeOptions.ts"
import * as SingleNodeTranscode from "./SingleNodeTranscode.ts"

export type UploadOutcome =
  | VersionPublisher.PublishOutcome
  /** It is no work for the queue of the short ones; nothing was made. */
  | { readonly _tag: "Long" }

export interface UploadAttempt {
  readonly fencingToken: number
  /** Failed tries before this one. */
  readonly priorAttempts?: number
  /** The queue it came from; without one it is made whatever its length. */
  readonly workClass?: WorkClass.WorkClass
}

export class UploadPipeline extends Context.Service<
  UploadPipeline,
  {
    /**
     * `token` is the claim's; it grows with each owner of the event. `onProgress` is called a few times a second,
     * `announce` at most once; without it nothing can be played before the end, and the outcome has the announcement.
     */
    readonly processUpload: (
      event: EventOf<"media.uploaded">,
      attempt: UploadAttempt,
      onProgress?: JobProgress.OnProgress,
      publishPlayable?: PlayableEvent.PublishPlayable,
    ) => Effect.Effect<UploadOutcome | ChunkedUpload, TransientError | PermanentError | ConfigurationError>
    /** Makes one part of what `transcode` answered `Chunked` for. */
    readonly encodeChunk: (
      request: ChunkWorker.ChunkRequest,
    ) => Effect.Effect<ChunkWorker.ChunkOutcome, TransientError | PermanentError | ConfigurationError>
    /** Makes a stream of parts that are all done. */
    readonly concatChunks: (
      request: JoinRequest,
    ) => Effect.Effect<VersionPublisher.PublishOutcome, TransientError | PermanentError | ConfigurationError>
    /** A part failed for good: the others stop. */
    readonly abortChunks: (version: string) => Effect.Effect<void, TransientError | ConfigurationError>
    /** Ends the parts of the newest upload; `end` ends one message and says whether it was in time. */
    readonly cancelChunks: <E>(
      mediaId: string,
      cancelMessage: ChunkCancellation.CancelMessage<E>,
    ) => Effect.Effect<void, E | TransientError | ConfigurationError>
    /** Notes a final failure, as it was told, and removes what its tries wrote and no retry can use. */
    readonly recordFailure: (
      failed: EventOf<"media.failed">,
    ) => Effect.Effect<void, TransientError | ConfigurationError>
    /** Removes all that there is of a media: streams, captions, and the upload where it came through `/v1/uploads`. */
    readonly remove: (mediaId: string) => Effect.Effect<void, TransientError | ConfigurationError>
    /** The newest upload of a media and its event's id, unless it was deleted. */
    readonly newestUpload: (
      mediaId: string,
    ) => Effect.Effect<
      { readonly eventId: string; readonly upload: PayloadOf<"media.uploaded"> | undefined } | undefined,
      TransientError | ConfigurationError
    >
  }
>()("@armoricore/media/UploadPipeline") {
  static readonly layer = (options: TranscodeOptions) => Layer.effect(UploadPipeline, make(options))
}

const make = Effect.fnUntraced(function* (options: TranscodeOptions) {
  const storage = yield* ObjectStorage
  const playback = yield* PlaybackUrls
  const record = yield* MediaRecord.make
  const publishIfCurrent = PlayableEvent.publishIfCurrent(record, (key) =>
    playback.urlFor({ bucket: options.bucket, key }),
  )
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

  const publisher = yield* VersionPublisher.make(options.bucket, record)
  const { removeStale, removePrefix } = publisher
  const context: ChunkContext = { options, record, publisher, encodes: yield* ChunkedEncodes.make }
  const retainedPrefixes = RetainedPrefixes.make(context)
  const encodeChunk = ChunkWorker.make(context)
  const concatChunks = concat(context)

  const processUpload = Effect.fn("Transcode.transcode")(
    function* (
      event: EventOf<"media.uploaded">,
      claim: UploadAttempt,
      onProgress: JobProgress.OnProgress = () => Effect.void,
      publishPlayable?: PlayableEvent.PublishPlayable,
    ) {
      const { payload } = event
      const version = sha256(`${event.event_id}:${claim.fencingToken}`).slice(0, 16)
      const prefix = `media/${payload.media_id}/${version}/`
      const beginResult = yield* beginOrRepublish(event, claim.fencingToken, prefix)
      if (beginResult._tag === "Superseded") return beginResult
      if (beginResult._tag === "AlreadyReady") {
        const { attempt, isPlayablePublished, ready } = beginResult
        return {
          _tag: "Ready",
          ready,
          playableEvent: isPlayablePublished ? undefined : PlayableEvent.fromReady(ready, attempt.prefix),
        } as const
      }

      const { attempt } = beginResult
      const progress = JobProgress.make(event, record, onProgress)
      const charge = Effect.fnUntraced(function* (of: { readonly bytes: number; readonly seconds: number }) {
        const state = yield* record.find(payload.media_id)
        // The user uploaded it once, however often it is made.
        if (state?.source_event_id === event.event_id && state.charged === true) return
        yield* quota.charge(payload.user_id, { eventId: event.event_id, ...of })
        yield* record.markCharged(event)
      })
      const chunked = yield* planChunks(context, event, attempt, charge)
      if (chunked !== undefined) {
        yield* progress.report("transcoding", 10)
        return chunked
      }

      if (claim.workClass === "short") {
        const bytes = (options.limits ?? defaultInputLimits).maxBytes
        const { size } = yield* locate({ filePath: payload.file_path, buckets: options.sourceBuckets, bytes })
        if (WorkClass.isLongBySize(size, options.shortWorkLimit ?? WorkClass.defaultShortWorkLimit))
          return { _tag: "Long" } as const
      }

      const folder = yield* scratch.make
      const request = { filePath: payload.file_path, prefix, folder, workClass: claim.workClass, progress, charge }
      const previousAttempts = ((yield* record.find(payload.media_id))?.attempts ?? []).filter(
        (one) => one.prefix !== prefix,
      )
      const reused = yield* reuse(options, { ...request, previousAttempts })
      const run =
        reused ??
        (yield* SingleNodeTranscode.transcode(options, {
          ...request,
          allowPassthrough: allowsPassthrough(options, claim),
          onPlayable:
            publishPlayable === undefined
              ? undefined
              : (master) => publishIfCurrent(event, attempt, master, publishPlayable),
        }))
      if (run._tag === "Long") return run

      const { timings } = progress
      const stream = yield* progress
        .timeStage("publishing", finalize(options, run, prefix, timings))
        .pipe(publisher.unlessSuperseded(payload.media_id, attempt))
      if (stream === undefined) return { _tag: "Superseded" } as const
      const { isPlayablePublished, plan, source } = run
      const outcome = yield* publisher.publish({
        event,
        attempt,
        stream,
        info: plan.info,
        bytes: source.size,
        timings,
        isPlayablePublished,
      })
      if (outcome._tag === "Ready") {
        yield* EncodeCheckpoint.discard(options, prefix)
        yield* onProgress("publishing", 100)
      }
      return outcome
    },
    Effect.scoped,
    Effect.provide(services),
  )

  /** An earlier try may have published and died before it could tell; then only the telling is left. */
  const beginOrRepublish = Effect.fnUntraced(function* (
    event: EventOf<"media.uploaded">,
    fencingToken: number,
    prefix: string,
  ) {
    const beginResult = yield* record.begin(event, fencingToken, prefix, false)
    if (beginResult._tag !== "AlreadyReady") return beginResult
    const there = yield* Effect.result(
      storage.head({ bucket: options.bucket, key: `${beginResult.attempt.prefix}${StreamPublisher.masterName}` }),
    )
    if (Result.isSuccess(there)) return beginResult
    if (there.failure._tag !== "NotFound") return yield* there.failure
    return yield* record.begin(event, fencingToken, prefix, true)
  })

  return {
    processUpload,
    encodeChunk: (request: ChunkWorker.ChunkRequest) => Effect.provide(encodeChunk(request), services),
    concatChunks: (request: JoinRequest) => Effect.provide(concatChunks(request), services),
    abortChunks: context.encodes.abort,
    cancelChunks: ChunkCancellation.cancelChunks(context),
    recordFailure: Effect.fn("Transcode.giveUp")(function* (failed: EventOf<"media.failed">) {
      for (const upload of yield* record.uploadEventIds(failed.payload.media_id)) {
        // A result's id follows from its cause, so it tells which upload failed.
        if (resultEventId(upload, "media.failed") !== failed.event_id) continue
        const { error, media_id } = failed.payload
        yield* removeStale(
          yield* record.fail(
            upload,
            failed.payload,
            yield* Effect.provide(retainedPrefixes(media_id, upload, error.code), services),
          ),
        )
      }
    }),
    remove: Effect.fn("Transcode.remove")(function* (mediaId: string) {
      const was = yield* record.remove(mediaId)
      if (was === undefined) return
      yield* removePrefix(`media/${mediaId}/`)
      // A file that lies elsewhere belongs to whoever put it there.
      yield* removePrefix(`uploads/${was.user_id}/${mediaId}/`)
    }),
    newestUpload: Effect.fn("Transcode.newest")(function* (mediaId: string) {
      const found = yield* record.find(mediaId)
      return found === undefined || found.deleted_at !== undefined
        ? undefined
        : { eventId: found.source_event_id, upload: found.upload }
    }),
  }
})

/** What could not be done with the source's own packets is done without them. */
const allowsPassthrough = (options: TranscodeOptions, claim: UploadAttempt): boolean =>
  (options.passthrough ?? true) && (claim.priorAttempts ?? 0) === 0
