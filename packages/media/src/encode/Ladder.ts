/** Which renditions a source gets: pure arithmetic from its size, rate and bit rate. */
import { Schema } from "effect"
import type { Rational, VideoInfo } from "../probe/MediaInfo.ts"

export const RenditionSpec = Schema.Struct({
  /** The short side in pixels: the height of a landscape picture, the width of a portrait one. */
  shortSide: Schema.Int.check(Schema.isBetween({ minimum: 16, maximum: 8640 })),
  /** The most that its picture may take, in kilobits per second. */
  kilobits: Schema.Int.check(Schema.isBetween({ minimum: 50, maximum: 200_000 })),
})
export type RenditionSpec = typeof RenditionSpec.Type

/** Rungs in any order. */
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
  /** `720p`: the short side. Also the folder of its segments. */
  name: Schema.String,
  /** Both even. */
  width: Schema.Int,
  height: Schema.Int,
  /** The ceiling of its bit rate. */
  kilobits: Schema.Int,
})
export type Rendition = typeof Rendition.Type

/**
 * Largest first, at least one. Never larger than the source: one that is smaller than every rung gets a single
 * rendition of its own size.
 */
export const planRenditions = (source: VideoInfo, ladder: Ladder = defaultLadder): ReadonlyArray<Rendition> => {
  const side = Math.min(source.width, source.height)
  const rungs = [...ladder].sort((a, b) => b.shortSide - a.shortSide)
  const fitting = rungs.filter((rung) => rung.shortSide <= side)
  const smallest = rungs.at(-1)
  const own = { shortSide: even(side), kilobits: smallest?.kilobits ?? 800 }
  return (fitting.length === 0 ? [own] : fitting).map((rung) => {
    const scale = rung.shortSide / side
    const long = even(Math.min(Math.round(Math.max(source.width, source.height) * scale), maxSide))
    const short = even(rung.shortSide)
    const landscape = source.width >= source.height
    return {
      name: `${rung.shortSide}p`,
      width: landscape ? long : short,
      height: landscape ? short : long,
      kilobits: Math.min(rung.kilobits, maxKilobits(source, scale)),
    }
  })
}

/**
 * A rate that the output keeps: the source's own where it is steady and usual; the next usual one where it is odd (a
 * phone or screen recording with varying gaps); a half or 60 above 60.
 */
export const frameRate = ({ num, den }: Rational): Rational => {
  const rate = num / den
  const near = nearestCommonRate(rate)
  if (near !== undefined) return near
  if (rate > 60) return nearestCommonRate(rate / 2) ?? { num: 60, den: 1 }
  if (Number.isInteger(rate)) return { num: rate, den: 1 }
  return commonFrameRates.find((one) => one.num / one.den >= rate) ?? { num: 60, den: 1 }
}

/** The usual rate that differs by less than 0.4 %. */
const nearestCommonRate = (rate: number): Rational | undefined => {
  const apart = (one: Rational) => Math.abs(one.num / one.den / rate - 1)
  const [best] = commonFrameRates.filter((one) => apart(one) < 0.004).sort((a, b) => apart(a) - apart(b))
  return best
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

/** H.264 encoders go no further. */
const maxSide = 16_384

const even = (pixels: number): number => Math.max(2, Math.floor(pixels / 2) * 2)

/** Codecs that need fewer bits than H.264 for the same picture. */
const efficientCodecs = new Set(["hevc", "vp9", "av1"])

/** More bits than the source had would hold nothing; the need grows with the pixels to the power 0.75. */
const maxKilobits = (source: VideoInfo, scale: number): number => {
  if (source.bitrate === undefined) return Number.POSITIVE_INFINITY
  const alike = source.bitrate * (efficientCodecs.has(source.codec) ? 1.8 : 1.1)
  return Math.max(100, Math.ceil((alike * scale ** 1.5) / 1000))
}
