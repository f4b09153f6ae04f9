/** A plan as it is kept: decided once, so that all machines that work on it, and all tries, make the same. */
import { Schema } from "effect"
import type { EncodingPlan } from "../encode/FfmpegCommand.ts"
import type { VideoInfo } from "../probe/ProbeReport.ts"

const Rational = Schema.Struct({ num: Schema.Int, den: Schema.Int })

const Video = Schema.Struct({
  index: Schema.Int,
  codec: Schema.String,
  width: Schema.Int,
  height: Schema.Int,
  rotation: Schema.Int,
  frameRate: Rational,
  bitrate: Schema.optionalKey(Schema.Finite),
  interlaced: Schema.Boolean,
  matrix: Schema.Literals(["bt601", "bt709", "bt2020"]),
  hdr: Schema.optionalKey(Schema.Literals(["smpte2084", "arib-std-b67"])),
  still: Schema.optionalKey(Schema.Struct({ orientation: Schema.Int })),
})

const AudioTrack = Schema.Struct({
  index: Schema.Int,
  codec: Schema.String,
  channels: Schema.Int,
  hasLayout: Schema.Boolean,
  language: Schema.optionalKey(Schema.String),
  title: Schema.optionalKey(Schema.String),
  isDefault: Schema.Boolean,
})

export const EncodingPlanSchema = Schema.Struct({
  info: Schema.Struct({
    duration: Schema.Finite,
    mainDuration: Schema.Finite,
    format: Schema.String,
    video: Schema.optionalKey(Video),
    audioTracks: Schema.Array(AudioTrack),
    cover: Schema.optionalKey(Schema.Int),
  }),
  renditions: Schema.Array(
    Schema.Struct({ name: Schema.String, width: Schema.Int, height: Schema.Int, kilobits: Schema.Int }),
  ),
  frameRate: Rational,
  thumbnails: Schema.Int,
  toneMapping: Schema.Boolean,
  storyboard: Schema.optionalKey(
    Schema.Struct({
      width: Schema.Int,
      height: Schema.Int,
      columns: Schema.Int,
      rows: Schema.Int,
      interval: Schema.Finite,
    }),
  ),
  loudness: Schema.optionalKey(Schema.Finite),
  maxPixels: Schema.optionalKey(Schema.Finite),
  passthrough: Schema.optionalKey(
    Schema.Struct({
      sounds: Schema.Array(Schema.Int),
      keyFrames: Schema.optionalKey(Schema.Union([Schema.Literal("grid"), Schema.Struct({ frames: Schema.Int })])),
    }),
  ),
})
export type EncodingPlanSchema = typeof EncodingPlanSchema.Type

/** Of a plan for the whole source: a window is not kept. */
export const toStored = ({ passthrough, info, ...plan }: EncodingPlan): EncodingPlanSchema => ({
  info: {
    duration: info.duration,
    mainDuration: info.mainDuration,
    format: info.format,
    ...(info.video === undefined ? {} : { video: toStoredVideo(info.video) }),
    audioTracks: info.audioTracks.map(({ channels, codec, hasLayout, index, isDefault, language, title }) => ({
      index,
      codec,
      channels,
      hasLayout,
      isDefault,
      ...(language === undefined ? {} : { language }),
      ...(title === undefined ? {} : { title }),
    })),
    ...(info.cover === undefined ? {} : { cover: info.cover }),
  },
  renditions: plan.renditions,
  frameRate: plan.frameRate,
  thumbnails: plan.thumbnails,
  toneMapping: plan.toneMapping,
  ...(plan.storyboard === undefined ? {} : { storyboard: plan.storyboard }),
  ...(plan.loudness === undefined ? {} : { loudness: plan.loudness }),
  ...(plan.maxPixels === undefined ? {} : { maxPixels: plan.maxPixels }),
  ...(passthrough === undefined
    ? {}
    : {
        passthrough: {
          sounds: [...passthrough.audioTracks],
          ...(passthrough.video === undefined ? {} : { keyFrames: passthrough.video.keyFrames }),
        },
      }),
})

const toStoredVideo = (video: VideoInfo): typeof Video.Type => {
  const { bitrate, coded: _, hdr, still, ...picture } = video
  return {
    ...picture,
    ...(bitrate === undefined ? {} : { bitrate }),
    ...(hdr === undefined ? {} : { hdr }),
    ...(still === undefined ? {} : { still }),
  }
}

export const fromStored = ({ passthrough, info, ...record }: EncodingPlanSchema): EncodingPlan => ({
  ...record,
  info: {
    ...info,
    cover: info.cover,
    video:
      info.video === undefined ? undefined : { bitrate: undefined, hdr: undefined, still: undefined, ...info.video },
    audioTracks: info.audioTracks.map((sound) => ({ language: undefined, title: undefined, ...sound })),
  },
  ...(passthrough === undefined
    ? {}
    : {
        passthrough: {
          audioTracks: new Set(passthrough.sounds),
          ...(passthrough.keyFrames === undefined ? {} : { video: { keyFrames: passthrough.keyFrames } }),
        },
      }),
})
