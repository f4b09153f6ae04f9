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
import { type ConfigurationError, type PermanentError, TransientError } from "@armoricore/domain/Errors"
import type { EventOf, PayloadOf } from "@armoricore/domain/Events"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { PlaybackUrls } from "@armoricore/storage/Playback"
import { Context, Duration, Effect, FileSystem, Layer, Path, Result } from "effect"
import { ChildProcessSpawner } from "effect/process"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import * as Announcement from "./Announcement.ts"
import * as Completion from "./Completion.ts"
import { begin as beginJob, type Chunked } from "./chunks/BeginJob.ts"
import * as ChunkJobs from "./chunks/ChunkJobs.ts"
import type * as ChunkPlan from "./chunks/ChunkPlan.ts"
import * as EndJobs from "./chunks/EndJobs.ts"
import { join, type Request as JoinRequest } from "./chunks/JoinParts.ts"
import type { Shared } from "./chunks/Shared.ts"
import * as WorkOnPart from "./chunks/WorkOnPart.ts"
import * as CopyCheck from "./copy/CopyCheck.ts"
import * as FfmpegCommand from "./FfmpegCommand.ts"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import * as FfmpegVerdict from "./FfmpegVerdict.ts"
import { defaultLadder, frameRate, type Ladder, plan as planLadder } from "./Ladder.ts"
import * as Lane from "./Lane.ts"
import * as MediaRecord from "./MediaRecord.ts"
import * as Mp4Files from "./Mp4Files.ts"
import * as OutputGuard from "./OutputGuard.ts"
import * as Playable from "./Playable.ts"
import { defaultLimits, type Limits, type MediaInfo, probe } from "./Probe.ts"
import { Quota } from "./Quota.ts"
import * as SegmentUploader from "./SegmentUploader.ts"
import { download, locate } from "./Source.ts"
import * as Storyboard from "./Storyboard.ts"
import * as StreamPublisher from "./StreamPublisher.ts"
import * as ToneMap from "./ToneMap.ts"
import { diskTrouble, WorkFolder } from "@armoricore/ffmpeg/WorkFolder"

export interface Options {
  /** Where streams are written: `OBJECT_STORAGE_BUCKET`. */
  readonly bucket: string
  /** Where uploads may lie: `MEDIA_SOURCE_BUCKETS`. */
  readonly sourceBuckets: ReadonlyArray<string>
  readonly ladder?: Ladder
  readonly limits?: Limits
  /** Pictures taken at even intervals. Default 5. */
  readonly thumbnails?: number
  /** ffmpeg without progress is ended after this. Default 1 min. */
  readonly stuckAfter?: Duration.Duration
  /** Seconds that a second of the source may take, besides five minutes. Default 30. */
  readonly secondsPerSecond?: number
  /** Objects put at once. Default 4. */
  readonly uploads?: number
  /** The most work that counts as short, in seconds of 1080p at 30 frames a second. Default 60. */
  readonly shortWork?: number
  /** Takes a picture or sound as it is where it is as good as what would be encoded. Default true. */
  readonly copy?: boolean
  /** Pictures for seeking. Default true. */
  readonly storyboard?: boolean
  /** Offers the sound of a film by itself too. Default true. */
  readonly audioOnly?: boolean
  /** Renditions that are also made as MP4 files for download: their names, or all. Default none. */
  readonly mp4?: "all" | ReadonlyArray<string>
  /** The loudness that sound is brought to, in LUFS (-16 is usual, -23 is EBU R 128); absent: left as it is. */
  readonly loudness?: number
  /** Bytes of memory that ffmpeg may use. Default 8 GB. */
  readonly memory?: number
  /** How long what is encoded waits for a storage that is away, before all is done again. Default 5 min. */
  readonly publishPatience?: Duration.Duration
  /** Bytes that must be free in the work folder besides the upload itself. Default 200 MB. */
  readonly freeDisk?: number
  /** Bytes that the output of one upload may take in the work folder. Default: twice what its rates come to. */
  readonly maxOutput?: number
  /** Long recordings are cut for many machines. Default: each is made in one run. */
  readonly chunks?: ChunkPlan.Options
}

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

