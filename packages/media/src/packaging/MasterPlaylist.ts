/**
 * The HLS master playlist: every rendition with its measured bit rates and its codecs. The one that ffmpeg writes lacks
 * AVERAGE-BANDWIDTH, FRAME-RATE, VIDEO-RANGE and INDEPENDENT-SEGMENTS, and its nominal BANDWIDTH is too low.
 */
import { playlistName } from "../encode/FfmpegCommand.ts"
import { averageRate, startTag, keyFrames, peakRate, type Segment } from "./MediaPlaylist.ts"
import type { AudioInfo, Rational } from "../probe/MediaInfo.ts"

export interface VideoRendition {
  /** The folder of its playlist. */
  readonly name: string
  readonly width: number
  readonly height: number
  readonly frameRate: Rational
  /** The RFC 6381 codec string. */
  readonly codec: string
  /** The transfer function of HDR; absent for SDR. */
  readonly hdr?: "smpte2084" | "arib-std-b67" | undefined
  readonly timescale: number
  readonly segments: ReadonlyArray<Segment>
}

export interface AudioTrack {
  /** The folder of its playlist. */
  readonly name: string
  readonly codec: string
  /** The sample rate. */
  readonly timescale: number
  /** Default: 2. */
  readonly channels?: number
  readonly segments: ReadonlyArray<Segment>
  /** BCP 47. */
  readonly language?: string | undefined
  /** The name in the menu of a player. */
  readonly title: string
  readonly purpose?: AudioInfo["purpose"]
}

export interface RenderOptions {
  /** Adds a variant with audio only. */
  readonly audioOnly: boolean
  /**
   * For a stream that is not complete: the declared bits per second of a rendition or audio track by its name. The playlist
   * states the higher of the declared and the measured rate, has no I-frame playlists, and makes players begin at the start.
   */
  readonly declaredBandwidth?: ((name: string) => number) | undefined
  /** A JSON file with chapters, relative to the playlist. */
  readonly chapters?: string | undefined
  /** Seconds; for captions that are added later, if the segments do not show it. */
  readonly presentationStart?: number | undefined
}

const presentationStartId = "armoricore.presentation-start"

/** The declared one, in seconds. */
export const presentationStart = (master: string): number | undefined => {
  const declared = new RegExp(`DATA-ID="${presentationStartId}",VALUE="([0-9.]+)"`).exec(master)?.[1]
  return declared === undefined ? undefined : Number(declared)
}

export const iFramePlaylistName = "iframes.m3u8"

/** The renditions must be ordered largest first. Without renditions the audio is the only variant. The first audio track is the default. */
export const render = (
  renditions: ReadonlyArray<VideoRendition>,
  audioTracks: ReadonlyArray<AudioTrack>,
  options: RenderOptions = { audioOnly: true },
): string => {
  const { declaredBandwidth } = options
  const lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
  if (declaredBandwidth !== undefined) lines.push(startTag)
  if (options.chapters !== undefined)
    lines.push(`#EXT-X-SESSION-DATA:DATA-ID="com.apple.hls.chapters",URI="${options.chapters}"`)
  if (options.presentationStart !== undefined)
    lines.push(`#EXT-X-SESSION-DATA:DATA-ID="${presentationStartId}",VALUE="${options.presentationStart.toFixed(6)}"`)
  const [main] = audioTracks
  const hasGroup = renditions.length > 0 || audioTracks.length > 1
  if (hasGroup) lines.push(...audioTracks.map(mediaTag))
  const group = main === undefined || !hasGroup ? [] : ['AUDIO="audio"']
  const scores = scoresOf(renditions)
  for (const rendition of renditions) {
    lines.push(
      `#EXT-X-STREAM-INF:${[
        bandwidthAttributes([rendition, ...highestBitrate(audioTracks)], declaredBandwidth),
        `CODECS="${[rendition.codec, ...(main === undefined ? [] : [main.codec])].join(",")}"`,
        ...videoAttributes(rendition),
        ...scoreAttribute(scores?.get(rendition)),
        ...group,
      ].join(",")}`,
      `${rendition.name}/${playlistName}`,
    )
  }
  if (main !== undefined && (renditions.length === 0 || options.audioOnly)) {
    const attributes = [
      bandwidthAttributes(highestBitrate(audioTracks), declaredBandwidth),
      `CODECS="${main.codec}"`,
      ...scoreAttribute(scores === undefined ? undefined : 0.5),
      ...group,
    ]
    lines.push(`#EXT-X-STREAM-INF:${attributes.join(",")}`, `${main.name}/${playlistName}`)
  }
  for (const rendition of declaredBandwidth === undefined ? renditions : []) {
    lines.push(
      `#EXT-X-I-FRAME-STREAM-INF:${[
        bandwidthAttributes([{ ...rendition, segments: keyFrames(rendition.segments) }]),
        `CODECS="${rendition.codec}"`,
        `RESOLUTION=${rendition.width}x${rendition.height}`,
        ...scoreAttribute(scores?.get(rendition)),
        videoRange(rendition),
        `URI="${rendition.name}/${iFramePlaylistName}"`,
      ].join(",")}`,
    )
  }
  return `${lines.join("\n")}\n`
}

