/**
 * Probes an upload with ffprobe and checks the result against limits.
 *
 * Uploads are untrusted. `InputRestrictions` prevents that ffprobe reads other files, and every number that the file
 * states is checked here: `-max_pixels` only prints an error.
 */
import { Effect, Option, Path } from "effect"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { inputRestrictions, loopbackRestrictions } from "@armoricore/ffmpeg/InputRestrictions"
import { failure } from "../pipeline/Failures.ts"
import * as PacketTimes from "./PacketTimes.ts"
import * as HeifBrand from "./HeifBrand.ts"
import * as Report from "./ProbeReport.ts"
import type { MediaInfo } from "./MediaInfo.ts"

export interface InputLimits {
  /** The largest file, in bytes. */
  readonly maxBytes: number
  /** The longest recording, in seconds. */
  readonly maxSeconds: number
  /** The largest width × height. */
  readonly maxPixels: number
  /** The most tracks of all kinds. */
  readonly maxStreams: number
}

export const defaultInputLimits: InputLimits = {
  maxBytes: 50e9,
  maxSeconds: 12 * 3600,
  maxPixels: 8192 * 4320,
  maxStreams: 64,
}

/** The duration of the stream of a photo. */
export const stillVideoSeconds = 4

/** A file with fewer bytes per second is shorter than it states. */
const minBytesPerSecond = 4_000

/**
 * Whether ffprobe's duration is only an estimate. Raw audio frames have no duration, so ffprobe estimates it from the bit
 * rate of the first frame. Matroska may state the end time instead of the duration, which matters if it starts late.
 */
const isEstimatedDuration = (format: string, start: number): boolean =>
  /^(aac|mp3|e?ac3|amr.*)$/.test(format) || (start > 0.5 && /^(matroska|nut)/.test(format))

/** Further audio tracks are left out. */
const maxAudioTracks = 12

/** A path below the working folder, or the loopback address of a `RangeProxy`. */
export type ProbeInput = string | { readonly url: string }

