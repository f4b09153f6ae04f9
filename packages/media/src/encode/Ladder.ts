/** The renditions of a source and their frame rate, computed from its size, frame rate and bit rate. */
import { Schema } from "effect"
import type { Rational, VideoInfo } from "../probe/MediaInfo.ts"
import { defaultVideoCodecIds, videoCodec, videoCodecIds } from "./codecs/Codecs.ts"

export const RenditionSpec = Schema.Struct({
  /** The short side in pixels: the height of a landscape video, the width of a portrait one. */
  shortSide: Schema.Int.check(Schema.isBetween({ minimum: 16, maximum: 8640 })),
  /** The ceiling of the bit rate for H.264, in kilobits per second. Other codecs get their share of it. */
  kilobits: Schema.Int.check(Schema.isBetween({ minimum: 50, maximum: 200_000 })),
})
export type RenditionSpec = typeof RenditionSpec.Type

/** The possible renditions, in any order. */
export const Ladder = Schema.NonEmptyArray(RenditionSpec)
export type Ladder = typeof Ladder.Type

export const defaultLadder: Ladder = [
  { shortSide: 2160, kilobits: 14_000 },
  { shortSide: 1440, kilobits: 9_000 },
  { shortSide: 1080, kilobits: 5_000 },
  { shortSide: 720, kilobits: 2_800 },
  { shortSide: 480, kilobits: 1_400 },
  { shortSide: 360, kilobits: 800 },
]

export const Rendition = Schema.Struct({
  /** `720p`: the short side; `720p-hevc` for an additional codec. Also the folder of its segments. */
  name: Schema.String,
  /** The id of its `VideoCodec`. */
  codec: Schema.Literals(videoCodecIds),
  /** Both even. */
  width: Schema.Int,
  height: Schema.Int,
  /** The ceiling of its bit rate. */
  kilobits: Schema.Int,
})
export type Rendition = typeof Rendition.Type

/**
 * Largest first, at least one, none larger than the source. A source below every entry of the ladder gets one rendition
 * of its own size. Each size has one rendition per codec, in the order of `codecs`.
 */
export const planRenditions = (
  source: VideoInfo,
  ladder: Ladder = defaultLadder,
  codecs: ReadonlyArray<string> = defaultVideoCodecIds,
): ReadonlyArray<Rendition> => {
  const sourceSide = Math.min(source.width, source.height)
  const isLandscape = source.width >= source.height
  const maxSide = Math.min(...codecs.map((id) => videoCodec(id).maxSide))
  const specs = [...ladder].sort((a, b) => b.shortSide - a.shortSide)
  const fitting = specs.filter(({ shortSide }) => shortSide <= sourceSide)
  const sourceSize = { shortSide: even(sourceSide), kilobits: specs.at(-1)?.kilobits ?? 800 }
  return (fitting.length === 0 ? [sourceSize] : fitting).flatMap(({ kilobits, shortSide }) => {
    const scale = shortSide / sourceSide
    const long = even(Math.min(Math.round(Math.max(source.width, source.height) * scale), maxSide))
    const short = even(shortSide)
    const ceiling = Math.min(kilobits, maxKilobits(source, scale))
    return codecs.map((codec, index): Rendition => ({
      name: index === 0 ? `${shortSide}p` : `${shortSide}p-${codec}`,
      codec,
      width: isLandscape ? long : short,
      height: isLandscape ? short : long,
      kilobits: Math.ceil(ceiling * videoCodec(codec).bitrateFactor),
    }))
  })
}

/**
 * The constant frame rate of all renditions: a common rate that is close to the source's, or the source's own if it is a
 * whole number. Another rate (a phone or screen recording with varying gaps) becomes the next common one. A rate above 60
 * is halved if the half is a common rate, else it becomes 60.
 */
export const frameRate = ({ num, den }: Rational): Rational => {
  const rate = num / den
  const common = nearestCommonRate(rate)
  if (common !== undefined) return common
  if (rate > 60) return nearestCommonRate(rate / 2) ?? { num: 60, den: 1 }
  if (Number.isInteger(rate)) return { num: rate, den: 1 }
  return commonFrameRates.find((common) => common.num / common.den >= rate) ?? { num: 60, den: 1 }
}

/** The common rate that differs least, by less than 0.4 %. */
const nearestCommonRate = (rate: number): Rational | undefined => {
  const difference = (common: Rational) => Math.abs(common.num / common.den / rate - 1)
  const [nearest] = commonFrameRates
    .filter((common) => difference(common) < 0.004)
    .sort((a, b) => difference(a) - difference(b))
  return nearest
}

const commonFrameRates: ReadonlyArray<Rational> = [
  { num: 5, den: 1 },
  { num: 10, den: 1 },
  { num: 12, den: 1 },
  { num: 15, den: 1 },
  { num: 20, den: 1 },
  { num: 24_000, den: 1001 },
  { num: 24, den: 1 },
  { num: 25, den: 1 },
  { num: 30_000, den: 1001 },
  { num: 30, den: 1 },
  { num: 48, den: 1 },
  { num: 50, den: 1 },
  { num: 60_000, den: 1001 },
  { num: 60, den: 1 },
]

const even = (pixels: number): number => Math.max(2, Math.floor(pixels / 2) * 2)

/** Source codecs that need fewer bits than H.264 for the same quality. */
const efficientCodecs = new Set(["hevc", "vp9", "av1"])

/** More bits than the source had cannot add quality. The need grows with the pixels to the power of 0.75. */
const maxKilobits = (source: VideoInfo, scale: number): number => {
  if (source.bitrate === undefined) return Number.POSITIVE_INFINITY
  const sameQuality = source.bitrate * (efficientCodecs.has(source.codec) ? 1.8 : 1.1)
  return Math.max(100, Math.ceil((sameQuality * scale ** 1.5) / 1000))
}
