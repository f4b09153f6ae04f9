/** The probed properties of an upload: its container, its video or photo, and its audio tracks. */
import { CaptionKind } from "@armoricore/domain/CaptionTrack"
import { Schema } from "effect"

export const Rational = Schema.Struct({ num: Schema.Int, den: Schema.Int })
export type Rational = typeof Rational.Type

/** How brightness and colour are coded. If the file does not say, the size decides, as it does in players. */
export const Matrix = Schema.Literals(["bt601", "bt709", "bt2020"])
export type Matrix = typeof Matrix.Type

/** The coded stream before rotation and scaling: the passthrough check decides with it whether to copy the video. */
export const CodedVideo = Schema.Struct({
  /** ffprobe's name: `Constrained Baseline`, `Main`, `High`, … */
  profile: Schema.optional(Schema.String),
  /** ffprobe's number. For H.264 it is ten times the level: 42 is level 4.2. */
  level: Schema.optional(Schema.Int),
  width: Schema.Int,
  height: Schema.Int,
  pixelFormat: Schema.optional(Schema.String),
  hasSquarePixels: Schema.Boolean,
  /** Neither rotated nor mirrored for display. */
  isUnrotated: Schema.Boolean,
  isProgressive: Schema.Boolean,
  /** The file declares the primaries, transfer and matrix of BT.709 and the limited range. */
  isBt709: Schema.Boolean,
  /** The file declares the same average and nominal frame rate. */
  isConstantFrameRate: Schema.Boolean,
})
export type CodedVideo = typeof CodedVideo.Type

const Point = Schema.Struct({ x: Schema.Finite, y: Schema.Finite })

/** SMPTE ST 2086: primaries and white as chromaticities, luminance in candelas per square metre; CTA-861.3: the light. */
export const HdrMetadata = Schema.Struct({
  red: Point,
  green: Point,
  blue: Point,
  white: Point,
  luminance: Schema.Struct({ min: Schema.Finite, max: Schema.Finite }),
  light: Schema.optionalKey(Schema.Struct({ content: Schema.Finite, average: Schema.Finite })),
})
export type HdrMetadata = typeof HdrMetadata.Type

export const VideoInfo = Schema.Struct({
  /** ffmpeg's stream index in the file. */
  index: Schema.Int,
  /** ffprobe's name of the codec. */
  codec: Schema.String,
  /** The displayed size: after rotation, with square pixels. */
  width: Schema.Int,
  height: Schema.Int,
  /** Degrees that players rotate the coded frames by: 0, 90, 180 or 270. Another angle counts as 0, as in players. */
  rotation: Schema.Int,
  /** The file asks for an angle between two sides. */
  isTilted: Schema.optional(Schema.Boolean),
  /** The usual rate of the frames. Pauses of a recording at a variable rate do not count. */
  frameRate: Rational,
  /** The display time of the first frame and the end of the last one, in seconds from the start of the file. */
  start: Schema.optional(Schema.Finite),
  end: Schema.optional(Schema.Finite),
  /** The displayed packets of the file; absent for a photo and if only parts of the file were read. */
  packets: Schema.optional(Schema.Int),
  /** Bits per second; absent if unknown. */
  bitrate: Schema.optional(Schema.Finite),
  interlaced: Schema.Boolean,
  matrix: Matrix,
  /** The transfer function of an HDR video; absent for SDR. */
  hdr: Schema.optional(Schema.Literals(["smpte2084", "arib-std-b67"])),
  /** Of an HDR10 video that states it. */
  hdrMetadata: Schema.optional(HdrMetadata),
  /** Primaries of an SDR video that are not those of BT.709; their ffmpeg names. */
  widePrimaries: Schema.optional(Schema.Literals(["bt2020", "smpte431", "smpte432"])),
  /** Present for a photo, with its EXIF orientation (1 is upright, up to 8). */
  still: Schema.optional(Schema.Struct({ orientation: Schema.Int })),
  coded: Schema.optional(CodedVideo),
})
export type VideoInfo = typeof VideoInfo.Type

