/** The renditions of a source and their frame rate, computed from its size, frame rate and bit rate. */
import { Schema } from "effect"
import type { Rational, VideoInfo } from "../probe/MediaInfo.ts"
import { defaultVideoCodecIds, videoCodec, videoCodecIds } from "./codecs/Codecs.ts"

export const RenditionSpec = Schema.Struct({
  /** The short side of a box of 16:9 in pixels: the height for a landscape video, the width for a portrait one. */
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
  /**
   * `720p`: the entry of the ladder, or the short side of a source between two entries; `720p-hevc` for an additional
   * codec. Also the folder of its segments.
   */
  name: Schema.String,
  /** The id of its `VideoCodec`. */
  codec: Schema.Literals(videoCodecIds),
  /** Both even. */
  width: Schema.Int,
  height: Schema.Int,
  /** The ceiling of its bit rate. */
  kilobits: Schema.Int,
  /** The transfer function of a rendition in HDR, with 10 bit; absent for SDR. */
  hdr: Schema.optionalKey(Schema.Literals(["smpte2084", "arib-std-b67"])),
})
export type Rendition = typeof Rendition.Type

/**
 * Largest first, at least one, none larger than the source. The first one has the source's own size at every aspect
 * ratio, unless that exceeds the largest entry of the ladder. Each further one fits in the box of 16:9 of its entry and
 * has at most three quarters of the pixels of the first. Each size has one rendition per codec, in the order of `codecs`.
 * With `keepsHdr`, those of further codecs stay HDR; the first codec is for all players, which need SDR.
 */
export const planRenditions = (
  source: VideoInfo,
  ladder: Ladder = defaultLadder,
  codecs: ReadonlyArray<string> = defaultVideoCodecIds,
  keepsHdr = true,
): ReadonlyArray<Rendition> => {
  const maxSide = Math.min(...codecs.map((id) => videoCodec(id).maxSide))
  const own = topEntry(source, ladder)
  const topScale = Math.min(1, own.scale)
  const smaller = sorted(ladder).flatMap((spec) => {
    const scale = boxScale(source, spec)
    const isVisible = Math.min(source.width, source.height) * scale >= minShortSide
    return isVisible && scale ** 2 <= topScale ** 2 * maxSmallerShare
      ? [{ name: `${spec.shortSide}p`, kilobits: spec.kilobits, scale }]
      : []
  })
  return [{ ...own, scale: topScale }, ...smaller].flatMap(({ kilobits, name, scale }) => {
    const width = even(Math.min(Math.round(source.width * scale), maxSide))
    const height = even(Math.min(Math.round(source.height * scale), maxSide))
    const ceiling = Math.min(kilobits, maxKilobits(source, scale))
    const fitting = codecs.filter((id, index) => index === 0 || Math.min(width, height) >= videoCodec(id).minSide)
    return fitting.map((codec, index): Rendition => ({
      name: index === 0 ? name : `${name}-${codec}`,
      codec,
      width,
      height,
      kilobits: Math.ceil(ceiling * videoCodec(codec).bitrateFactor),
      ...(index > 0 && keepsHdr && source.hdr !== undefined && videoCodec(codec).hdrCodecString !== undefined
        ? { hdr: source.hdr }
        : {}),
    }))
  })
}

/** The ceiling of the bit rate of the largest rendition, in kilobits per second. The rate of the source does not limit it. */
export const topKilobits = (source: VideoInfo, ladder: Ladder): number => topEntry(source, ladder).kilobits

/** Of a panorama, which has few lines. */
const minShortSide = 64

/** A smaller rendition with more of the pixels of the largest one is of no use. */
const maxSmallerShare = 0.75

/** A source has the name of an entry if one of its sides is at most this much smaller or larger than the entry's box. */
const nameTolerance = { smaller: 1.05, larger: 0.9 }

const sorted = (ladder: Ladder) => [...ladder].sort((a, b) => b.shortSide - a.shortSide)

/** The factor with which the source fits in the 16:9 box of an entry. Above 1 the source is smaller than the box. */
const boxScale = ({ height, width }: VideoInfo, { shortSide }: RenditionSpec): number => {
  const byShortSide = shortSide / Math.min(width, height)
  const byLongSide = (shortSide * 16) / 9 / Math.max(width, height)
  // Sizes of 16:9 are rounded: 854 × 480.
  return byLongSide > byShortSide * 0.998 ? byShortSide : byLongSide
}

/** The name, ceiling and scale of the largest rendition. */
const topEntry = (source: VideoInfo, ladder: Ladder) => {
  const specs = sorted(ladder)
  const [largest = defaultLadder[0]] = specs
  const scale = boxScale(source, largest)
  const ofEntry = (spec: RenditionSpec, entryScale: number) => ({
    name: `${spec.shortSide}p`,
    kilobits: spec.kilobits,
    scale: entryScale,
  })
  if (scale < nameTolerance.larger) return ofEntry(largest, scale)
  // Of two entries that both match, the nearer one.
  const [named] = specs
    .filter((spec) => isWithin(boxScale(source, spec)))
    .sort((a, b) => Math.abs(boxScale(source, a) - 1) - Math.abs(boxScale(source, b) - 1))
  if (named !== undefined) return ofEntry(named, 1)
  const above = specs.findLast((spec) => boxScale(source, spec) > 1)
  const smallest = specs.at(-1) ?? largest
  const [short = 0, long = 0] = [source.width, source.height].sort((a, b) => a - b)
  if (above === undefined || above === smallest) {
    return { name: `${even(short)}p`, kilobits: smallest.kilobits, scale: 1 }
  }
  // The short side of the 16:9 box around the source: no smaller rendition has the same name.
  const boxSide = even(Math.max(short, Math.round((long * 9) / 16)))
  // The need grows with the pixels to the power of 0.75.
  const kilobits = Math.ceil(above.kilobits * boxScale(source, above) ** -1.5)
  return { name: `${boxSide}p`, kilobits: Math.max(kilobits, smallest.kilobits), scale: 1 }
}

const isWithin = (scale: number): boolean => scale <= nameTolerance.smaller && scale >= nameTolerance.larger

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
