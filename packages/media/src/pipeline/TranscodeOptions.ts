/** What of the making of a stream can be set, and what is made of a source by these settings. */
import { EncodingPlan } from "../encode/EncodingPlan.ts"
import type { Duration } from "effect"
import type * as ChunkWindow from "../chunked/ChunkWindow.ts"
import { frameRate, type Ladder, planRenditions } from "../encode/Ladder.ts"
import { defaultInputLimits, type InputLimits } from "../probe/Probe.ts"
import type { MediaInfo } from "../probe/MediaInfo.ts"
import * as Storyboard from "../packaging/Storyboard.ts"

export interface TranscodeOptions {
  /** Where streams are written: `OBJECT_STORAGE_BUCKET`. */
  readonly bucket: string
  /** Where uploads may lie: `MEDIA_SOURCE_BUCKETS`. */
  readonly sourceBuckets: ReadonlyArray<string>
  readonly ladder?: Ladder
  /** Ids of the video codecs that every size is encoded with, the one for all players first. Default `h264`. */
  readonly codecs?: ReadonlyArray<string>
  readonly limits?: InputLimits
  /** Pictures taken at even intervals. Default 5. */
  readonly thumbnails?: number
  /** ffmpeg without progress is ended after this. Default 1 min. */
  readonly stallTimeout?: Duration.Duration
  /** Seconds that a second of the source may take, besides five minutes. Default 30. */
  readonly timeoutFactor?: number
  /** Objects put at once. Default 4. */
  readonly uploadConcurrency?: number
  /** The most work that counts as short, in seconds of 1080p at 30 frames a second. Default 60. */
  readonly shortWorkLimit?: number
  /** Takes a picture or sound as it is where it is as good as what would be encoded. Default true. */
  readonly passthrough?: boolean
  /** Pictures for seeking. Default true. */
  readonly storyboard?: boolean
  /** Offers the sound of a film by itself too. Default true. */
  readonly audioOnly?: boolean
  /** Renditions that are also made as MP4 files for download: their names, or all. Default none. */
  readonly mp4?: "all" | ReadonlyArray<string>
  /** The loudness that sound is brought to, in LUFS (-16 is usual, -23 is EBU R 128); absent: left as it is. */
  readonly loudness?: number
  /** Bytes of memory that ffmpeg may use. Default 8 GB. */
  readonly memoryLimit?: number
  /** How long what is encoded waits for a storage that is away, before all is done again. Default 5 min. */
  readonly publishTimeout?: Duration.Duration
  /** Bytes that must be free in the work folder besides the upload itself. Default 200 MB. */
  readonly minFreeDisk?: number
  /** Bytes that the output of one upload may take in the work folder. Default: twice what its rates come to. */
  readonly maxOutputBytes?: number
  /** Long recordings are cut for many machines. Default: each is made in one run. */
  readonly chunks?: ChunkWindow.ChunkOptions
}

export const defaultMemoryLimit = 8e9
export const defaultMinFreeDisk = 200e6

/** Renditions that are files for download too. */
export const mp4Renditions = (options: TranscodeOptions, { renditions }: EncodingPlan): ReadonlyArray<string> =>
  renditions
    .map(({ name }) => name)
    .filter((name) => options.mp4 !== undefined && (options.mp4 === "all" || options.mp4.includes(name)))

/** What is made of a source. */
export const planEncoding = (options: TranscodeOptions, info: MediaInfo, toneMapping: boolean): EncodingPlan => {
  const renditions = info.video === undefined ? [] : planRenditions(info.video, options.ladder, options.codecs)
  const smallest = renditions.at(-1)
  const wantsStoryboard = (options.storyboard ?? true) && info.video?.still === undefined
  return new EncodingPlan({
    info,
    renditions,
    frameRate: frameRate(info.video?.frameRate ?? { num: 30, den: 1 }),
    thumbnails: info.video === undefined ? 0 : (options.thumbnails ?? 5),
    toneMapping,
    storyboard: smallest !== undefined && wantsStoryboard ? Storyboard.plan(smallest, info.mainDuration) : undefined,
    loudness: options.loudness,
    // Decoders count the padding of a frame too.
    maxPixels: (options.limits ?? defaultInputLimits).maxPixels * 2,
  })
}
