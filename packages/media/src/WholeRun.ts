/**
 * Makes all of an upload on this machine: download → probe → plan → one ffmpeg, whose segments are uploaded while it
 * runs.
 */
import type { PermanentError, TransientError } from "@armoricore/domain/Errors"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import type { ObjectInfo } from "@armoricore/storage/ObjectStorage"
import { Duration, Effect, Path } from "effect"
import * as CopyCheck from "./copy/CopyCheck.ts"
import * as FfmpegCommand from "./FfmpegCommand.ts"
import * as FfmpegVerdict from "./FfmpegVerdict.ts"
import { defaultLadder } from "./Ladder.ts"
import * as Lane from "./Lane.ts"
import * as OutputGuard from "./OutputGuard.ts"
import * as Pictures from "./Pictures.ts"
import * as Playable from "./Playable.ts"
import { defaultLimits, probe } from "./Probe.ts"
import * as SegmentUploader from "./SegmentUploader.ts"
import { download } from "./Source.ts"
import type { Stopwatch } from "./Stopwatch.ts"
import { defaultFreeDisk, defaultMemory, mp4Of, type Options, planOf } from "./TranscodeOptions.ts"

export interface Request<E> {
  /** `s3://bucket/key` */
  readonly filePath: string
  /** Ends with a slash. */
  readonly prefix: string
  /** An empty folder. */
  readonly folder: string
  /** Absent: whatever its length. */
  readonly lane: Lane.Lane | undefined
  /** Whether parts of the source may be taken as they are. */
  readonly mayCopy: boolean
  readonly stopwatch: Stopwatch
  /** Called once its size is known. */
  readonly charge: (of: { readonly bytes: number; readonly seconds: number }) => Effect.Effect<void, E>
  /** See `Playable`. */
  readonly announce: ((master: string) => Effect.Effect<boolean>) | undefined
}

/** ffmpeg came to a good end; what it made last may not be in storage yet. */
export interface Run {
  readonly _tag: "Run"
  /** What was made. */
  readonly plan: FfmpegCommand.Plan
  readonly source: ObjectInfo
  readonly uploader: SegmentUploader.SegmentUploader
  /** The local folder that it wrote to. */
  readonly output: string
  /** Whether `media.playable` was told of it. */
  readonly isTold: boolean
}

/** It is no work for the queue of the short ones; nothing was made. */
export interface Long {
  readonly _tag: "Long"
}

export const make = Effect.fn("WholeRun.make")(function* <E>(options: Options, request: Request<E>) {
  const path = yield* Path.Path
  const programs = yield* FfmpegPrograms
  const { folder, lane, prefix, stopwatch } = request
  const limits = options.limits ?? defaultLimits
  const input = path.join(folder, "source")
  yield* stopwatch.lightly("downloading", 0)
  const source = yield* stopwatch.timed(
    "downloading",
    download({
      filePath: request.filePath,
      buckets: options.sourceBuckets,
      to: input,
      bytes: limits.bytes,
      freeDisk: options.freeDisk ?? defaultFreeDisk,
      onFraction: (part) => stopwatch.lightly("downloading", part * 8),
    }),
  )

  yield* stopwatch.lightly("probing", 8)
  const info = yield* stopwatch.timed("probing", probe("source", source.size, folder, limits))
  yield* request.charge({ bytes: source.size, seconds: info.duration })
  const planned = planOf(options, info, programs.toneMapping)
  if (lane === "short" && Lane.isLong(planned, options.shortWork ?? Lane.defaultShortWork))
    return { _tag: "Long" } satisfies Long
  const plan = request.mayCopy
    ? (yield* CopyCheck.decide(planned, {
        input,
        folder,
        ladder: options.ladder ?? defaultLadder,
        limit: Duration.seconds(60 + info.duration),
      })).plan
    : planned

  const output = path.join(folder, "output")
  yield* Pictures.prepare(plan, output)
  const target = { from: output, bucket: options.bucket, prefix, concurrency: options.uploads ?? 4 }
  const keep = mp4Of(options, plan).length > 0
  const uploader = yield* SegmentUploader.make({ ...target, folders: FfmpegCommand.folders(plan), keep })
  const playable = yield* Playable.make(plan, {
    ...target,
    audioOnly: options.audioOnly ?? true,
    announce: request.announce,
  })
  yield* stopwatch.lightly("transcoding", 10)
  const memory = options.memory ?? defaultMemory
  const running = Ffmpeg.run({
    args: FfmpegCommand.args(plan, input),
    cwd: output,
    onProgress: (seconds) => stopwatch.lightly("transcoding", 10 + 84 * Math.min(1, seconds / info.duration)),
    stuckAfter: options.stuckAfter ?? Duration.minutes(1),
    limit: limitOf(options, info.duration),
    memory,
    background: lane === "long",
  })
  const guard = OutputGuard.watch({
    folder: output,
    bytes: options.maxOutput ?? OutputGuard.boundOf(plan),
    // What was asked for at the start is for this; the last of it is for others.
    free: (options.freeDisk ?? defaultFreeDisk) / 2,
  })
  const ended = yield* stopwatch.timed(
    "transcoding",
    Effect.raceAllFirst([running, uploader.follow(playable.update), guard]),
  )

  const isTold = yield* playable.close
  yield* stopwatch.lightly("publishing", 94)
  if (ended.code !== 0) {
    const verdict: TransientError | PermanentError = FfmpegVerdict.judge(ended, {
      limited: true,
      copied: plan.copied !== undefined,
    })
    return yield* verdict
  }
  yield* Pictures.makeCover(plan, { input, output, memory })
  return { _tag: "Run", plan, source, uploader, output, isTold } satisfies Run
})

/** How long ffmpeg may take for so many seconds. */
export const limitOf = (options: Options, seconds: number): Duration.Duration =>
  Duration.seconds(300 + seconds * (options.secondsPerSecond ?? 30))
