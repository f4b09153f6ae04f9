/**
 * What an upload is: ffprobe's answer held to limits.
 *
 * The file comes from a stranger. A playlist or manifest renamed `.mp4` would make ffmpeg read other local files, so
 * only demuxers of real containers are allowed and only the `file` protocol; and no number that the file claims is
 * believed before it is checked here (`-max_pixels` only prints).
 */
import { Effect, Option, Path } from "effect"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { inputGuards, loopbackGuards } from "@armoricore/ffmpeg/InputGuards"
import { failure } from "./Failures.ts"
import * as PacketTimes from "./PacketTimes.ts"
import * as PictureBrand from "./PictureBrand.ts"
import * as Report from "./ProbeReport.ts"
import type { AudioInfo, Rational, VideoInfo } from "./ProbeReport.ts"

export type { AudioInfo, Rational, VideoInfo }

export interface Limits {
  /** Bytes of the file. */
  readonly bytes: number
  /** Length of the recording in seconds. */
  readonly seconds: number
  /** Width × height of the picture. */
  readonly pixels: number
  /** Tracks of all kinds. */
  readonly streams: number
}

export const defaultLimits: Limits = { bytes: 50e9, seconds: 12 * 3600, pixels: 8192 * 4320, streams: 64 }

/** How long the stream of a photo is. */
export const stillSeconds = 4

/** What takes less is hardly a recording of this length. */
const leastBytesASecond = 4_000

/**
 * Whether the length that is stated need not be one: bare frames of sound state none, and ffmpeg guesses by the rate of
 * the first; Matroska may state when it ends instead of how long it is, which shows where it begins late.
 */
const isGuessed = (format: string, start: number): boolean =>
  /^(aac|mp3|e?ac3|amr.*)$/.test(format) || (start > 0.5 && /^(matroska|nut)/.test(format))

/** More languages than any film has; the rest of them is left out. */
const maxSounds = 12

export interface MediaInfo {
  /** Seconds of the longest track. */
  readonly duration: number
  /** Seconds of the track that the stream is about: the picture, or else the sound. */
  readonly mainDuration: number
  readonly format: string
  readonly video: VideoInfo | undefined
  /** The one to play by itself first. */
  readonly sounds: ReadonlyArray<AudioInfo>
  /** ffmpeg's index of a sound file's cover picture. */
  readonly cover: number | undefined
}

/** A path below the working folder, or an address of this machine that a `SourceReader` answers at. */
export type Address = string | { readonly url: string }

