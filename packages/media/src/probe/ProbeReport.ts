/** Decodes ffprobe's JSON and derives the video and audio properties of a file from it. */
import { preferredTrack } from "@armoricore/ffmpeg/AudioTracks"
import { Option, Schema } from "effect"
import type {
  AudioInfo,
  Chapter,
  CodedVideo,
  HdrMetadata,
  Matrix,
  Rational,
  SubtitleInfo,
  VideoInfo,
} from "./MediaInfo.ts"
import type { TrackTimes } from "./PacketScan.ts"

const Tags = Schema.Record(Schema.String, Schema.Unknown)

const StreamReport = Schema.Struct({
  index: Schema.Int,
  /** Hexadecimal; MP4 and transport streams have it. */
  id: Schema.optionalKey(Schema.String),
  codec_type: Schema.optionalKey(Schema.String),
  codec_name: Schema.optionalKey(Schema.String),
  codec_tag_string: Schema.optionalKey(Schema.String),
  profile: Schema.optionalKey(Schema.String),
  level: Schema.optionalKey(Schema.Int),
  pix_fmt: Schema.optionalKey(Schema.String),
  width: Schema.optionalKey(Schema.Int),
  height: Schema.optionalKey(Schema.Int),
  sample_aspect_ratio: Schema.optionalKey(Schema.String),
  r_frame_rate: Schema.optionalKey(Schema.String),
  avg_frame_rate: Schema.optionalKey(Schema.String),
  start_time: Schema.optionalKey(Schema.String),
  duration: Schema.optionalKey(Schema.String),
  bit_rate: Schema.optionalKey(Schema.String),
  field_order: Schema.optionalKey(Schema.String),
  color_transfer: Schema.optionalKey(Schema.String),
  color_space: Schema.optionalKey(Schema.String),
  color_primaries: Schema.optionalKey(Schema.String),
  color_range: Schema.optionalKey(Schema.String),
  sample_rate: Schema.optionalKey(Schema.String),
  channels: Schema.optionalKey(Schema.Int),
  channel_layout: Schema.optionalKey(Schema.String),
  disposition: Schema.optionalKey(Schema.Record(Schema.String, Schema.Int)),
  tags: Schema.optionalKey(Tags),
  side_data_list: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        side_data_type: Schema.optionalKey(Schema.String),
        rotation: Schema.optionalKey(Schema.Finite),
        dv_bl_signal_compatibility_id: Schema.optionalKey(Schema.Int),
      }),
    ),
  ),
})
export type StreamReport = typeof StreamReport.Type

const Report = Schema.Struct({
  streams: Schema.Array(StreamReport),
  format: Schema.Struct({
    format_name: Schema.String,
    duration: Schema.optionalKey(Schema.String),
    start_time: Schema.optionalKey(Schema.String),
  }),
  chapters: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        // Absent if the file has no valid time.
        start_time: Schema.optionalKey(Schema.String),
        end_time: Schema.optionalKey(Schema.String),
        tags: Schema.optionalKey(Tags),
      }),
    ),
  ),
  packets: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        side_data_list: Schema.optionalKey(
          Schema.Array(Schema.Struct({ side_data_type: Schema.optionalKey(Schema.String) })),
        ),
      }),
    ),
  ),
})
export type Report = typeof Report.Type

export const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Report))

/** The tags and the HDR metadata of the first frame. */
const Frame = Schema.Struct({
  tags: Schema.optionalKey(Tags),
  side_data_list: Schema.optionalKey(Schema.Array(Schema.Record(Schema.String, Schema.Unknown))),
})
export const decodeFrame = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ frames: Schema.Array(Frame) })),
)

/** The display that an HDR10 video was graded on, and its brightest light; undefined if a value is missing. */
export const hdrMetadata = ({ side_data_list = [] }: typeof Frame.Type): HdrMetadata | undefined => {
  const values = Object.assign({}, ...side_data_list)
  const number = (name: string): number => {
    const [num = Number.NaN, den = 1] = String(values[name]).split("/").map(Number)
    return num / den
  }
  const point = (name: string) => ({ x: number(`${name}_x`), y: number(`${name}_y`) })
  const display = {
    red: point("red"),
    green: point("green"),
    blue: point("blue"),
    white: point("white_point"),
    luminance: { min: number("min_luminance"), max: number("max_luminance") },
  }
  const light = { content: number("max_content"), average: number("max_average") }
  const isKnown = Object.values(display).every((pair) => Object.values(pair).every(Number.isFinite))
  const isLightKnown = Number.isFinite(light.content) && Number.isFinite(light.average)
  return isKnown ? { ...display, ...(isLightKnown ? { light } : {}) } : undefined
}

