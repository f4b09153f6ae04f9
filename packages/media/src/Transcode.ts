/**
 * Turns one upload into a stream: download → probe → plan → one ffmpeg, uploading while it runs → playlists → verify →
 * master playlist → state record.
 *
 * - Every try writes below a prefix of its own (`media/<media_id>/<version>/`), so no late worker overwrites what its
 *   successor published, and no CDN mixes two versions.
 * - The master playlist is put when everything it names is in storage and was looked at; nobody sees half a stream.
 * - The state record is written last; see `MediaRecord` for what happens when several uploads or workers meet.
 */
import { resultEventId, sha256 } from "@armoricore/domain/Causation"
import type { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import type { EventOf, PayloadOf } from "@armoricore/domain/Events"
import type { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { WorkFolder } from "@armoricore/ffmpeg/WorkFolder"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { PlaybackUrls } from "@armoricore/storage/Playback"
import { Context, Effect, type FileSystem, Layer, type Path, Result } from "effect"
import type { ChildProcessSpawner } from "effect/process"
import * as Announcement from "./Announcement.ts"
import * as Completion from "./Completion.ts"
import { begin as beginJob, type Chunked } from "./chunks/BeginJob.ts"
import * as ChunkJobs from "./chunks/ChunkJobs.ts"
import * as EndJobs from "./chunks/EndJobs.ts"
import { join, type Request as JoinRequest } from "./chunks/JoinParts.ts"
import type { Shared } from "./chunks/Shared.ts"
import * as WorkOnPart from "./chunks/WorkOnPart.ts"
import * as Encoded from "./Encoded.ts"
import { finish } from "./Finish.ts"
import * as Kept from "./Kept.ts"
import * as Lane from "./Lane.ts"
import * as MediaRecord from "./MediaRecord.ts"
import { defaultLimits } from "./Probe.ts"
import { Quota } from "./Quota.ts"
import { locate } from "./Source.ts"
import * as Stopwatch from "./Stopwatch.ts"
import * as StreamPublisher from "./StreamPublisher.ts"
import { take } from "./TakeOver.ts"
import type { Options } from "./TranscodeOptions.ts"
import * as WholeRun from "./WholeRun.ts"

export type Outcome =
  | Completion.Outcome
  /** It is no work for the queue of the short ones; nothing was made. */
  | { readonly _tag: "Long" }

export interface Claim {
  readonly token: number
  /** Failed tries before this one. */
  readonly attempts?: number
  /** The queue it came from; without one it is made whatever its length. */
  readonly lane?: Lane.Lane
}

export class Transcode extends Context.Service<
  Transcode,
  {
    /**
     * `token` is the claim's; it grows with each owner of the event. `onProgress` is called a few times a second,
     * `announce` at most once; without it nothing can be played before the end, and the outcome has the announcement.
     */
    readonly transcode: (
      event: EventOf<"media.uploaded">,
      claim: Claim,
      onProgress?: Stopwatch.OnProgress,
      announce?: Announcement.Announce,
    ) => Effect.Effect<Outcome | Chunked, TransientError | PermanentError | ConfigurationError>
    /** Makes one part of what `transcode` answered `Chunked` for. */
    readonly part: (
      request: WorkOnPart.Request,
    ) => Effect.Effect<WorkOnPart.Outcome, TransientError | PermanentError | ConfigurationError>
    /** Makes a stream of parts that are all done. */
    readonly join: (
      request: JoinRequest,
    ) => Effect.Effect<Completion.Outcome, TransientError | PermanentError | ConfigurationError>
    /** A part failed for good: the others stop. */
    readonly endParts: (version: string) => Effect.Effect<void, TransientError | ConfigurationError>
    /** Ends the parts of the newest upload; `end` ends one message and says whether it was in time. */
    readonly cancelParts: <E>(
      mediaId: string,
      end: EndJobs.Cancel<E>,
    ) => Effect.Effect<void, E | TransientError | ConfigurationError>
    /** Notes a final failure, as it was told, and removes what its tries wrote and no retry can use. */
    readonly giveUp: (failed: EventOf<"media.failed">) => Effect.Effect<void, TransientError | ConfigurationError>
    /** Removes all that there is of a media: streams, captions, and the upload where it came through `/v1/uploads`. */
    readonly remove: (mediaId: string) => Effect.Effect<void, TransientError | ConfigurationError>
    /** The newest upload of a media and its event's id, unless it was deleted. */
    readonly newest: (
      mediaId: string,
    ) => Effect.Effect<
      { readonly cause: string; readonly upload: PayloadOf<"media.uploaded"> | undefined } | undefined,
      TransientError | ConfigurationError
    >
  }
>()("@armoricore/media/Transcode") {
  static readonly layer = (options: Options) => Layer.effect(Transcode, make(options))
}

const make = Effect.fnUntraced(function* (options: Options) {
  const storage = yield* ObjectStorage
  const playback = yield* PlaybackUrls
  const record = yield* MediaRecord.make
  const decideAndTell = Announcement.decideAndTell(record, (key) => playback.urlFor({ bucket: options.bucket, key }))
  const work = yield* WorkFolder
  const quota = yield* Quota
  const own = yield* Effect.context<
    | FileSystem.FileSystem
    | Path.Path
    | ObjectStorage
    | PlaybackUrls
    | FfmpegPrograms
    | WorkFolder
    | ChildProcessSpawner.ChildProcessSpawner
  >()

  const completion = yield* Completion.make(options.bucket, record)
  const { cleaned, removePrefix } = completion
  const shared: Shared = { options, record, completion, jobs: yield* ChunkJobs.make }
  const keptOf = Kept.of(shared)
  const workOnPart = WorkOnPart.work(shared)
  const joinParts = join(shared)

  const transcode = Effect.fn("Transcode.transcode")(
    function* (
      event: EventOf<"media.uploaded">,
      claim: Claim,
      onProgress: Stopwatch.OnProgress = () => Effect.void,
      announce?: Announcement.Announce,
    ) {
      const { payload } = event
      const version = sha256(`${event.event_id}:${claim.token}`).slice(0, 16)
      const prefix = `media/${payload.media_id}/${version}/`
      const begun = yield* beginOrAgain(event, claim.token, prefix)
      if (begun._tag === "Superseded") return begun
      if (begun._tag === "AlreadyReady") {
        const { attempt, playable: isTold, ready } = begun
        return { _tag: "Ready", ready, playable: isTold ? undefined : Announcement.of(ready, attempt.prefix) } as const
      }

      const { attempt } = begun
      const stopwatch = Stopwatch.make(event, record, onProgress)
      const charge = Effect.fnUntraced(function* (of: { readonly bytes: number; readonly seconds: number }) {
        const state = yield* record.find(payload.media_id)
        // The user uploaded it once, however often it is made.
        if (state?.cause === event.event_id && state.charged === true) return
        yield* quota.charge(payload.user_id, { eventId: event.event_id, ...of })
        yield* record.charged(event)
      })
      const chunked = yield* beginJob(shared, event, attempt, charge)
      if (chunked !== undefined) {
        yield* stopwatch.lightly("transcoding", 10)
        return chunked
      }

      if (claim.lane === "short") {
        const bytes = (options.limits ?? defaultLimits).bytes
        const { size } = yield* locate({ filePath: payload.file_path, buckets: options.sourceBuckets, bytes })
        if (Lane.isLongBySize(size, options.shortWork ?? Lane.defaultShortWork)) return { _tag: "Long" } as const
      }

      const folder = yield* work.make
      const request = { filePath: payload.file_path, prefix, folder, lane: claim.lane, stopwatch, charge }
      const earlier = ((yield* record.find(payload.media_id))?.attempts ?? []).filter((one) => one.prefix !== prefix)
      const taken = yield* take(options, { ...request, earlier })
      const run =
        taken ??
        (yield* WholeRun.make(options, {
          ...request,
          mayCopy: mayCopy(options, claim),
          announce: announce === undefined ? undefined : (master) => decideAndTell(event, attempt, master, announce),
        }))
      if (run._tag === "Long") return run

      const { timings } = stopwatch
      const made = yield* stopwatch
        .timed("publishing", finish(options, run, prefix, timings))
        .pipe(completion.unlessOvertaken(payload.media_id, attempt))
      if (made === undefined) return { _tag: "Superseded" } as const
      const { isTold, plan, source } = run
      const outcome = yield* completion.publish({
        event,
        attempt,
        made,
        info: plan.info,
        bytes: source.size,
        timings,
        isTold,
      })
      if (outcome._tag === "Ready") {
        yield* Encoded.forget(options, prefix)
        yield* onProgress("publishing", 100)
      }
      return outcome
    },
    Effect.scoped,
    Effect.provide(own),
  )

  /** An earlier try may have published and died before it could tell; then only the telling is left. */
  const beginOrAgain = Effect.fnUntraced(function* (event: EventOf<"media.uploaded">, token: number, prefix: string) {
    const begun = yield* record.begin(event, token, prefix, false)
    if (begun._tag !== "AlreadyReady") return begun
    const there = yield* Effect.result(
      storage.head({ bucket: options.bucket, key: `${begun.attempt.prefix}${StreamPublisher.masterName}` }),
    )
    if (Result.isSuccess(there)) return begun
    if (there.failure._tag !== "NotFound") return yield* there.failure
    return yield* record.begin(event, token, prefix, true)
  })

  return {
    transcode,
    part: (request: WorkOnPart.Request) => Effect.provide(workOnPart(request), own),
    join: (request: JoinRequest) => Effect.provide(joinParts(request), own),
    endParts: shared.jobs.end,
    cancelParts: EndJobs.cancel(shared),
    giveUp: Effect.fn("Transcode.giveUp")(function* (failed: EventOf<"media.failed">) {
      for (const upload of yield* record.uploads(failed.payload.media_id)) {
        // A result's id follows from its cause, so it tells which upload failed.
        if (resultEventId(upload, "media.failed") !== failed.event_id) continue
        const { error, media_id } = failed.payload
        yield* cleaned(
          yield* record.fail(upload, failed.payload, yield* Effect.provide(keptOf(media_id, upload, error.code), own)),
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
    newest: Effect.fn("Transcode.newest")(function* (mediaId: string) {
      const found = yield* record.find(mediaId)
      return found === undefined || found.deleted_at !== undefined
        ? undefined
        : { cause: found.cause, upload: found.upload }
    }),
  }
})

/** What could not be done with the source's own packets is done without them. */
const mayCopy = (options: Options, claim: Claim): boolean => (options.copy ?? true) && (claim.attempts ?? 0) === 0
