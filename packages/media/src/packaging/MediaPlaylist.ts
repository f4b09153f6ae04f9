/** HLS media playlists: text from segments and back, and the measured bit rates of the segments. */
import { Schema } from "effect"
import type { KeyTags } from "../protection/KeyTags.ts"

export const Segment = Schema.Struct({
  /** Relative to the playlist. */
  name: Schema.String,
  seconds: Schema.Finite,
  bytes: Schema.Int,
  /** The decode time of the first sample in seconds; absent in outputs of earlier versions. */
  start: Schema.optionalKey(Schema.Finite),
  /** The presentation time of the first sample in seconds; only of a first segment whose stored form hides it. */
  presented: Schema.optionalKey(Schema.Finite),
  /** The frames of a video segment; absent for audio and in outputs of earlier versions. */
  frames: Schema.optionalKey(Schema.Int),
  /** The byte range of each key frame with its boxes, and the seconds until the next key frame. */
  iFrameSegments: Schema.optionalKey(
    Schema.Array(Schema.Struct({ offset: Schema.Int, length: Schema.Int, seconds: Schema.Finite })),
  ),
})
export type Segment = typeof Segment.Type

/** Names the key of each segment; a tag is for all segments up to the next one. */
type Keys = Pick<KeyTags, "linesFor" | "iFrameLinesFor"> | undefined

/** Segments with the lines of their keys, where these change. The initialisation segment is never encrypted. */
const withKeys = (
  segments: ReadonlyArray<Segment>,
  linesFor: ((segment: Segment) => ReadonlyArray<string>) | undefined,
  render: (segment: Segment) => ReadonlyArray<string>,
): ReadonlyArray<string> => {
  let last = ""
  return segments.flatMap((segment) => {
    const lines = linesFor?.(segment) ?? []
    const isNew = lines.join() !== last
    last = lines.join()
    return [...(isNew ? lines : []), ...render(segment)]
  })
}

const entry = ({ name, seconds }: Segment): ReadonlyArray<string> => [`#EXTINF:${seconds.toFixed(6)},`, name]

/** The playlist of a complete track (VOD). */
export const render = (init: string, segments: ReadonlyArray<Segment>, keys?: Keys): string =>
  [
    "#EXTM3U",
    "#EXT-X-VERSION:7",
    `#EXT-X-TARGETDURATION:${targetDuration(segments)}`,
    "#EXT-X-MEDIA-SEQUENCE:0",
    "#EXT-X-PLAYLIST-TYPE:VOD",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    `#EXT-X-MAP:URI="${init}"`,
    ...withKeys(segments, keys?.linesFor, entry),
    "#EXT-X-ENDLIST",
    "",
  ].join("\n")

/** Without it players begin at the end of an event playlist. */
export const startTag = "#EXT-X-START:TIME-OFFSET=0,PRECISE=YES"

/** The playlist of an incomplete track (EVENT): segments are only added, until the complete playlist replaces it. */
export const renderEvent = (
  init: string,
  segments: ReadonlyArray<Segment>,
  maxSegmentSeconds: number,
  keys?: Keys,
): string =>
  [
    "#EXTM3U",
    "#EXT-X-VERSION:7",
    `#EXT-X-TARGETDURATION:${Math.max(Math.round(maxSegmentSeconds), targetDuration(segments))}`,
    "#EXT-X-MEDIA-SEQUENCE:0",
    "#EXT-X-PLAYLIST-TYPE:EVENT",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    startTag,
    `#EXT-X-MAP:URI="${init}"`,
    ...withKeys(segments, keys?.linesFor, entry),
    "",
  ].join("\n")

/** The I-frame playlist for scrubbing: every key frame as a byte range of its segment. */
export const renderIFrames = (init: string, segments: ReadonlyArray<Segment>, keys?: Keys): string =>
  [
    "#EXTM3U",
    "#EXT-X-VERSION:7",
    `#EXT-X-TARGETDURATION:${targetDuration(keyFrames(segments))}`,
    "#EXT-X-MEDIA-SEQUENCE:0",
    "#EXT-X-PLAYLIST-TYPE:VOD",
    "#EXT-X-I-FRAMES-ONLY",
    `#EXT-X-MAP:URI="${init}"`,
    ...withKeys(segments, keys?.iFrameLinesFor, ({ iFrameSegments = [], name }) =>
      iFrameSegments.flatMap(({ length, offset, seconds }) => [
        `#EXTINF:${seconds.toFixed(6)},`,
        `#EXT-X-BYTERANGE:${length}@${offset}`,
        name,
      ]),
    ),
    "#EXT-X-ENDLIST",
    "",
  ].join("\n")

/** The key frames as segments, for bit rates. */
export const keyFrames = (segments: ReadonlyArray<Segment>): ReadonlyArray<Segment> =>
  segments.flatMap(({ iFrameSegments = [], name }) =>
    iFrameSegments.map(({ length, seconds }) => ({ name, seconds, bytes: length })),
  )

/** The initialisation segment and the segments of a playlist, or the playlists of a master, in order. */
export const parse = (
  text: string,
): { readonly init: string | undefined; readonly segments: ReadonlyArray<string> } => ({
  init: /#EXT-X-MAP:URI="([^"]+)"/.exec(text)?.[1],
  segments: text.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#")),
})

export const targetDuration = (segments: ReadonlyArray<Segment>): number =>
  Math.max(1, ...segments.map(({ seconds }) => Math.round(seconds)))

/**
 * The peak segment bit rate of RFC 8216, 4.1: the highest rate of any run of segments that lasts between half and one and a
 * half target durations. A last segment of a few frames therefore counts only together with the one before it.
 */
export const peakRate = (segments: ReadonlyArray<Segment>): number => {
  const target = targetDuration(segments)
  let peak = 0
  segments.forEach((_, first) => {
    let seconds = 0
    let bytes = 0
    for (const segment of segments.slice(first)) {
      seconds += segment.seconds
      bytes += segment.bytes
      if (seconds > target * 1.5) break
      if (seconds >= target * 0.5) peak = Math.max(peak, (bytes * 8) / seconds)
    }
  })
  return peak === 0 ? averageRate(segments) : peak
}

/** Bits per second over all segments. */
export const averageRate = (segments: ReadonlyArray<Segment>): number => {
  const seconds = totalSeconds(segments)
  return seconds === 0 ? 0 : (segments.reduce((sum, { bytes }) => sum + bytes, 0) * 8) / seconds
}

export const totalSeconds = (segments: ReadonlyArray<Segment>): number =>
  segments.reduce((sum, { seconds }) => sum + seconds, 0)
