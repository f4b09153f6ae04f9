/**
 * What an upload is: ffprobe's answer, read through Schemas and held to limits.
 *
 * The file comes from a stranger. A playlist or manifest renamed `.mp4` would make ffmpeg read other local files, so
 * only demuxers of real containers are allowed and only the `file` protocol; and no number that the file claims is
 * believed before it is checked here (`-max_pixels` only prints).
 */
import { TransientError } from "@armoricore/domain/Errors"
import { Effect, Option, Schema } from "effect"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { inputGuards } from "@armoricore/ffmpeg/InputGuards"
import { failure } from "./Failures.ts"

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

export interface Rational {
  readonly num: number
  readonly den: number
}

export interface VideoInfo {
  /** ffmpeg's stream index in the file. */
  readonly index: number
  readonly codec: string
  /** As people see it: after rotation, with square pixels. */
  readonly width: number
  readonly height: number
  /** Degrees, a multiple of 90 in 0..270, that players turn the coded picture. */
  readonly rotation: number
  readonly frameRate: Rational
  /** Bits per second, where known. */
  readonly bitrate: number | undefined
  readonly interlaced: boolean
  readonly hdr: boolean
}

export interface AudioInfo {
  readonly index: number
  readonly codec: string
  readonly channels: number
}

export interface MediaInfo {
  /** Seconds of the longest track. */
  readonly duration: number
  /** Seconds of the track that the stream is about: the picture, or else the sound. */
  readonly mainDuration: number
  readonly format: string
  readonly video: VideoInfo | undefined
  readonly audio: AudioInfo | undefined
}

/** Reads `file` (a path below `cwd`). Fails with a `PermanentError` of the catalogue when it cannot become a stream. */
export const probe = Effect.fn("Probe.probe")(function* (file: string, bytes: number, cwd: string, limits: Limits) {
  const inspect = (args: ReadonlyArray<string>) =>
    Ffmpeg.inspect(["-v", "error", ...inputGuards, ...args, "-i", `file:${file}`], cwd).pipe(
      Effect.timeout("60 seconds"),
      Effect.mapError(
        (cause) =>
          new TransientError({
            dependency: "ffprobe",
            code: cause._tag === "TimeoutError" ? "timeout" : "unavailable",
            message: `ffprobe did not answer: ${cause.message}`,
            cause,
          }),
      ),
    )

  const answer = yield* inspect(["-print_format", "json", "-show_format", "-show_streams"])
  if (answer.code !== 0) {
    return yield* /moov atom not found|truncat|partial file|end of file/i.test(answer.stderr)
      ? failure("corrupt_media")
      : failure("unsupported_format")
  }
  const report = yield* Effect.mapError(decode(answer.stdout), () => failure("unsupported_format"))

  if (report.streams.length > limits.streams) {
    return yield* failure("too_many_streams", `${report.streams.length}, at most ${limits.streams}`)
  }
  const pictures = report.streams.filter(isVideo)
  const sounds = report.streams.filter(({ codec_type }) => codec_type === "audio")
  const picture = preferred(pictures)
  const sound = preferred(sounds.filter(({ channels }) => channels !== undefined && channels > 0))
  if (picture === undefined && sound === undefined) {
    return yield* failure(pictures.length + sounds.length > 0 ? "corrupt_media" : "no_media")
  }

  if (picture !== undefined) {
    const { width = 0, height = 0 } = picture
    if (width <= 0 || height <= 0) return yield* failure("corrupt_media", "the picture has no size")
    if (width * height > limits.pixels) {
      return yield* failure("too_many_pixels", `${width}×${height}, at most ${limits.pixels} pixels`)
    }
    if (Math.min(width, height) < 16) return yield* failure("too_small", `${width}×${height}`)
  }

  // Browsers' MediaRecorder writes no length; then the packets tell.
  const whole = seconds(report.format.duration)
  const mainDuration =
    seconds((picture ?? sound)?.duration) ??
    whole ??
    lastPacket(
      (yield* inspect([
        "-select_streams",
        String((picture ?? sound)?.index ?? 0),
        "-show_entries",
        "packet=pts_time",
        "-of",
        "csv=p=0",
      ])).stdout,
    )
  if (mainDuration === undefined) return yield* failure("corrupt_media", "it has no length")
  const duration = Math.max(mainDuration, whole ?? 0)
  if (duration > limits.seconds) {
    return yield* failure("too_long", `${Math.round(duration)} s, at most ${limits.seconds} s`)
  }

  const video = picture === undefined ? undefined : describeVideo(picture, (bytes * 8) / duration)
  if (video !== undefined && Math.min(video.width, video.height) < 16) {
    return yield* failure("too_small", `${video.width}×${video.height}`)
  }
  return {
    duration,
    mainDuration,
    format: report.format.format_name,
    video,
    audio:
      sound === undefined
        ? undefined
        : { index: sound.index, codec: sound.codec_name ?? "unknown", channels: sound.channels ?? 0 },
  } satisfies MediaInfo
})

