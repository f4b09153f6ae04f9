/**
 * What an upload is: ffprobe's answer held to limits.
 *
 * The file comes from a stranger. A playlist or manifest renamed `.mp4` would make ffmpeg read other local files, so
 * only demuxers of real containers are allowed and only the `file` protocol; and no number that the file claims is
 * believed before it is checked here (`-max_pixels` only prints).
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
  /** Bytes of the file. */
  readonly maxBytes: number
  /** Length of the recording in seconds. */
  readonly maxSeconds: number
  /** Width × height of the picture. */
  readonly maxPixels: number
  /** Tracks of all kinds. */
  readonly maxStreams: number
}

export const defaultInputLimits: InputLimits = {
  maxBytes: 50e9,
  maxSeconds: 12 * 3600,
  maxPixels: 8192 * 4320,
  maxStreams: 64,
}

/** How long the stream of a photo is. */
export const stillVideoSeconds = 4

/** What takes less is hardly a recording of this length. */
const minBytesPerSecond = 4_000

/**
 * Whether the length that is stated need not be one: bare frames of sound state none, and ffmpeg guesses by the rate of
 * the first; Matroska may state when it ends instead of how long it is, which shows where it begins late.
 */
const isEstimatedDuration = (format: string, start: number): boolean =>
  /^(aac|mp3|e?ac3|amr.*)$/.test(format) || (start > 0.5 && /^(matroska|nut)/.test(format))

/** More languages than any film has; the rest of them is left out. */
const maxAudioTracks = 12

/** A path below the working folder, or an address of this machine that a `SourceReader` answers at. */
export type ProbeInput = string | { readonly url: string }

/** Fails with a `PermanentError` of the catalogue when it cannot become a stream. */
export const probe = Effect.fn("Probe.probe")(function* (
  address: ProbeInput,
  bytes: number,
  cwd: string,
  limits: InputLimits,
) {
  const input =
    typeof address === "string"
      ? [...inputRestrictions, "-i", `file:${address}`]
      : [...loopbackRestrictions, "-i", address.url]
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
  const brand = typeof address === "string" ? yield* HeifBrand.read(path.join(cwd, address)) : undefined
  if (brand === "heif") return yield* failure("unsupported_format", "a HEIC photo")

  const answer = yield* inspect(["-print_format", "json", "-show_format", "-show_streams"])
  if (answer.code !== 0) {
    return yield* /moov atom not found|truncat|partial file|end of file/i.test(answer.stderr)
      ? failure("corrupt_media")
      : failure("unsupported_format")
  }
  const report = yield* Effect.mapError(Report.decode(answer.stdout), () => failure("unsupported_format"))

  if (report.streams.length > limits.maxStreams) {
    return yield* failure("too_many_streams", `${report.streams.length}, at most ${limits.maxStreams}`)
  }
  const videoStreams = report.streams.filter(Report.isVideo)
  const cover = report.streams.find(Report.isCover)
  const audioStreams = report.streams.filter(Report.isAudio)
  const audioStream = Report.preferred(audioStreams)
  const isImage = report.format.format_name.endsWith("_pipe") || brand === "avif"
  // A cover picture alone is a picture: some tools write a photo so.
  const videoStream = Report.preferred(videoStreams) ?? (audioStream === undefined ? cover : undefined)
  if (videoStream === undefined && audioStream === undefined) {
    const tracks = report.streams.filter(({ codec_type }) => codec_type === "video" || codec_type === "audio")
    return yield* failure(tracks.length > 0 ? "corrupt_media" : "no_media")
  }

  if (videoStream !== undefined) {
    const { width = 0, height = 0 } = videoStream
    // ffmpeg knows the container and cannot decode it.
    if (width <= 0 && report.format.format_name === "webp_pipe") {
      return yield* failure("unsupported_format", "an animated WebP")
    }
    if (width <= 0 || height <= 0) return yield* failure("corrupt_media", "the picture has no size")
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
  // Their length is the difference of two clock readings, and recorders set the clock: then it means nothing.
  const isDoubtful =
    /^mpeg(ts)?$/.test(report.format.format_name) &&
    statedDuration !== undefined &&
    (statedDuration > limits.maxSeconds || bytes / statedDuration < minBytesPerSecond)
  const start = Number(report.format.start_time ?? 0) || 0
  const isMeasured = isDoubtful || isEstimatedDuration(report.format.format_name, start)
  const whole = isMeasured ? undefined : statedDuration
  const own = isMeasured
    ? undefined
    : Option.fromNullishOr(videoStream ?? audioStream).pipe(Option.map(Report.trackSeconds), Option.getOrUndefined)
  // Browsers' MediaRecorder writes no length; then the packets tell.
  const mainDuration =
    still === undefined ? (own ?? whole ?? (yield* byPackets(index, isDoubtful, start))) : stillVideoSeconds
  if (mainDuration === undefined) return yield* failure("corrupt_media", "it has no length")
  const duration = still === undefined ? Math.max(mainDuration, whole ?? 0) : stillVideoSeconds
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

/** Phones write photos as the sensor saw them, and EXIF says how they were held. */
const orientationOf = ({ stdout }: { readonly stdout: string }): number => {
  const tags = Option.getOrUndefined(Report.decodeFrame(stdout))?.frames[0]?.tags ?? {}
  const value = Number(tags["Orientation"])
  return Number.isInteger(value) && value >= 1 && value <= 8 ? value : 1
}
