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
import { ObjectStorage, type StorageError } from "@armoricore/storage/ObjectStorage"
import { PlaybackUrls } from "@armoricore/storage/Playback"
import { Context, Duration, Effect, FileSystem, Layer, Path, Result, Stream } from "effect"
import { ChildProcessSpawner } from "effect/process"
import { failure } from "./Failures.ts"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import * as FfmpegCommand from "./FfmpegCommand.ts"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { defaultLadder, frameRate, type Ladder, plan as planLadder } from "./Ladder.ts"
import * as MasterPlaylist from "./MasterPlaylist.ts"
import * as MediaRecord from "./MediaRecord.ts"
import { defaultLimits, type Limits, type MediaInfo, probe } from "./Probe.ts"
import * as SegmentUploader from "./SegmentUploader.ts"
import { download } from "./Source.ts"
import * as StreamPublisher from "./StreamPublisher.ts"
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
}

export type Outcome =
  | { readonly _tag: "Ready"; readonly ready: PayloadOf<"media.ready"> }
  /** A newer upload of this media is published already; nothing is to be told. */
  | { readonly _tag: "Superseded" }

/** Where a job stands: percent over the whole job, 0 to 100. */
export type OnProgress = (stage: MediaRecord.Stage, percent: number) => Effect.Effect<void>

export class Transcode extends Context.Service<
  Transcode,
  {
    /** `token` is the claim's; it grows with each owner of the event. `onProgress` is called a few times a second. */
    readonly transcode: (
      event: EventOf<"media.uploaded">,
      claim: { readonly token: number },
      onProgress?: OnProgress,
    ) => Effect.Effect<Outcome, TransientError | PermanentError | ConfigurationError>
    /** Notes a final failure, as it was told, and removes what its tries wrote. */
    readonly giveUp: (failed: EventOf<"media.failed">) => Effect.Effect<void, TransientError | ConfigurationError>
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
  const work = yield* WorkFolder
  const own = yield* Effect.context<
    FileSystem.FileSystem | Path.Path | ObjectStorage | FfmpegPrograms | ChildProcessSpawner.ChildProcessSpawner
  >()
  const limits = options.limits ?? defaultLimits

  const removePrefix = (prefix: string): Effect.Effect<void, StorageError> =>
    Stream.runForEach(storage.list(options.bucket, prefix), ({ key }) =>
      storage.remove({ bucket: options.bucket, key }),
    )

  const cleaned = (prefixes: ReadonlyArray<string>) =>
    Effect.forEach(prefixes, removePrefix, { discard: true }).pipe(
      // What stays behind costs space and harms nobody; the work itself is done.
      Effect.catch((error) => Effect.logWarning("objects of earlier attempts were not removed", { prefixes, error })),
    )

  const transcode = Effect.fn("Transcode.transcode")(
    function* (
      event: EventOf<"media.uploaded">,
      claim: { readonly token: number },
      onProgress: OnProgress = () => Effect.void,
    ) {
      const { payload } = event
      const version = sha256(`${event.event_id}:${claim.token}`).slice(0, 16)
      const prefix = `media/${payload.media_id}/${version}/`
      const begun = yield* beginOrAgain(event, claim.token, prefix)
      if (begun._tag === "Superseded") return begun
      if (begun._tag === "AlreadyReady") return { _tag: "Ready", ready: begun.ready } as const

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
          onFraction: (part) => lightly("downloading", part * 8),
        }),
      )

      yield* lightly("probing", 8)
      const info = yield* timed("probing", probe("source", bytes, folder, limits))
      const plan: FfmpegCommand.Plan = {
        info,
        renditions: info.video === undefined ? [] : planLadder(info.video, options.ladder ?? defaultLadder),
        frameRate: frameRate(info.video?.frameRate ?? { num: 30, den: 1 }),
        thumbnails: info.video === undefined ? 0 : (options.thumbnails ?? 5),
        toneMapping: programs.toneMapping,
      }

      const output = path.join(folder, "output")
      yield* diskTrouble(fs.makeDirectory(path.join(output, "thumbnails"), { recursive: true }))
      const target = { from: output, bucket: options.bucket, prefix, concurrency: options.uploads ?? 4 }
      const uploader = yield* SegmentUploader.make({ ...target, folders: FfmpegCommand.folders(plan) })
      yield* lightly("transcoding", 10)
      const running = Ffmpeg.run({
        args: FfmpegCommand.args(plan, input),
        cwd: output,
        onProgress: (seconds) => lightly("transcoding", 10 + 84 * Math.min(1, seconds / info.duration)),
        stuckAfter: options.stuckAfter ?? Duration.minutes(1),
        limit: Duration.seconds(300 + info.duration * (options.secondsPerSecond ?? 30)),
      })
      const ended = yield* timed("transcoding", Effect.raceFirst(running, uploader.follow))

      yield* lightly("publishing", 94)
      if (ended.code !== 0) return yield* ffmpegFailure(ended)
      const made = yield* timed(
        "publishing",
        Effect.andThen(uploader.sync, StreamPublisher.publish(plan, uploader, target)),
      )
      const urlFor = (key: string) => playback.urlFor({ bucket: options.bucket, key })
      const top = made.variants[0]
      const ready: PayloadOf<"media.ready"> = {
        media_id: payload.media_id,
        user_id: payload.user_id,
        playback_urls: { hls: yield* urlFor(made.master), mp4: {} },
        thumbnail_urls: yield* Effect.forEach(made.thumbnails, urlFor),
        duration: Math.round(made.seconds * 1000) / 1000,
        ...(top === undefined ? {} : { width: top.width, height: top.height }),
        resolutions: made.variants.map(({ name }) => name),
        metadata: { ...payload.metadata, source: describe(info, bytes) },
      }
      const published = yield* record.publish(event, {
        attempt: begun.attempt,
        ready,
        rungs: made.variants.map(({ name, width, height, segments }) => ({
          name,
          width,
          height,
          bandwidth: MasterPlaylist.bandwidth([segments, ...(made.sound === undefined ? [] : [made.sound.segments])]),
        })),
        timings,
      })
      if (published._tag === "Superseded") {
        yield* cleaned([prefix])
        return { _tag: "Superseded" } as const
      }
      yield* cleaned(published.obsolete)
      yield* onProgress("publishing", 100)
      return { _tag: "Ready", ready } as const
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
    giveUp: Effect.fn("Transcode.giveUp")(function* (failed: EventOf<"media.failed">) {
      for (const upload of yield* record.uploads(failed.payload.media_id)) {
        // A result's id follows from its cause, so it tells which upload failed.
        if (resultEventId(upload, "media.failed") !== failed.event_id) continue
        yield* cleaned(yield* record.fail(upload, failed.payload))
      }
    }),
  }
})

