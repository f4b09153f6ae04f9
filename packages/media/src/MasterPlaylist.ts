/**
 * The master playlist: every rendition with its measured rates and what its segments hold. ffmpeg's own lacks
 * AVERAGE-BANDWIDTH, FRAME-RATE, VIDEO-RANGE and INDEPENDENT-SEGMENTS and states a nominal BANDWIDTH below the real one.
 */
import { audioFolder, playlistName } from "./FfmpegCommand.ts"
import { averageRate, peakRate, type Segment } from "./MediaPlaylist.ts"
import type { Rational } from "./Probe.ts"

export interface Variant {
  /** The folder of its playlist. */
  readonly name: string
  readonly width: number
  readonly height: number
  readonly frameRate: Rational
  /** RFC 6381. */
  readonly codec: string
  readonly segments: ReadonlyArray<Segment>
}

export interface Sound {
  readonly codec: string
  readonly segments: ReadonlyArray<Segment>
}

/** Variants largest first; without any, the sound is the one variant. */
export const render = (variants: ReadonlyArray<Variant>, sound: Sound | undefined): string => {
  const lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
  if (variants.length === 0 && sound !== undefined) {
    lines.push(`#EXT-X-STREAM-INF:${rates([sound.segments])},CODECS="${sound.codec}"`, `${audioFolder}/${playlistName}`)
  } else if (sound !== undefined) {
    lines.push(
      `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="${audioFolder}/${playlistName}"`,
    )
  }
  for (const variant of variants) {
    lines.push(
      `#EXT-X-STREAM-INF:${[
        rates([variant.segments, ...(sound === undefined ? [] : [sound.segments])]),
        `CODECS="${[variant.codec, ...(sound === undefined ? [] : [sound.codec])].join(",")}"`,
        `RESOLUTION=${variant.width}x${variant.height}`,
        `FRAME-RATE=${(variant.frameRate.num / variant.frameRate.den).toFixed(3)}`,
        "VIDEO-RANGE=SDR",
        ...(sound === undefined ? [] : ['AUDIO="audio"']),
      ].join(",")}`,
      `${variant.name}/${playlistName}`,
    )
  }
  return `${lines.join("\n")}\n`
}

/** Bits per second of a variant at worst, with the sound that plays along. */
export const bandwidth = (parts: ReadonlyArray<ReadonlyArray<Segment>>): number =>
  Math.ceil(parts.reduce((sum, segments) => sum + peakRate(segments), 0))

const rates = (parts: ReadonlyArray<ReadonlyArray<Segment>>): string =>
  `BANDWIDTH=${bandwidth(parts)},AVERAGE-BANDWIDTH=${Math.ceil(parts.reduce((sum, segments) => sum + averageRate(segments), 0))}`
