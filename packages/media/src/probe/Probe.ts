/**
 * Probes an upload with ffprobe and checks the result against limits.
 *
 * Uploads are untrusted. `InputRestrictions` prevents that ffprobe reads other files, and every number that the file
 * states is checked here: `-max_pixels` only prints an error.
 */
import { Effect, Option, Path } from "effect"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { isDecodableAudio } from "@armoricore/ffmpeg/AudioTracks"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { inputRestrictions, loopbackRestrictions } from "@armoricore/ffmpeg/InputRestrictions"
import { failure } from "../pipeline/Failures.ts"
import * as PacketScan from "./PacketScan.ts"
import * as HeifBrand from "./HeifBrand.ts"
import * as Mp4Index from "./Mp4Index.ts"
import * as Mp4Protection from "./Mp4Protection.ts"
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

/** Raw audio frames have no duration, so ffprobe estimates it from the bit rate of the first frame. */
const isEstimatedDuration = (format: string): boolean => /^(aac|mp3|e?ac3|amr.*)$/.test(format)

/** Containers with a clock instead of a duration. Recorders reset the clock, and joined files repeat it. */
const hasClockJumps = (format: string): boolean => /^(mpeg(ts)?|ogg)$/.test(format)

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
  /** Reads the whole file, or at a remote source only parts of it. */
  const scanPackets = Effect.fnUntraced(function* (
    options: PacketScan.ScanOptions,
    statedDuration: number | undefined,
  ) {
    const scan = PacketScan.make({ ...options, expectedAt: (statedDuration ?? 0) / 2 })
    const entries = "-show_entries packet=stream_index,pts_time,dts_time,duration_time,flags -of csv=p=0".split(" ")
    const intervals =
      typeof source === "string" || statedDuration === undefined
        ? []
        : ["-read_intervals", sampledIntervals(options.start, statedDuration)]
    yield* Ffmpeg.inspectLines(["-v", "error", ...entries, ...intervals, ...input], cwd, scan.addLine)
    if (intervals.length === 0 || statedDuration === undefined) return scan
    // An index that misses the middle or the end cannot be trusted: the whole file has to be read.
    const times = options.tracks.map((index) => scan.track(index)?.end ?? 0)
    const end = Math.max(...times)
    // The header may state the end time instead of the duration.
    const difference = Math.min(Math.abs(end - statedDuration), Math.abs(end + options.start - statedDuration))
    const isTrusted = scan.distance() < maxSeekError && difference < maxEndError
    return isTrusted ? scan : yield* failure("corrupt_media", "its index does not match its content")
  })

  const readHdrMetadata = (index: number) =>
    Effect.map(
      inspect([..."-show_frames -read_intervals %+#1 -of json -select_streams".split(" "), String(index)]),
      ({ stdout }) => {
        const frame = Option.getOrUndefined(Report.decodeFrame(stdout))?.frames[0]
        return frame === undefined ? undefined : Report.hdrMetadata(frame)
      },
    )

  const path = yield* Path.Path
  const brand = typeof source === "string" ? yield* HeifBrand.read(path.join(cwd, source)) : undefined
  if (brand === "heif") return yield* failure("unsupported_format", "a HEIC photo")

  const describe = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
    const result = yield* inspect([
      ...args,
      // The first packets show whether they are encrypted.
      ..."-print_format json -show_format -show_streams -show_chapters -show_packets -read_intervals %+#8".split(" "),
    ])
    if (result.code !== 0) {
      return yield* /moov atom not found|truncat|partial file|end of file/i.test(result.stderr)
        ? failure("corrupt_media")
        : failure("unsupported_format")
    }
    return yield* Effect.mapError(Report.decode(result.stdout), () => failure("unsupported_format"))
  })
  const firstReport = yield* describe([])
  const report = firstReport.streams.some(Report.isUndetermined) ? yield* describe(wholeFileProbe) : firstReport

  const { decodableCodecs } = yield* FfmpegPrograms
  const trackCount = report.streams.filter(Report.isTrack).length
  if (trackCount > limits.maxStreams) {
    return yield* failure("too_many_streams", `${trackCount}, at most ${limits.maxStreams}`)
  }
  const cover = report.streams.find(Report.isCover)
  const canDecode = (stream: Report.StreamReport) => decodableCodecs.has(stream.codec_name ?? "")
  const ofKind = (kind: "video" | "audio") =>
    report.streams.filter((stream) => stream.codec_type === kind && !Report.isCover(stream))
  const isProtected = typeof source === "string" && (yield* Mp4Protection.isProtected(path.join(cwd, source)))
  if (isProtected || [...report.streams, ...(report.packets ?? [])].some(Report.isEncrypted)) {
    return yield* failure("encrypted")
  }
  for (const tracks of [ofKind("video"), ofKind("audio")]) {
    const [first] = tracks
    // A track that cannot be decoded is left out if another of its kind can.
    if (first !== undefined && !tracks.some(canDecode)) {
      return yield* failure("unsupported_codec", Report.codecName(first))
    }
  }
  const videoStreams = report.streams.filter((stream) => Report.isVideo(stream) && canDecode(stream))
  const audioStreams = report.streams.filter((stream) => isDecodableAudio(stream, decodableCodecs))
  const audioStream = Report.preferred(audioStreams)
  const isImage = report.format.format_name.endsWith("_pipe") || brand === "avif"
  // A file with only a cover image is a photo: some tools write photos this way.
  const videoStream = Report.preferred(videoStreams) ?? (audioStream === undefined ? cover : undefined)
  if (videoStream === undefined && audioStream === undefined) {
    const tracks = report.streams.filter(({ codec_type }) => codec_type === "video" || codec_type === "audio")
    return yield* failure(tracks.length > 0 ? "corrupt_media" : "no_media")
  }
  if (videoStream !== undefined && Report.lacksBaseLayer(videoStream)) return yield* failure("unsupported_hdr")

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

  const still = isImage
    ? {
        orientation: yield* Effect.map(
          inspect(["-show_frames", "-read_intervals", "%+#1", "-of", "json"]),
          orientationOf,
        ),
      }
    : undefined
  const { format_name: format } = report.format
  const hasJumps = hasClockJumps(format)
  const fileDuration = Report.seconds(report.format.duration)
  const trackDuration = Option.fromNullishOr(videoStream ?? audioStream).pipe(
    Option.map(Report.trackSeconds),
    Option.getOrUndefined,
  )
  const statedDuration = hasJumps || isEstimatedDuration(format) ? undefined : fileDuration
  if (still === undefined && statedDuration !== undefined && statedDuration > limits.maxSeconds) {
    return yield* failure("too_long", `${Math.round(statedDuration)} s, at most ${limits.maxSeconds} s`)
  }
  const audios = [...audioStreams]
    .sort((a, b) => Number(b === audioStream) - Number(a === audioStream))
    .slice(0, maxAudioTracks)
  const tracks = [...(videoStream === undefined ? [] : [videoStream]), ...audios]
  const fileStart = Number(report.format.start_time ?? 0) || 0
  const options: PacketScan.ScanOptions = {
    tracks: tracks.map(({ index }) => index),
    // ffmpeg takes the start of the tracks that it reads, if it has a clock.
    start: hasJumps ? Math.min(...tracks.map(({ start_time }) => Number(start_time ?? fileStart) || 0)) : fileStart,
    hasClockJumps: hasJumps,
  }
  const ids = tracks.map(({ id, index }) => ({ id: Number(id), index }))
  const indexed =
    still === undefined && typeof source === "string" && /\bmp4\b/.test(format)
      ? yield* Mp4Index.read(path.join(cwd, source), ids)
      : undefined
  const scan =
    still === undefined && indexed === undefined
      ? yield* scanPackets(options, statedDuration)
      : PacketScan.make(options)
  for (const packet of indexed ?? []) scan.add(packet)
  const measured = tracks.map(({ index }) => scan.track(index))
  const measuredDuration = Math.max(0, ...measured.map((times) => times?.end ?? 0))
  if (still === undefined && (measuredDuration === 0 || (videoStream !== undefined && measured[0] === undefined))) {
    return yield* failure("corrupt_media", "it has no frames")
  }
  const duration = still === undefined ? measuredDuration : stillVideoSeconds
  if (duration > limits.maxSeconds) {
    return yield* failure("too_long", `${Math.round(duration)} s, at most ${limits.maxSeconds} s`)
  }
  // A track and the file may state different durations, if an edit list hides a part.
  const stated = statedDuration === undefined ? 0 : Math.min(trackDuration ?? statedDuration, statedDuration)
  // MP4 and Matroska may state the end time instead of the duration.
  const expected = stated - Math.max(0, fileStart)
  if (still === undefined && duration < expected * 0.9 - 0.5) {
    return yield* failure("corrupt_media", `it ends after ${duration.toFixed(1)} of ${expected.toFixed(1)} s`)
  }

  const described =
    videoStream === undefined
      ? undefined
      : Report.describeVideo(videoStream, (bytes * 8) / duration, still, measured[0], duration)
  const video =
    described === undefined
      ? undefined
      : {
          ...described,
          ...(described.hdr === "smpte2084" ? { hdrMetadata: yield* readHdrMetadata(described.index) } : {}),
          // Only a local file is read to its end.
          packets: still === undefined && typeof source === "string" ? measured[0]?.packets : undefined,
        }
  if (video !== undefined && Math.min(video.width, video.height) < 16) {
    return yield* failure("too_small", `${video.width}×${video.height}`)
  }
  return {
    duration,
    format,
    video,
    audioTracks: audios.flatMap((stream) => {
      const times = scan.track(stream.index)
      // A track without packets has no sound.
      return times === undefined
        ? []
        : [
            {
              ...Report.describeAudio(stream),
              end: times.end,
              // A position in a file whose clock jumps cannot be found by its time, and samples do not show the start.
              ...(typeof source === "string" && times.start >= minLateStart && !scan.hasJumped()
                ? { lateStart: times.start }
                : {}),
              ...(times.isReordered ? { hasCompositionOffset: true } : {}),
            },
          ]
    }),
    ...(still === undefined ? textOf(report, fileStart, duration) : {}),
    cover: cover === undefined || cover === videoStream ? undefined : cover.index,
  } satisfies MediaInfo
})