/** What the machine lacks is worth another try, what the file lacks is not. */
const ffmpegFailure = ({ code, stderr }: Ffmpeg.Ended): TransientError | PermanentError => {
  const last = stderr.trim().split("\n").slice(-3).join(" | ")
  // 69: more than two thirds of the frames could not be decoded.
  const broken =
    code === 69 ||
    /Invalid data found|Error while decoding|Error submitting packet to decoder|received no packets|Output file is empty|Decoder .* not found|Cannot determine format/i.test(
      stderr,
    )
  const machine = /No space left|Cannot allocate memory|Permission denied|Read-only file system/i.test(stderr)
  return broken && !machine
    ? failure("corrupt_media")
    : new TransientError({ dependency: "ffmpeg", code: "failed", message: `ffmpeg ended with code ${code}: ${last}` })
}

const describe = (info: MediaInfo, bytes: number) => ({
  format: info.format,
  bytes,
  duration: info.duration,
  ...(info.video === undefined
    ? {}
    : {
        video_codec: info.video.codec,
        width: info.video.width,
        height: info.video.height,
        rotation: info.video.rotation,
        frame_rate: Math.round((info.video.frameRate.num / info.video.frameRate.den) * 1000) / 1000,
        hdr: info.video.hdr,
      }),
  ...(info.audio === undefined ? {} : { audio_codec: info.audio.codec, channels: info.audio.channels }),
})
