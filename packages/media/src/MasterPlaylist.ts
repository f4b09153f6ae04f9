/**
 * The master playlist: every rendition with its measured rates and what its segments hold. ffmpeg's own lacks
 * AVERAGE-BANDWIDTH, FRAME-RATE, VIDEO-RANGE and INDEPENDENT-SEGMENTS and states a nominal BANDWIDTH below the real one.
 */
import { playlistName } from "./FfmpegCommand.ts"
import { averageRate, fromTheStart, keyFrames, peakRate, type Segment } from "./MediaPlaylist.ts"
import type { Rational } from "./ProbeReport.ts"

export interface Variant {
  /** The folder of its playlist. */
  readonly name: string
  readonly width: number
  readonly height: number
  readonly frameRate: Rational
  /** RFC 6381. */
  readonly codec: string
  readonly timescale: number
  readonly segments: ReadonlyArray<Segment>
}

export interface Sound {
  /** The folder of its playlist. */
  readonly name: string
  readonly codec: string
  /** Of sound that is its samples a second. */
  readonly timescale: number
  /** Default 2. */
  readonly channels?: number
  readonly segments: ReadonlyArray<Segment>
  /** BCP 47. */
  readonly language?: string | undefined
  /** What a listener chooses by. */
  readonly title: string
}

export interface Options {
  /** Offers the sound by itself beside the pictures. */
  readonly audioOnly: boolean
  /**
   * The stream still grows: bits per second of a rendition or sound by its name, where what was measured so far is
   * less. Key frames are left out, and players begin at the start.
   */
  readonly declared?: ((name: string) => number) | undefined
}

export const keyFramesName = "iframes.m3u8"

/** Variants largest first; without any, the sound is the one variant. The first sound is the default. */
export const render = (
  variants: ReadonlyArray<Variant>,
  sounds: ReadonlyArray<Sound>,
  options: Options = { audioOnly: true },
): string => {
  const { declared } = options
  const lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
  if (declared !== undefined) lines.push(fromTheStart)
  const [main] = sounds
  const hasGroup = variants.length > 0 || sounds.length > 1
  if (hasGroup) lines.push(...sounds.map(media))
  const group = main === undefined || !hasGroup ? [] : ['AUDIO="audio"']
  for (const variant of variants) {
    lines.push(
      `#EXT-X-STREAM-INF:${[
        rates([variant, ...worst(sounds)], declared),
        `CODECS="${[variant.codec, ...(main === undefined ? [] : [main.codec])].join(",")}"`,
        ...pictureOf(variant),
        ...group,
      ].join(",")}`,
      `${variant.name}/${playlistName}`,
    )
  }
  if (main !== undefined && (variants.length === 0 || options.audioOnly)) {
    const attributes = [rates(worst(sounds), declared), `CODECS="${main.codec}"`, ...group]
    lines.push(`#EXT-X-STREAM-INF:${attributes.join(",")}`, `${main.name}/${playlistName}`)
  }
  for (const variant of declared === undefined ? variants : []) {
    lines.push(
      `#EXT-X-I-FRAME-STREAM-INF:${[
        rates([{ ...variant, segments: keyFrames(variant.segments) }]),
        `CODECS="${variant.codec}"`,
        `RESOLUTION=${variant.width}x${variant.height}`,
        "VIDEO-RANGE=SDR",
        `URI="${variant.name}/${keyFramesName}"`,
      ].join(",")}`,
    )
  }
  return `${lines.join("\n")}\n`
}

/** Bits per second of a variant at worst, with the sound that plays along. */
export const bandwidth = (variant: Variant, sounds: ReadonlyArray<Sound>): number =>
  sum([variant, ...worst(sounds)], peakRate)

const media = (sound: Sound, index: number): string =>
  `#EXT-X-MEDIA:${[
    "TYPE=AUDIO",
    'GROUP-ID="audio"',
    `NAME="${quotable(sound.title)}"`,
    ...(sound.language === undefined ? [] : [`LANGUAGE="${sound.language}"`]),
    `DEFAULT=${index === 0 ? "YES" : "NO"}`,
    "AUTOSELECT=YES",
    `CHANNELS="${sound.channels ?? 2}"`,
    `URI="${sound.name}/${playlistName}"`,
  ].join(",")}`

const pictureOf = (variant: Variant): ReadonlyArray<string> => [
  `RESOLUTION=${variant.width}x${variant.height}`,
  `FRAME-RATE=${(variant.frameRate.num / variant.frameRate.den).toFixed(3)}`,
  "VIDEO-RANGE=SDR",
]

/** A quoted string of a playlist has no escape: what cannot stand in it is left out. */
const quotable = (text: string): string => text.replaceAll('"', "”").replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ")

/** Of the tracks of a group the one that needs the most counts. */
const worst = (sounds: ReadonlyArray<Sound>): ReadonlyArray<Sound> =>
  [...sounds].sort((a, b) => peakRate(b.segments) - peakRate(a.segments)).slice(0, 1)

interface Rated {
  readonly name: string
  readonly segments: ReadonlyArray<Segment>
}

const sum = (
  parts: ReadonlyArray<Rated>,
  rate: (one: ReadonlyArray<Segment>) => number,
  declared: Options["declared"] = () => 0,
): number => Math.ceil(parts.reduce((total, { name, segments }) => total + Math.max(rate(segments), declared(name)), 0))

const rates = (parts: ReadonlyArray<Rated>, declared?: Options["declared"]): string =>
  `BANDWIDTH=${sum(parts, peakRate, declared)},AVERAGE-BANDWIDTH=${sum(parts, averageRate, declared)}`