/**
 * With several codecs, players that know SCORE take the largest size, and in it the codec with the fewest bits, which comes
 * last. Undefined with one codec: the bandwidth decides.
 */
const scoresOf = (renditions: ReadonlyArray<VideoRendition>): ReadonlyMap<VideoRendition, number> | undefined => {
  const families = [...new Set(renditions.map(({ codec }) => codecFamily(codec)))]
  if (families.length < 2) return undefined
  const sizes = [...new Set(renditions.map(({ height, width }) => width * height))].sort((a, b) => a - b)
  return new Map(
    renditions.map((rendition) => {
      const size = sizes.indexOf(rendition.width * rendition.height) + 1
      return [rendition, size + families.indexOf(codecFamily(rendition.codec)) / 10] as const
    }),
  )
}

const scoreAttribute = (score: number | undefined): ReadonlyArray<string> =>
  score === undefined ? [] : [`SCORE=${score.toFixed(1)}`]

/** `avc1` of `avc1.64001F`. */
export const codecFamily = (codec: string): string => codec.split(".", 1)[0] ?? codec

/** The peak bits per second of a variant, including its audio. */
export const bandwidth = (rendition: VideoRendition, audioTracks: ReadonlyArray<AudioTrack>): number =>
  totalBandwidth([rendition, ...highestBitrate(audioTracks)], peakRate)

const mediaTag = (track: AudioTrack, index: number): string =>
  `#EXT-X-MEDIA:${[
    "TYPE=AUDIO",
    'GROUP-ID="audio"',
    `NAME="${quotedString(track.title)}"`,
    ...(track.language === undefined ? [] : [`LANGUAGE="${track.language}"`]),
    `DEFAULT=${index === 0 ? "YES" : "NO"}`,
    // Commentary is chosen by hand only.
    `AUTOSELECT=${track.purpose === "commentary" ? "NO" : "YES"}`,
    ...(track.purpose === "description" ? ['CHARACTERISTICS="public.accessibility.describes-video"'] : []),
    `CHANNELS="${track.channels ?? 2}"`,
    `URI="${track.name}/${playlistName}"`,
  ].join(",")}`

const videoRange = ({ hdr }: VideoRendition): string =>
  `VIDEO-RANGE=${hdr === undefined ? "SDR" : hdr === "smpte2084" ? "PQ" : "HLG"}`

const videoAttributes = (rendition: VideoRendition): ReadonlyArray<string> => [
  `RESOLUTION=${rendition.width}x${rendition.height}`,
  `FRAME-RATE=${(rendition.frameRate.num / rendition.frameRate.den).toFixed(3)}`,
  videoRange(rendition),
  // Without it, some players offer a caption track that does not exist.
  "CLOSED-CAPTIONS=NONE",
]

/** Quoted strings in playlists have no escapes, so characters that cannot be in one are replaced. */
const quotedString = (text: string): string => text.replaceAll('"', "”").replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ")

/** The bandwidth of a variant includes the audio track of the group with the highest rate. */
const highestBitrate = (audioTracks: ReadonlyArray<AudioTrack>): ReadonlyArray<AudioTrack> =>
  [...audioTracks].sort((a, b) => peakRate(b.segments) - peakRate(a.segments)).slice(0, 1)

interface MeasuredTrack {
  readonly name: string
  readonly segments: ReadonlyArray<Segment>
}

const totalBandwidth = (
  tracks: ReadonlyArray<MeasuredTrack>,
  rate: (segments: ReadonlyArray<Segment>) => number,
  declaredBandwidth: RenderOptions["declaredBandwidth"] = () => 0,
): number =>
  Math.ceil(tracks.reduce((total, { name, segments }) => total + Math.max(rate(segments), declaredBandwidth(name)), 0))

const bandwidthAttributes = (
  tracks: ReadonlyArray<MeasuredTrack>,
  declaredBandwidth?: RenderOptions["declaredBandwidth"],
): string =>
  `BANDWIDTH=${totalBandwidth(tracks, peakRate, declaredBandwidth)},AVERAGE-BANDWIDTH=${totalBandwidth(tracks, averageRate, declaredBandwidth)}`