/** Absent where the file has none, so that plans of files without text stay as they were. */
const textOf = (report: Report.Report, fileStart: number, duration: number) => {
  const subtitles = Report.describeSubtitles(report.streams)
  const chapters = Report.describeChapters(report.chapters ?? [], fileStart, duration)
  return {
    ...(subtitles.length === 0 ? {} : { subtitles }),
    ...(chapters.length === 0 ? {} : { chapters }),
  }
}

/** ffprobe reads 5 MB or 5 s; a track that begins later has no properties yet. */
const wholeFileProbe = ["-probesize", "1G", "-analyzeduration", "3600M"]

/** Seconds. An earlier track hardly delays the others. */
const minLateStart = 10

/** Parts of a remote file: the start, for its frame rate; the middle, which must be found by the index; and the end. */
const sampledIntervals = (start: number, seconds: number): string => {
  const at = (time: number) => (start + time).toFixed(3)
  return `%${at(sampleSeconds)},${at(seconds / 2)}%+#1,${at(Math.max(0, seconds - sampleSeconds))}%`
}
const sampleSeconds = 3
/** The longest distance of key frames, in seconds. */
const maxSeekError = 60
/** Seconds by which a stated duration may differ from the last packet. */
const maxEndError = 0.5

/** Phones store photos in the orientation of the sensor, with the rotation in EXIF. */
const orientationOf = ({ stdout }: { readonly stdout: string }): number => {
  const tags = Option.getOrUndefined(Report.decodeFrame(stdout))?.frames[0]?.tags ?? {}
  const value = Number(tags["Orientation"])
  return Number.isInteger(value) && value >= 1 && value <= 8 ? value : 1
}
