/** The plan of a film as it is kept while many machines work on it: decided once, so that all make the same. */
import { Schema } from "effect"
import type { Plan } from "../FfmpegCommand.ts"

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
})

const Sound = Schema.Struct({
  index: Schema.Int,
  codec: Schema.String,
  channels: Schema.Int,
  hasLayout: Schema.Boolean,
  language: Schema.optionalKey(Schema.String),
  title: Schema.optionalKey(Schema.String),
  isDefault: Schema.Boolean,
})

export const PlanRecord = Schema.Struct({
  info: Schema.Struct({
    duration: Schema.Finite,
    mainDuration: Schema.Finite,
    format: Schema.String,
    video: Video,
    sounds: Schema.Array(Sound),
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
})
export type PlanRecord = typeof PlanRecord.Type

/** Undefined where there is no moving picture, which nothing is to be cut of. */
export const toRecord = (plan: Plan): PlanRecord | undefined => {
  const { info, storyboard } = plan
  const { video } = info
  if (video === undefined || video.still !== undefined) return undefined
  const { bitrate, coded: _, hdr, still: __, ...picture } = video
  return {
    info: {
      duration: info.duration,
      mainDuration: info.mainDuration,
      format: info.format,
      video: {
        ...picture,
        ...(bitrate === undefined ? {} : { bitrate }),
        ...(hdr === undefined ? {} : { hdr }),
      },
      sounds: info.sounds.map(({ channels, codec, hasLayout, index, isDefault, language, title }) => ({
        index,
        codec,
        channels,
        hasLayout,
        isDefault,
        ...(language === undefined ? {} : { language }),
        ...(title === undefined ? {} : { title }),
      })),
    },
    renditions: plan.renditions,
    frameRate: plan.frameRate,
    thumbnails: plan.thumbnails,
    toneMapping: plan.toneMapping,
    ...(storyboard === undefined ? {} : { storyboard }),
    ...(plan.loudness === undefined ? {} : { loudness: plan.loudness }),
    ...(plan.maxPixels === undefined ? {} : { maxPixels: plan.maxPixels }),
  }
}

export const fromRecord = (record: PlanRecord): Plan => ({
  ...record,
  info: {
    ...record.info,
    cover: undefined,
    video: { bitrate: undefined, hdr: undefined, still: undefined, ...record.info.video },
    sounds: record.info.sounds.map((sound) => ({ language: undefined, title: undefined, ...sound })),
  },
})