/** The coded track: the passthrough check decides with it whether to copy the audio. */
export const CodedAudio = Schema.Struct({
  profile: Schema.optional(Schema.String),
  sampleRate: Schema.Finite,
  /** Bits per second; absent if unknown. */
  bitrate: Schema.optional(Schema.Finite),
})
export type CodedAudio = typeof CodedAudio.Type

export const AudioInfo = Schema.Struct({
  /** ffmpeg's stream index in the file. */
  index: Schema.Int,
  /** ffprobe's name of the codec. */
  codec: Schema.String,
  channels: Schema.Int,
  /** Whether the file assigns a position to each channel. */
  hasLayout: Schema.Boolean,
  /** BCP 47; absent if the file names no language. */
  language: Schema.optional(Schema.String),
  /** Free text from the file. */
  title: Schema.optional(Schema.String),
  isDefault: Schema.Boolean,
  /** A further rendition of a track that a plan has already in stereo: 5.1. */
  isSurround: Schema.optionalKey(Schema.Literal(true)),
  /** The flag of the file for a track that is no ordinary sound: the picture described, or people talking about it. */
  purpose: Schema.optional(Schema.Literals(["description", "commentary"])),
  /** The end of the track in seconds from the start of the file. */
  end: Schema.optional(Schema.Finite),
  /** Where a track begins that is much later than the file, in seconds from its start. */
  lateStart: Schema.optional(Schema.Finite),
  /** Old tools wrote a composition offset for the priming: the samples are decoded and played at different times. */
  hasCompositionOffset: Schema.optional(Schema.Boolean),
  coded: Schema.optional(CodedAudio),
})
export type AudioInfo = typeof AudioInfo.Type

export const SubtitleInfo = Schema.Struct({
  /** ffmpeg's stream index in the file. */
  index: Schema.Int,
  /** BCP 47; absent if the file names no language. */
  language: Schema.optional(Schema.String),
  /** Free text from the file. */
  title: Schema.optional(Schema.String),
  kind: CaptionKind,
  /** Present for TTML, which ffmpeg does not decode. */
  isTtml: Schema.optionalKey(Schema.Literal(true)),
})
export type SubtitleInfo = typeof SubtitleInfo.Type

/** Seconds from the start of the file. */
export const Chapter = Schema.Struct({ start: Schema.Finite, end: Schema.Finite, title: Schema.String })
export type Chapter = typeof Chapter.Type

export const MediaInfo = Schema.Struct({
  /** Seconds of the longest track, measured by its packets. All tracks of the stream are made this long. */
  duration: Schema.Finite,
  /** ffprobe's name of the container. */
  format: Schema.String,
  video: Schema.optional(VideoInfo),
  /** The default track first. */
  audioTracks: Schema.Array(AudioInfo),
  /** Text subtitles; pictures of text are left out. */
  subtitles: Schema.optional(Schema.Array(SubtitleInfo)),
  chapters: Schema.optional(Schema.Array(Chapter)),
  /** ffmpeg's stream index of an audio file's cover image. */
  cover: Schema.optional(Schema.Int),
})
export type MediaInfo = typeof MediaInfo.Type

/** The description of the source that `media.ready` carries in its metadata. */
export const toMetadata = ({ audioTracks, duration, format, video }: MediaInfo, bytes: number) => {
  const tracks = audioTracks.filter(({ isSurround }) => isSurround !== true)
  const [mainAudio] = tracks
  return {
    format,
    bytes,
    duration,
    ...(video === undefined
      ? {}
      : {
          video_codec: video.codec,
          width: video.width,
          height: video.height,
          rotation: video.rotation,
          frame_rate: Math.round((video.frameRate.num / video.frameRate.den) * 1000) / 1000,
          hdr: video.hdr !== undefined,
        }),
    ...(mainAudio === undefined
      ? {}
      : {
          audio_codec: mainAudio.codec,
          channels: mainAudio.channels,
          ...(tracks.length > 1 ? { languages: tracks.map(({ language }) => language ?? "und") } : {}),
        }),
  }
}