/** Fails with a `PermanentError` of the catalogue when it cannot become a stream. */
export const probe = Effect.fn("Probe.probe")(function* (address: Address, bytes: number, cwd: string, limits: Limits) {
  const input =
    typeof address === "string" ? [...inputGuards, "-i", `file:${address}`] : [...loopbackGuards, "-i", address.url]
  const inspect = (args: ReadonlyArray<string>) => Ffmpeg.inspect(["-v", "error", ...args, ...input], cwd)
  /** Reads the whole file. */
  const byPackets = Effect.fnUntraced(function* (stream: number, hasJumps: boolean, start: number) {
    const times = hasJumps ? PacketTimes.played() : PacketTimes.toTheLast(start)
    const entries = "-show_entries packet=pts_time,dts_time,duration_time -of csv=p=0".split(" ")
    const args = ["-v", "error", "-select_streams", String(stream), ...entries, ...input]
    yield* Ffmpeg.inspectLines(args, cwd, times.take)
    return times.length()
  })

  const path = yield* Path.Path
  const brand = typeof address === "string" ? yield* PictureBrand.read(path.join(cwd, address)) : undefined
  if (brand === "heif") return yield* failure("unsupported_format", "a HEIC photo")

  const answer = yield* inspect(["-print_format", "json", "-show_format", "-show_streams"])
  if (answer.code !== 0) {
    return yield* /moov atom not found|truncat|partial file|end of file/i.test(answer.stderr)
      ? failure("corrupt_media")
      : failure("unsupported_format")
  }
  const report = yield* Effect.mapError(Report.decode(answer.stdout), () => failure("unsupported_format"))

  if (report.streams.length > limits.streams) {
    return yield* failure("too_many_streams", `${report.streams.length}, at most ${limits.streams}`)
  }
  const pictures = report.streams.filter(Report.isVideo)
  const cover = report.streams.find(Report.isCover)
  const heard = report.streams.filter(Report.isSound)
  const sound = Report.preferred(heard)
  const isImage = report.format.format_name.endsWith("_pipe") || brand === "avif"
  // A cover picture alone is a picture: some tools write a photo so.
  const picture = Report.preferred(pictures) ?? (sound === undefined ? cover : undefined)
  if (picture === undefined && sound === undefined) {
    const tracks = report.streams.filter(({ codec_type }) => codec_type === "video" || codec_type === "audio")
    return yield* failure(tracks.length > 0 ? "corrupt_media" : "no_media")
  }

  if (picture !== undefined) {
    const { width = 0, height = 0 } = picture
    // ffmpeg knows the container and cannot decode it.
    if (width <= 0 && report.format.format_name === "webp_pipe") {
      return yield* failure("unsupported_format", "an animated WebP")
    }
    if (width <= 0 || height <= 0) return yield* failure("corrupt_media", "the picture has no size")
    if (width * height > limits.pixels) {
      return yield* failure("too_many_pixels", `${width}×${height}, at most ${limits.pixels} pixels`)
    }
    if (Math.min(width, height) < 16) return yield* failure("too_small", `${width}×${height}`)
  }

  const index = (picture ?? sound)?.index ?? 0
  const still = isImage
    ? {
        orientation: yield* Effect.map(
          inspect(["-show_frames", "-read_intervals", "%+#1", "-of", "json"]),
          orientationOf,
        ),
      }
    : undefined
  const stated = Report.seconds(report.format.duration)
  // Their length is the difference of two clock readings, and recorders set the clock: then it means nothing.
  const isDoubtful =
    /^mpeg(ts)?$/.test(report.format.format_name) &&
    stated !== undefined &&
    (stated > limits.seconds || bytes / stated < leastBytesASecond)
  const start = Number(report.format.start_time ?? 0) || 0
  const isMeasured = isDoubtful || isGuessed(report.format.format_name, start)
  const whole = isMeasured ? undefined : stated
  const own = isMeasured
    ? undefined
    : Option.fromNullishOr(picture ?? sound).pipe(Option.map(Report.trackSeconds), Option.getOrUndefined)
  // Browsers' MediaRecorder writes no length; then the packets tell.
  const mainDuration =
    still === undefined ? (own ?? whole ?? (yield* byPackets(index, isDoubtful, start))) : stillSeconds
  if (mainDuration === undefined) return yield* failure("corrupt_media", "it has no length")
  const duration = still === undefined ? Math.max(mainDuration, whole ?? 0) : stillSeconds
  if (duration > limits.seconds) {
    return yield* failure("too_long", `${Math.round(duration)} s, at most ${limits.seconds} s`)
  }

  const video = picture === undefined ? undefined : Report.describeVideo(picture, (bytes * 8) / duration, still)
  if (video !== undefined && Math.min(video.width, video.height) < 16) {
    return yield* failure("too_small", `${video.width}×${video.height}`)
  }
  return {
    duration,
    mainDuration,
    format: report.format.format_name,
    video,
    sounds: [...heard]
      .sort((a, b) => Number(b === sound) - Number(a === sound))
      .slice(0, maxSounds)
      .map(Report.describeAudio),
    cover: cover === undefined || cover === picture ? undefined : cover.index,
  } satisfies MediaInfo
})

/** Phones write photos as the sensor saw them, and EXIF says how they were held. */
const orientationOf = ({ stdout }: { readonly stdout: string }): number => {
  const tags = Option.getOrUndefined(Report.decodeFrame(stdout))?.frames[0]?.tags ?? {}
  const value = Number(tags["Orientation"])
  return Number.isInteger(value) && value >= 1 && value <= 8 ? value : 1
}