const StreamReport = Schema.Struct({
  index: Schema.Int,
  codec_type: Schema.optionalKey(Schema.String),
  codec_name: Schema.optionalKey(Schema.String),
  width: Schema.optionalKey(Schema.Int),
  height: Schema.optionalKey(Schema.Int),
  sample_aspect_ratio: Schema.optionalKey(Schema.String),
  r_frame_rate: Schema.optionalKey(Schema.String),
  avg_frame_rate: Schema.optionalKey(Schema.String),
  duration: Schema.optionalKey(Schema.String),
  bit_rate: Schema.optionalKey(Schema.String),
  field_order: Schema.optionalKey(Schema.String),
  color_transfer: Schema.optionalKey(Schema.String),
  channels: Schema.optionalKey(Schema.Int),
  disposition: Schema.optionalKey(Schema.Record(Schema.String, Schema.Int)),
  side_data_list: Schema.optionalKey(Schema.Array(Schema.Struct({ rotation: Schema.optionalKey(Schema.Finite) }))),
})
type StreamReport = typeof StreamReport.Type

const decode = Schema.decodeUnknownEffect(
  Schema.fromJsonString(
    Schema.Struct({
      streams: Schema.Array(StreamReport),
      format: Schema.Struct({ format_name: Schema.String, duration: Schema.optionalKey(Schema.String) }),
    }),
  ),
)

/** The cover picture of a sound file comes as a video stream and is none. */
const isVideo = (stream: StreamReport): boolean =>
  stream.codec_type === "video" && stream.disposition?.["attached_pic"] !== 1

const preferred = (streams: ReadonlyArray<StreamReport>): StreamReport | undefined =>
  streams.find(({ disposition }) => disposition?.["default"] === 1) ?? streams[0]

const seconds = (text: string | undefined): number | undefined => {
  const value = Number(text)
  return text !== undefined && Number.isFinite(value) && value > 0 ? value : undefined
}

const lastPacket = (csv: string): number | undefined =>
  csv.split("\n").reduce<number | undefined>((latest, line) => {
    const at = seconds(line.split(",")[0])
    return at !== undefined && at > (latest ?? 0) ? at : latest
  }, undefined)

const ratio = (text: string | undefined, separator: string): Option.Option<Rational> => {
  const [num = Number.NaN, den = Number.NaN] = (text ?? "").split(separator).map(Number)
  return num > 0 && den > 0 ? Option.some({ num, den }) : Option.none()
}

const describeVideo = (stream: StreamReport, wholeRate: number): VideoInfo => {
  const { width = 0, height = 0 } = stream
  const turned = stream.side_data_list?.find(({ rotation }) => rotation !== undefined)?.rotation ?? 0
  const rotation = (((Math.round(turned / 90) * 90) % 360) + 360) % 360
  const aspect = Option.match(ratio(stream.sample_aspect_ratio, ":"), {
    onNone: () => 1,
    onSome: ({ num, den }) => num / den,
  })
  const shown = Math.round(width * aspect)
  const rate = Option.orElse(ratio(stream.avg_frame_rate, "/"), () => ratio(stream.r_frame_rate, "/"))
  return {
    index: stream.index,
    codec: stream.codec_name ?? "unknown",
    width: rotation % 180 === 0 ? shown : height,
    height: rotation % 180 === 0 ? height : shown,
    rotation,
    frameRate: Option.getOrElse(rate, () => ({ num: 30, den: 1 })),
    bitrate: seconds(stream.bit_rate) ?? wholeRate,
    interlaced: ["tt", "bb", "tb", "bt"].includes(stream.field_order ?? ""),
    hdr: ["smpte2084", "arib-std-b67"].includes(stream.color_transfer ?? ""),
  }
}