/** Where a job stands: percent over the whole job, 0 to 100. */
export type OnProgress = (stage: MediaRecord.Stage, percent: number) => Effect.Effect<void>

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
      onProgress?: OnProgress,
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
    /** Notes a final failure, as it was told, and removes what its tries wrote. */
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
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const storage = yield* ObjectStorage
  const playback = yield* PlaybackUrls
  const programs = yield* FfmpegPrograms
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
  const limits = options.limits ?? defaultLimits
  const shortWork = options.shortWork ?? Lane.defaultShortWork

  const completion = yield* Completion.make(options.bucket, record)
  const { cleaned, removePrefix } = completion
  const shared: Shared = { options, record, completion, jobs: yield* ChunkJobs.make }
  const keptOf = EndJobs.kept(shared)
  const workOnPart = WorkOnPart.work(shared)
  const joinParts = join(shared)

  const transcode = Effect.fn("Transcode.transcode")(
    function* (
      event: EventOf<"media.uploaded">,
      claim: Claim,
      onProgress: OnProgress = () => Effect.void,
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

      const timings: Record<string, number> = {}
      let recorded = -100
      const tell = Effect.fnUntraced(function* (stage: MediaRecord.Stage, percent: number) {
        const rounded = Math.round(Math.min(100, Math.max(0, percent)) * 10) / 10
        yield* onProgress(stage, rounded)
        if (rounded - recorded >= 10) {
          recorded = rounded
          yield* record.progress(event, stage, rounded)
        }
      })
      // What a callback reports must not end the job.
      const lightly = (stage: MediaRecord.Stage, percent: number) =>
        tell(stage, percent).pipe(Effect.catch((error) => Effect.logDebug("progress was not recorded", { error })))
      const timed = <A, E, R>(stage: MediaRecord.Stage, effect: Effect.Effect<A, E, R>) =>
        Effect.map(Effect.timed(effect), ([took, value]) => {
          timings[stage] = Math.round(Duration.toMillis(took))
          return value
        })

      const charge = Effect.fnUntraced(function* (of: { readonly bytes: number; readonly seconds: number }) {
        const state = yield* record.find(payload.media_id)
        // The user uploaded it once, however often it is made.
        if (state?.cause === event.event_id && state.charged === true) return
        yield* quota.charge(payload.user_id, { eventId: event.event_id, ...of })
        yield* record.charged(event)
      })
      const chunked = yield* beginJob(shared, event, begun.attempt, charge)
      if (chunked !== undefined) {
        yield* lightly("transcoding", 10)
        return chunked
      }

      if (claim.lane === "short") {
        const { size } = yield* locate({
          filePath: payload.file_path,
          buckets: options.sourceBuckets,
          bytes: limits.bytes,
        })
        if (Lane.isLongBySize(size, shortWork)) return { _tag: "Long" } as const
      }

      const folder = yield* work.make
      const input = path.join(folder, "source")
      yield* lightly("downloading", 0)
      const bytes = yield* timed(
        "downloading",
        download({
          filePath: payload.file_path,
          buckets: options.sourceBuckets,
          to: input,
          bytes: limits.bytes,
          freeDisk: options.freeDisk ?? defaultFreeDisk,
          onFraction: (part) => lightly("downloading", part * 8),
        }),
      )

      yield* lightly("probing", 8)
      const info = yield* timed("probing", probe("source", bytes, folder, limits))
      yield* charge({ bytes, seconds: info.duration })
      const planned = planOf(options, info, programs.toneMapping)
      if (claim.lane === "short" && Lane.isLong(planned, shortWork)) return { _tag: "Long" } as const
      const plan = mayCopy(options, claim)
        ? (yield* CopyCheck.decide(planned, {
            input,
            folder,
            ladder: options.ladder ?? defaultLadder,
            limit: Duration.seconds(60 + info.duration),
          })).plan
        : planned
      const wanted = mp4Of(options, plan)

      const output = path.join(folder, "output")
      yield* Effect.forEach(FfmpegCommand.pictureFolders, (name) =>
        diskTrouble(fs.makeDirectory(path.join(output, name), { recursive: true })),
      )
      yield* ToneMap.prepare(plan, output)
      const target = { from: output, bucket: options.bucket, prefix, concurrency: options.uploads ?? 4 }
      const keep = wanted.length > 0
      const uploader = yield* SegmentUploader.make({ ...target, folders: FfmpegCommand.folders(plan), keep })
      const playable = yield* Playable.make(plan, {
        ...target,
        audioOnly: options.audioOnly ?? true,
        announce:
          announce === undefined ? undefined : (master) => decideAndTell(event, begun.attempt, master, announce),
      })
      yield* lightly("transcoding", 10)
      const limit = Duration.seconds(300 + info.duration * (options.secondsPerSecond ?? 30))
      const running = Ffmpeg.run({
        args: FfmpegCommand.args(plan, input),
        cwd: output,
        onProgress: (seconds) => lightly("transcoding", 10 + 84 * Math.min(1, seconds / info.duration)),
        stuckAfter: options.stuckAfter ?? Duration.minutes(1),
        limit,
        memory: options.memory ?? defaultMemory,
        background: claim.lane === "long",
      })
      const guard = OutputGuard.watch({
        folder: output,
        bytes: options.maxOutput ?? OutputGuard.boundOf(plan),
        // What was asked for at the start is for this; the last of it is for others.
        free: (options.freeDisk ?? defaultFreeDisk) / 2,
      })
      const ended = yield* timed("transcoding", Effect.raceAllFirst([running, uploader.follow(playable.update), guard]))

      const isTold = yield* playable.close
      yield* lightly("publishing", 94)
      if (ended.code !== 0)
        return yield* FfmpegVerdict.judge(ended, { limited: true, copied: plan.copied !== undefined })
      if (info.video === undefined && info.cover !== undefined) yield* coverPicture(info.cover, input, output)
      const patient = SegmentUploader.whileStorageIsAway(options.publishPatience ?? Duration.minutes(5))
      const publishing = Effect.gen(function* () {
        yield* patient(uploader.sync)
        const files = keep
          ? yield* Mp4Files.make({ from: output, uploaded: uploader.uploaded(), renditions: wanted, limit })
          : {}
        return yield* patient(
          StreamPublisher.publish(plan, uploader, { ...target, audioOnly: options.audioOnly ?? true, mp4: files }),
        )
      })
      const made = yield* timed("publishing", publishing).pipe(
        completion.unlessOvertaken(payload.media_id, begun.attempt),
      )
      if (made === undefined) return { _tag: "Superseded" } as const
      const { attempt } = begun
      const outcome = yield* completion.publish({ event, attempt, made, info, bytes, timings, isTold })
      if (outcome._tag === "Ready") yield* onProgress("publishing", 100)
      return outcome
    },
    Effect.scoped,
    Effect.provide(own),
  )

  /** The picture on a sound file; a broken one is no reason to refuse the sound. */
  const coverPicture = (stream: number, input: string, output: string) =>
    Ffmpeg.run({
      args: FfmpegCommand.coverArgs(stream, input),
      cwd: output,
      onProgress: () => Effect.void,
      stuckAfter: Duration.seconds(20),
      limit: Duration.minutes(1),
      memory: options.memory ?? defaultMemory,
    }).pipe(
      Effect.tap((ended) => (ended.code === 0 ? Effect.void : Effect.logInfo("the cover picture is broken"))),
      Effect.catch((error) => Effect.logInfo("the cover picture was not made", { error })),
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
        yield* cleaned(yield* record.fail(upload, failed.payload, yield* keptOf(media_id, upload, error.code)))
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

export const defaultMemory = 8e9
export const defaultFreeDisk = 200e6

/** Renditions that are files for download too. */
export const mp4Of = (options: Options, { renditions }: FfmpegCommand.Plan): ReadonlyArray<string> =>
  renditions
    .map(({ name }) => name)
    .filter((name) => options.mp4 !== undefined && (options.mp4 === "all" || options.mp4.includes(name)))

/** What is made of a source. */
export const planOf = (options: Options, info: MediaInfo, toneMapping: boolean): FfmpegCommand.Plan => {
  const renditions = info.video === undefined ? [] : planLadder(info.video, options.ladder ?? defaultLadder)
  const smallest = renditions.at(-1)
  const wantsStoryboard = (options.storyboard ?? true) && info.video?.still === undefined
  return {
    info,
    renditions,
    frameRate: frameRate(info.video?.frameRate ?? { num: 30, den: 1 }),
    thumbnails: info.video === undefined ? 0 : (options.thumbnails ?? 5),
    toneMapping,
    storyboard: smallest !== undefined && wantsStoryboard ? Storyboard.plan(smallest, info.mainDuration) : undefined,
    loudness: options.loudness,
    // Decoders count the padding of a frame too.
    maxPixels: (options.limits ?? defaultLimits).pixels * 2,
  }
}