export const isCover = (stream: StreamReport): boolean =>
  stream.codec_type === "video" && stream.disposition?.["attached_pic"] === 1

/** ffprobe lists the cover image of an audio file as a video stream. */
export const isVideo = (stream: StreamReport): boolean => stream.codec_type === "video" && !isCover(stream)

/** Matroska files carry their fonts as attachments, sometimes more than a hundred. They are no tracks. */
export const isTrack = (stream: StreamReport): boolean => stream.codec_type !== "attachment" && !isCover(stream)

/** Whether the first packets of the file do not show what the track is, because its own packets come later. */
export const isUndetermined = (stream: StreamReport): boolean =>
  (stream.codec_type === "audio" && (stream.channels ?? 0) === 0) || (isVideo(stream) && (stream.width ?? 0) === 0)

/** Whether a stream or packet is encrypted. A decoder would make grey frames or noise of it. */
export const isEncrypted = ({ side_data_list = [] }: Pick<StreamReport, "side_data_list">): boolean =>
  side_data_list.some(({ side_data_type = "" }) => /encrypt/i.test(side_data_type))

/** Dolby Vision whose picture is neither HDR10, HLG nor SDR: profile 5, and profile 10.0 of AV1. */
export const lacksBaseLayer = ({ side_data_list = [] }: StreamReport): boolean =>
  side_data_list.some(({ dv_bl_signal_compatibility_id }) => dv_bl_signal_compatibility_id === 0)

/** The codec of the track in messages. */
export const codecName = ({ codec_name, codec_tag_string, codec_type }: StreamReport): string =>
  [codec_name, codec_tag_string].find((name) => name !== undefined && !/^(unknown|none|\[.*)$/.test(name)) ??
  `an unknown ${codec_type ?? ""} codec`

export const preferred = (streams: ReadonlyArray<StreamReport>): StreamReport | undefined => preferredTrack(streams)

/** A number above zero. */
export const seconds = (text: string | undefined): number | undefined => {
  const value = Number(text)
  return text !== undefined && Number.isFinite(value) && value > 0 ? value : undefined
}

/** Matroska stores the duration of a track as a tag: `00:01:02.345000000`. */
export const trackSeconds = (stream: StreamReport): number | undefined => {
  const [, hours, minutes, rest] = /^([0-9]+):([0-9]{2}):([0-9.]+)$/.exec(tagOf(stream, "DURATION") ?? "") ?? []
  return seconds(stream.duration) ?? seconds(String(Number(hours) * 3600 + Number(minutes) * 60 + Number(rest)))
}

export const tagOf = (stream: StreamReport, name: string): string | undefined => {
  const value = Object.entries(stream.tags ?? {}).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1]
  return typeof value === "string" && value !== "" ? value : undefined
}

const ratio = (text: string | undefined, separator: string): Option.Option<Rational> => {
  const [num = Number.NaN, den = Number.NaN] = (text ?? "").split(separator).map(Number)
  return num > 0 && den > 0 ? Option.some({ num, den }) : Option.none()
}

/** `fileBitrate` is used if the track has no bit rate. `duration` is the one of the stream. */
export const describeVideo = (
  stream: StreamReport,
  fileBitrate: number,
  still: VideoInfo["still"],
  times: TrackTimes | undefined,
  duration: number,
): VideoInfo => {
  const { width = 0, height = 0 } = stream
  const degrees = stream.side_data_list?.find(({ rotation }) => rotation !== undefined)?.rotation ?? 0
  const quarters = Math.round(degrees / 90)
  const isTilted = Math.abs(degrees - quarters * 90) > 1
  const rotation = isTilted ? 0 : (((quarters * 90) % 360) + 360) % 360
  const isSideways = rotation % 180 !== 0 || (still?.orientation ?? 1) > 4
  const aspect = Option.match(ratio(stream.sample_aspect_ratio, ":"), {
    onNone: () => 1,
    // No camera has a more extreme ratio, so the header is wrong.
    onSome: ({ num, den }) => (num / den > 0.1 && num / den < 10 ? num / den : 1),
  })
  const squareWidth = Math.round(width * aspect)
  const transfer = stream.color_transfer
  return {
    index: stream.index,
    codec: stream.codec_name ?? "unknown",
    width: isSideways ? height : squareWidth,
    height: isSideways ? squareWidth : height,
    rotation,
    isTilted: isTilted ? true : undefined,
    frameRate: still === undefined ? frameRateOf(stream, times, duration) : { num: 10, den: 1 },
    start: times?.start,
    end: times?.end,
    // The size of a photo says nothing about the bit rate of its stream.
    bitrate: still === undefined ? (seconds(stream.bit_rate) ?? fileBitrate) : undefined,
    interlaced: isInterlaced(stream),
    matrix: matrixOf(stream.color_space, Math.min(width, height)),
    hdr: transfer === "smpte2084" || transfer === "arib-std-b67" ? transfer : undefined,
    widePrimaries: transfer === "smpte2084" || transfer === "arib-std-b67" ? undefined : widePrimariesOf(stream),
    still,
    coded: codedVideo(stream),
  }
}