/** Fails with a `PermanentError` of `Failures` if the file cannot become a stream. */
export const probe = Effect.fn("Probe.probe")(function* (
  source: ProbeInput,
  bytes: number,
  cwd: string,
  limits: InputLimits,
) {
  const input =
    typeof source === "string"
      ? [...inputRestrictions, "-i", `file:${source}`]
      : [...loopbackRestrictions, "-i", source.url]
  const inspect = (args: ReadonlyArray<string>) => Ffmpeg.inspect(["-v", "error", ...args, ...input], cwd)
  /** Reads the whole file. */
  const byPackets = Effect.fnUntraced(function* (stream: number, hasJumps: boolean, start: number) {
    const times = hasJumps ? PacketTimes.decodedDuration() : PacketTimes.lastPacketEnd(start)
    const entries = "-show_entries packet=pts_time,dts_time,duration_time -of csv=p=0".split(" ")
    const args = ["-v", "error", "-select_streams", String(stream), ...entries, ...input]
    yield* Ffmpeg.inspectLines(args, cwd, times.add)
    return times.seconds()
  })

  const path = yield* Path.Path
  const brand = typeof source === "string" ? yield* HeifBrand.read(path.join(cwd, source)) : undefined
  if (brand === "heif") return yield* failure("unsupported_format", "a HEIC photo")

  const result = yield* inspect(["-print_format", "json", "-show_format", "-show_streams"])
  if (result.code !== 0) {
    return yield* /moov atom not found|truncat|partial file|end of file/i.test(result.stderr)
      ? failure("corrupt_media")
      : failure("unsupported_format")
  }
  const report = yield* Effect.mapError(Report.decode(result.stdout), () => failure("unsupported_format"))

  if (report.streams.length > limits.maxStreams) {
    return yield* failure("too_many_streams", `${report.streams.length}, at most ${limits.maxStreams}`)
  }
  const videoStreams = report.streams.filter(Report.isVideo)
  const cover = report.streams.find(Report.isCover)
  const audioStreams = report.streams.filter(Report.isAudio)
  const audioStream = Report.preferred(audioStreams)
  const isImage = report.format.format_name.endsWith("_pipe") || brand === "avif"
  // A file with only a cover image is a photo: some tools write photos this way.
  const videoStream = Report.preferred(videoStreams) ?? (audioStream === undefined ? cover : undefined)
  if (videoStream === undefined && audioStream === undefined) {
    const tracks = report.streams.filter(({ codec_type }) => codec_type === "video" || codec_type === "audio")
    return yield* failure(tracks.length > 0 ? "corrupt_media" : "no_media")
  }

  if (videoStream !== undefined) {
    const { width = 0, height = 0 } = videoStream
    // ffmpeg detects an animated WebP but cannot decode it.
    if (width <= 0 && report.format.format_name === "webp_pipe") {
      return yield* failure("unsupported_format", "an animated WebP")
    }
    if (width <= 0 || height <= 0) return yield* failure("corrupt_media", "the video has no size")
    if (width * height > limits.maxPixels) {
      return yield* failure("too_many_pixels", `${width}×${height}, at most ${limits.maxPixels} pixels`)
    }
    if (Math.min(width, height) < 16) return yield* failure("too_small", `${width}×${height}`)
  }

  const index = (videoStream ?? audioStream)?.index ?? 0
  const still = isImage
    ? {
        orientation: yield* Effect.map(
          inspect(["-show_frames", "-read_intervals", "%+#1", "-of", "json"]),
          orientationOf,
        ),
      }
    : undefined
  const statedDuration = Report.seconds(report.format.duration)
  // An MPEG stream has no duration, only timestamps, and recorders may reset the clock during a recording.
  const isDoubtful =
    /^mpeg(ts)?$/.test(report.format.format_name) &&
    statedDuration !== undefined &&
    (statedDuration > limits.maxSeconds || bytes / statedDuration < minBytesPerSecond)
  const start = Number(report.format.start_time ?? 0) || 0
  const isMeasured = isDoubtful || isEstimatedDuration(report.format.format_name, start)
  const fileDuration = isMeasured ? undefined : statedDuration
  const trackDuration = isMeasured
    ? undefined
    : Option.fromNullishOr(videoStream ?? audioStream).pipe(Option.map(Report.trackSeconds), Option.getOrUndefined)
  // The MediaRecorder of browsers writes no duration, so the packets are measured.
  const mainDuration =
    still === undefined
      ? (trackDuration ?? fileDuration ?? (yield* byPackets(index, isDoubtful, start)))
      : stillVideoSeconds
  if (mainDuration === undefined) return yield* failure("corrupt_media", "it has no duration")
  const duration = still === undefined ? Math.max(mainDuration, fileDuration ?? 0) : stillVideoSeconds
  if (duration > limits.maxSeconds) {
    return yield* failure("too_long", `${Math.round(duration)} s, at most ${limits.maxSeconds} s`)
  }

  const video = videoStream === undefined ? undefined : Report.describeVideo(videoStream, (bytes * 8) / duration, still)
  if (video !== undefined && Math.min(video.width, video.height) < 16) {
    return yield* failure("too_small", `${video.width}×${video.height}`)
  }
  return {
    duration,
    mainDuration,
    format: report.format.format_name,
    video,
    audioTracks: [...audioStreams]
      .sort((a, b) => Number(b === audioStream) - Number(a === audioStream))
      .slice(0, maxAudioTracks)
      .map(Report.describeAudio),
    cover: cover === undefined || cover === videoStream ? undefined : cover.index,
  } satisfies MediaInfo
})

/** Phones store photos in the orientation of the sensor, with the rotation in EXIF. */
const orientationOf = ({ stdout }: { readonly stdout: string }): number => {
  const tags = Option.getOrUndefined(Report.decodeFrame(stdout))?.frames[0]?.tags ?? {}
  const value = Number(tags["Orientation"])
  return Number.isInteger(value) && value >= 1 && value <= 8 ? value : 1
}
