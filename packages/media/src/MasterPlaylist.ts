/**
 * The master playlist: every rendition with its measured rates and what its segments hold. ffmpeg's own lacks
 * AVERAGE-BANDWIDTH, FRAME-RATE, VIDEO-RANGE and INDEPENDENT-SEGMENTS and states a nominal BANDWIDTH below the real one.
 */
import { playlistName } from "./FfmpegCommand.ts"
import { averageRate, keyFrames, peakRate, type Segment } from "./MediaPlaylist.ts"
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
  readonly timescale: number
  readonly segments: ReadonlyArray<Segment>
  /** BCP 47. */
  readonly language?: string | undefined
  /** What a listener chooses by. */
  readonly title: string
}

export interface Options {
  /** Offers the sound by itself beside the pictures. */
  readonly audioOnly: boolean
}

export const keyFramesName = "iframes.m3u8"

/** Variants largest first; without any, the sound is the one variant. The first sound is the default. */
export const render = (
  variants: ReadonlyArray<Variant>,
  sounds: ReadonlyArray<Sound>,
  options: Options = { audioOnly: true },
): string => {
  const lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
  const [main] = sounds
  const hasGroup = variants.length > 0 || sounds.length > 1
  if (hasGroup) lines.push(...sounds.map(media))
  const group = main === undefined || !hasGroup ? [] : ['AUDIO="audio"']
  for (const variant of variants) {
    lines.push(
      `#EXT-X-STREAM-INF:${[
        rates([variant.segments, ...worst(sounds)]),
        `CODECS="${[variant.codec, ...(main === undefined ? [] : [main.codec])].join(",")}"`,
        ...pictureOf(variant),
        ...group,
      ].join(",")}`,
      `${variant.name}/${playlistName}`,
    )
  }
  if (main !== undefined && (variants.length === 0 || options.audioOnly)) {
    const attributes = [rates(worst(sounds)), `CODECS="${main.codec}"`, ...group]
    lines.push(`#EXT-X-STREAM-INF:${attributes.join(",")}`, `${main.name}/${playlistName}`)
  }
  for (const variant of variants) {
    lines.push(
      `#EXT-X-I-FRAME-STREAM-INF:${[
        rates([keyFrames(variant.segments)]),
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
  sum([variant.segments, ...worst(sounds)], peakRate)

const media = (sound: Sound, index: number): string =>
  `#EXT-X-MEDIA:${[
    "TYPE=AUDIO",
    'GROUP-ID="audio"',
    `NAME="${quotable(sound.title)}"`,
    ...(sound.language === undefined ? [] : [`LANGUAGE="${sound.language}"`]),
    `DEFAULT=${index === 0 ? "YES" : "NO"}`,
    "AUTOSELECT=YES",
    'CHANNELS="2"',
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
const worst = (sounds: ReadonlyArray<Sound>): ReadonlyArray<ReadonlyArray<Segment>> => {
  const [most] = [...sounds].sort((a, b) => peakRate(b.segments) - peakRate(a.segments))
  return most === undefined ? [] : [most.segments]
}

const sum = (parts: ReadonlyArray<ReadonlyArray<Segment>>, rate: (one: ReadonlyArray<Segment>) => number): number =>
  Math.ceil(parts.reduce((total, segments) => total + rate(segments), 0))

const rates = (parts: ReadonlyArray<ReadonlyArray<Segment>>): string =>
  `BANDWIDTH=${sum(parts, peakRate)},AVERAGE-BANDWIDTH=${sum(parts, averageRate)}`