const widePrimariesOf = ({ color_primaries: primaries }: StreamReport): VideoInfo["widePrimaries"] =>
  primaries === "bt2020" || primaries === "smpte431" || primaries === "smpte432" ? primaries : undefined

/** The declared rate is an average. If the distances of most frames differ from it, those count. */
const frameRateOf = (stream: StreamReport, times: TrackTimes | undefined, duration: number): Rational => {
  const declared = Option.orElse(ratio(stream.avg_frame_rate, "/"), () => ratio(stream.r_frame_rate, "/"))
  const usual = times?.usualRate
  if (times !== undefined && times.packets === 1 && duration > 1) return { num: 5, den: 1 }
  return Option.match(declared, {
    onNone: () => (usual === undefined ? { num: 30, den: 1 } : toRational(usual)),
    onSome: (rate) => {
      const ratioToDeclared = usual === undefined ? 1 : (usual * rate.den) / rate.num
      // Two packets for each frame are its fields.
      const isFields = isInterlaced(stream) && Math.abs(ratioToDeclared - 2) < 0.1
      return usual === undefined || isFields || Math.abs(ratioToDeclared - 1) < 0.02 ? rate : toRational(usual)
    },
  })
}

const toRational = (rate: number): Rational => ({ num: Math.max(1, Math.round(rate * 1000)), den: 1000 })

const isInterlaced = ({ field_order = "" }: StreamReport): boolean => ["tt", "bb", "tb", "bt"].includes(field_order)

const codedVideo = (stream: StreamReport): CodedVideo => ({
  profile: stream.profile,
  level: stream.level,
  width: stream.width ?? 0,
  height: stream.height ?? 0,
  pixelFormat: stream.pix_fmt,
  hasSquarePixels: Option.match(ratio(stream.sample_aspect_ratio, ":"), {
    onNone: () => true,
    onSome: ({ num, den }) => num === den,
  }),
  isUnrotated: stream.side_data_list?.some(({ rotation }) => rotation !== undefined) !== true,
  isProgressive: stream.field_order === "progressive",
  isBt709:
    stream.color_primaries === "bt709" &&
    stream.color_transfer === "bt709" &&
    stream.color_space === "bt709" &&
    (stream.color_range === undefined || stream.color_range === "tv"),
  isConstantFrameRate: stream.avg_frame_rate !== undefined && stream.avg_frame_rate === stream.r_frame_rate,
})

const matrixOf = (space: string | undefined, side: number): Matrix => {
  if (space?.startsWith("bt2020") === true) return "bt2020"
  if (space === "bt709") return "bt709"
  if (space === "bt470bg" || space === "smpte170m" || space === "fcc") return "bt601"
  return side >= 720 ? "bt709" : "bt601"
}

/** Formats of text that ffmpeg converts to WebVTT. Others are pictures, or have no decoder. */
const textCodecs = new Set(["mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text"])

/** ffprobe takes TTML in MP4 for data without a codec. */
const isTtml = ({ codec_name, codec_tag_string }: StreamReport): boolean =>
  codec_name === "ttml" || codec_tag_string === "stpp"

/** More subtitle tracks than a film has. */
const maxSubtitles = 40

