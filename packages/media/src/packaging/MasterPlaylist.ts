/**
 * The master playlist: every rendition with its measured rates and what its segments hold. ffmpeg's own lacks
 * AVERAGE-BANDWIDTH, FRAME-RATE, VIDEO-RANGE and INDEPENDENT-SEGMENTS and states a nominal BANDWIDTH below the real one.
 */
import { playlistName } from "../encode/FfmpegCommand.ts"
import { averageRate, startTag, keyFrames, peakRate, type Segment } from "./MediaPlaylist.ts"
import type { Rational } from "../probe/MediaInfo.ts"

export interface VideoRendition {
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

export interface AudioTrack {
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

export interface RenderOptions {
  /** Offers the sound by itself beside the pictures. */
  readonly audioOnly: boolean
  /**
   * The stream still grows: bits per second of a rendition or sound by its name, where what was measured so far is
   * less. Key frames are left out, and players begin at the start.
   */
  readonly declaredBandwidth?: ((name: string) => number) | undefined
}

export const iFramePlaylistName = "iframes.m3u8"

/** Variants largest first; without any, the sound is the one variant. The first sound is the default. */
export const render = (
  renditions: ReadonlyArray<VideoRendition>,
  audioTracks: ReadonlyArray<AudioTrack>,
  options: RenderOptions = { audioOnly: true },
): string => {
  const { declaredBandwidth } = options
  const lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
  if (declaredBandwidth !== undefined) lines.push(startTag)
  const [main] = audioTracks
  const hasGroup = renditions.length > 0 || audioTracks.length > 1
  if (hasGroup) lines.push(...audioTracks.map(mediaTag))
  const group = main === undefined || !hasGroup ? [] : ['AUDIO="audio"']
  for (const rendition of renditions) {
    lines.push(
      `#EXT-X-STREAM-INF:${[
        bandwidthAttributes([rendition, ...highestBitrate(audioTracks)], declaredBandwidth),
        `CODECS="${[rendition.codec, ...(main === undefined ? [] : [main.codec])].join(",")}"`,
        ...videoAttributes(rendition),
        ...group,
      ].join(",")}`,
      `${rendition.name}/${playlistName}`,
    )
  }
  if (main !== undefined && (renditions.length === 0 || options.audioOnly)) {
    const attributes = [
      bandwidthAttributes(highestBitrate(audioTracks), declaredBandwidth),
      `CODECS="${main.codec}"`,
      ...group,
    ]
    lines.push(`#EXT-X-STREAM-INF:${attributes.join(",")}`, `${main.name}/${playlistName}`)
  }
  for (const variant of declaredBandwidth === undefined ? renditions : []) {
    lines.push(
      `#EXT-X-I-FRAME-STREAM-INF:${[
        bandwidthAttributes([{ ...variant, segments: keyFrames(variant.segments) }]),
        `CODECS="${variant.codec}"`,
        `RESOLUTION=${variant.width}x${variant.height}`,
        "VIDEO-RANGE=SDR",
        `URI="${variant.name}/${iFramePlaylistName}"`,
      ].join(",")}`,
    )
  }
  return `${lines.join("\n")}\n`
}

/** Bits per second of a variant at worst, with the sound that plays along. */
export const bandwidth = (rendition: VideoRendition, audioTracks: ReadonlyArray<AudioTrack>): number =>
  totalBandwidth([rendition, ...highestBitrate(audioTracks)], peakRate)

const mediaTag = (track: AudioTrack, index: number): string =>
  `#EXT-X-MEDIA:${[
    "TYPE=AUDIO",
    'GROUP-ID="audio"',
    `NAME="${quotedString(track.title)}"`,
    ...(track.language === undefined ? [] : [`LANGUAGE="${track.language}"`]),
    `DEFAULT=${index === 0 ? "YES" : "NO"}`,
    "AUTOSELECT=YES",
    `CHANNELS="${track.channels ?? 2}"`,
    `URI="${track.name}/${playlistName}"`,
  ].join(",")}`

const videoAttributes = (rendition: VideoRendition): ReadonlyArray<string> => [
  `RESOLUTION=${rendition.width}x${rendition.height}`,
  `FRAME-RATE=${(rendition.frameRate.num / rendition.frameRate.den).toFixed(3)}`,
  "VIDEO-RANGE=SDR",
]

/** A quoted string of a playlist has no escape: what cannot stand in it is left out. */
const quotedString = (text: string): string => text.replaceAll('"', "”").replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ")

/** Of the tracks of a group the one that needs the most counts. */
const highestBitrate = (audioTracks: ReadonlyArray<AudioTrack>): ReadonlyArray<AudioTrack> =>
  [...audioTracks].sort((a, b) => peakRate(b.segments) - peakRate(a.segments)).slice(0, 1)

interface MeasuredTrack {
  readonly name: string
  readonly segments: ReadonlyArray<Segment>
}

const totalBandwidth = (
  tracks: ReadonlyArray<MeasuredTrack>,
  rate: (one: ReadonlyArray<Segment>) => number,
  declaredBandwidth: RenderOptions["declaredBandwidth"] = () => 0,
): number =>
  Math.ceil(tracks.reduce((total, { name, segments }) => total + Math.max(rate(segments), declaredBandwidth(name)), 0))

const bandwidthAttributes = (
  tracks: ReadonlyArray<MeasuredTrack>,
  declaredBandwidth?: RenderOptions["declaredBandwidth"],
): string =>
  `BANDWIDTH=${totalBandwidth(tracks, peakRate, declaredBandwidth)},AVERAGE-BANDWIDTH=${totalBandwidth(tracks, averageRate, declaredBandwidth)}`
