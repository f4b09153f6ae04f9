/** Settings of the pipeline with their defaults, and the encoding plan that follows from them. */
import { basename, extname } from "node:path/posix"
import { Duration } from "effect"
import type * as ChunkWindow from "../chunked/ChunkWindow.ts"
import { defaultVideoCodecIds } from "../encode/codecs/Codecs.ts"
import * as DiskQuota from "../encode/DiskQuota.ts"
import { EncodingPlan, type PlanRequest, withSurround } from "../encode/EncodingPlan.ts"
import { defaultLadder, frameRate, type Ladder, planRenditions } from "../encode/Ladder.ts"
import type { MediaInfo } from "../probe/MediaInfo.ts"
import type { ProtectionOptions } from "../protection/Protection.ts"
import { defaultInputLimits, type InputLimits } from "../probe/Probe.ts"
import * as Storyboard from "../packaging/Storyboard.ts"
import { defaultShortWorkLimit } from "./WorkClass.ts"

export interface TranscodeOptions {
  /** The bucket that streams are written to: `OBJECT_STORAGE_BUCKET`. */
  readonly bucket: string
  /** The buckets that uploads may come from: `MEDIA_SOURCE_BUCKETS`. */
  readonly sourceBuckets: ReadonlyArray<string>
  readonly ladder?: Ladder
  /** Ids of the video codecs that each size is encoded with; the first one is for all players. Default `h264`. */
  readonly codecs?: ReadonlyArray<string>
  readonly limits?: InputLimits
  /** Thumbnails, at even intervals. Default 5. */
  readonly thumbnails?: number
  /** ffmpeg is killed after this time without progress. Default 1 min. */
  readonly stallTimeout?: Duration.Duration
  /** Seconds of encoding per second of the source, in addition to five minutes. Default 30. */
  readonly timeoutFactor?: number
  /** Concurrent uploads of objects. Default 4. */
  readonly uploadConcurrency?: number
  /** The largest encode cost of a short upload, in seconds of 1080p at 30 frames a second. Default 60. */
  readonly shortWorkLimit?: number
  /** Copies a video or audio track that already meets the requirements of a rendition. Default true. */
  readonly passthrough?: boolean
  /** Makes sprites for seeking. Default true. */
  readonly storyboard?: boolean
  /** Adds an audio-only stream to videos. Default true. */
  readonly audioOnly?: boolean
  /** Renditions that are also published as MP4 files for download: their names, or all. Default none. */
  readonly mp4?: "all" | ReadonlyArray<string>
  /** Target loudness in LUFS (-16 is usual, -23 is EBU R 128). Default: loudness is not changed. */
  readonly loudness?: number
  /** Bytes of memory that ffmpeg may use. Default 8 GB. */
  readonly memoryLimit?: number
  /** How long an upload of encoded output is retried while the storage is unavailable. Default 5 min. */
  readonly publishTimeout?: Duration.Duration
  /** Bytes that must stay free in the work folder in addition to the source. Default 200 MB. */
  readonly minFreeDisk?: number
  /** Bytes that the output of one upload may use in the work folder. Default: an estimate from the plan's bit rates. */
  readonly maxOutputBytes?: number
  /** Encrypts streams. Default: they are not encrypted. */
  readonly protection?: ProtectionOptions
  /** Splits long videos into chunks that all media workers encode. Default: one worker encodes each upload. */
  readonly chunks?: ChunkWindow.ChunkOptions
}

/** Every option with its default. `loudness`, `protection` and `chunks` stay undefined when they are off. */
export interface ResolvedOptions extends Required<
  Omit<TranscodeOptions, "loudness" | "chunks" | "maxOutputBytes" | "protection">
> {
  readonly loudness: number | undefined
  readonly protection: ProtectionOptions | undefined
  readonly maxOutputBytes: (plan: EncodingPlan) => number
  readonly chunks: ChunkWindow.ChunkOptions | undefined
}

/** The only place that applies defaults. */
export const resolve = (options: TranscodeOptions): ResolvedOptions => {
  const { maxOutputBytes } = options
  return {
    bucket: options.bucket,
    sourceBuckets: options.sourceBuckets,
    ladder: options.ladder ?? defaultLadder,
    codecs: options.codecs ?? defaultVideoCodecIds,
    limits: options.limits ?? defaultInputLimits,
    thumbnails: options.thumbnails ?? 5,
    stallTimeout: options.stallTimeout ?? Duration.minutes(1),
    timeoutFactor: options.timeoutFactor ?? 30,
    uploadConcurrency: options.uploadConcurrency ?? 4,
    shortWorkLimit: options.shortWorkLimit ?? defaultShortWorkLimit,
    passthrough: options.passthrough ?? true,
    storyboard: options.storyboard ?? true,
    audioOnly: options.audioOnly ?? true,
    mp4: options.mp4 ?? [],
    loudness: options.loudness,
    protection: options.protection,
    memoryLimit: options.memoryLimit ?? 8e9,
    publishTimeout: options.publishTimeout ?? Duration.minutes(5),
    minFreeDisk: options.minFreeDisk ?? 200e6,
    maxOutputBytes: maxOutputBytes === undefined ? DiskQuota.estimate : () => maxOutputBytes,
    chunks: options.chunks,
  }
}

/** Names of the plan's renditions that are also published as MP4 files. */
export const mp4Renditions = ({ mp4 }: ResolvedOptions, { renditions, request }: EncodingPlan): ReadonlyArray<string> =>
  renditions
    .map(({ name }) => name)
    .filter((name) => mp4 === "all" || request?.download !== undefined || mp4.includes(name))

/** The time limit of ffmpeg for this many seconds of the source. */
export const transcodeTimeout = ({ timeoutFactor }: ResolvedOptions, seconds: number): Duration.Duration =>
  Duration.seconds(300 + seconds * timeoutFactor)

/** Plans the renditions and still images of a source. */
export const planEncoding = (
  options: ResolvedOptions,
  source: MediaInfo,
  toneMapping: boolean,
  request?: PlanRequest,
): EncodingPlan => {
  const info = withSurround(source)
  const renditions =
    info.video === undefined
      ? []
      : planRenditions(info.video, options.ladder, options.codecs, request?.watermark === undefined)
  const smallest = renditions.at(-1)
  const hasStoryboard = options.storyboard && info.video?.still === undefined
  return new EncodingPlan({
    info,
    renditions,
    frameRate: frameRate(info.video?.frameRate ?? { num: 30, den: 1 }),
    thumbnails: info.video === undefined ? 0 : options.thumbnails,
    toneMapping,
    storyboard: smallest !== undefined && hasStoryboard ? Storyboard.plan(smallest, info.duration) : undefined,
    loudness: options.loudness,
    request,
    // Decoders count the padding of a frame too.
    maxPixels: options.limits.maxPixels * 2,
  })
}

/** The name of files for download: that of the request, else that of the uploaded file, without its ending. */
export const downloadName = ({ request }: EncodingPlan, filePath: string): string =>
  (request?.download ?? "") === "" ? basename(filePath, extname(filePath)) : (request?.download ?? "")