export const describeSubtitles = (streams: ReadonlyArray<StreamReport>): ReadonlyArray<SubtitleInfo> =>
  streams
    .filter((stream) => (stream.codec_type === "subtitle" && textCodecs.has(stream.codec_name ?? "")) || isTtml(stream))
    .slice(0, maxSubtitles)
    .map((stream) => {
      const title = tagOf(stream, "title")?.slice(0, 80)
      const { captions, forced, hearing_impaired } = stream.disposition ?? {}
      const isForDeaf = hearing_impaired === 1 || captions === 1 || /\b(sdh|cc|hearing impaired)\b/i.test(title ?? "")
      const kind = forced === 1 ? "forced" : isForDeaf ? "captions" : "subtitles"
      return {
        index: stream.index,
        language: languageOf(tagOf(stream, "language")),
        title,
        kind,
        ...(isTtml(stream) ? { isTtml: true as const } : {}),
      }
    })

/** More chapters than a book has. */
const maxChapters = 1_000

interface ChapterReport {
  readonly start_time?: string
  readonly end_time?: string
  readonly tags?: Readonly<Record<string, unknown>>
}

/**
 * The chapters within the recording, in order. One without a title gets its number. Files may have chapters that overlap; then
 * each ends where the next one begins, and of several that begin together the first one stays.
 */
export const describeChapters = (
  reports: ReadonlyArray<ChapterReport>,
  fileStart: number,
  duration: number,
): ReadonlyArray<Chapter> => {
  const chapters = reports
    .slice(0, maxChapters)
    .flatMap(({ end_time, start_time, tags }, index): ReadonlyArray<Chapter> => {
      const start = Math.max(0, Number(start_time) - Math.max(0, fileStart))
      const end = Math.min(duration, Number(end_time) - Math.max(0, fileStart))
      const title = tags?.["title"]
      const name =
        typeof title === "string" && title.trim() !== "" ? title.trim().slice(0, 200) : `Chapter ${index + 1}`
      return end > start ? [{ start, end, title: name }] : []
    })
    .sort((a, b) => a.start - b.start)
    .filter(({ start }, index, all) => start !== all[index - 1]?.start)
  return chapters.map((chapter, index) => ({
    ...chapter,
    end: Math.min(chapter.end, chapters[index + 1]?.start ?? chapter.end),
  }))
}

const purposeOf = ({ disposition }: StreamReport): AudioInfo["purpose"] =>
  disposition?.["visual_impaired"] === 1 || disposition?.["descriptions"] === 1
    ? "description"
    : disposition?.["comment"] === 1
      ? "commentary"
      : undefined

export const describeAudio = (stream: StreamReport): AudioInfo => {
  const channels = stream.channels ?? 0
  const layout = stream.channel_layout
  return {
    index: stream.index,
    codec: stream.codec_name ?? "unknown",
    channels,
    hasLayout: layout !== undefined && channels <= 8 && !/unknown|channels|^[0-9]+ /i.test(layout),
    language: languageOf(tagOf(stream, "language")),
    title: tagOf(stream, "title") ?? tagOf(stream, "handler_name"),
    isDefault: stream.disposition?.["default"] === 1,
    purpose: purposeOf(stream),
    coded: {
      profile: stream.profile,
      sampleRate: seconds(stream.sample_rate) ?? 0,
      bitrate: seconds(stream.bit_rate),
    },
  }
}

/** The canonical BCP 47 tag: files use `fra` or `fre`, players expect `fr`. Undefined if the text is not a language. */
const languageOf = (text: string | undefined): string | undefined => {
  if (text === undefined || !/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/.test(text)) return undefined
  const bibliographic = bibliographicCodes[text.toLowerCase()] ?? text
  const canonical = Option.liftThrowable(() => Intl.getCanonicalLocales(bibliographic)[0])()
  return Option.getOrUndefined(Option.filter(canonical, (tag) => tag !== "und" && tag !== "mis" && tag !== "zxx"))
}

/** ISO 639-2/B codes with a different 639-2/T code. `Intl` canonicalises only the latter. */
const bibliographicCodes: Readonly<Record<string, string>> = {
  alb: "sqi",
  arm: "hye",
  baq: "eus",
  bur: "mya",
  chi: "zho",
  cze: "ces",
  dut: "nld",
  fre: "fra",
  geo: "kat",
  ger: "deu",
  gre: "ell",
  ice: "isl",
  mac: "mkd",
  mao: "mri",
  may: "msa",
  per: "fas",
  rum: "ron",
  slo: "slk",
  tib: "bod",
  wel: "cym",
}
