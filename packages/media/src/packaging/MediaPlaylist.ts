/** HLS media playlists: text from segments and back, and the measured bit rates of the segments. */
import { Schema } from "effect"

export const Segment = Schema.Struct({
  /** Relative to the playlist. */
  name: Schema.String,
  seconds: Schema.Finite,
  bytes: Schema.Int,
  /** The byte range of each key frame with its boxes, and the seconds until the next key frame. */
  iFrameSegments: Schema.optionalKey(
    Schema.Array(Schema.Struct({ offset: Schema.Int, length: Schema.Int, seconds: Schema.Finite })),
  ),
})
export type Segment = typeof Segment.Type

/** A finished (VOD) HLS media playlist. */
export const render = (init: string, segments: ReadonlyArray<Segment>): string =>
  [
    "#EXTM3U",
    "#EXT-X-VERSION:7",
    `#EXT-X-TARGETDURATION:${targetDuration(segments)}`,
    "#EXT-X-MEDIA-SEQUENCE:0",
    "#EXT-X-PLAYLIST-TYPE:VOD",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    `#EXT-X-MAP:URI="${init}"`,
    ...segments.flatMap(({ name, seconds }) => [`#EXTINF:${seconds.toFixed(6)},`, name]),
    "#EXT-X-ENDLIST",
    "",
  ].join("\n")

/** Players of a growing playlist would begin at its end. */
export const startTag = "#EXT-X-START:TIME-OFFSET=0,PRECISE=YES"

/** The playlist of a stream that still grows: segments are only added, until the finished one takes its place. */
export const renderEvent = (init: string, segments: ReadonlyArray<Segment>, maxSegmentSeconds: number): string =>
  [
    "#EXTM3U",
    "#EXT-X-VERSION:7",
    `#EXT-X-TARGETDURATION:${Math.max(Math.round(maxSegmentSeconds), targetDuration(segments))}`,
    "#EXT-X-MEDIA-SEQUENCE:0",
    "#EXT-X-PLAYLIST-TYPE:EVENT",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    startTag,
    `#EXT-X-MAP:URI="${init}"`,
    ...segments.flatMap(({ name, seconds }) => [`#EXTINF:${seconds.toFixed(6)},`, name]),
    "",
  ].join("\n")

/** For scrubbing: every key frame, by byte range, so that nothing is encoded or stored twice. */
export const renderIFrames = (init: string, segments: ReadonlyArray<Segment>): string =>
  [
    "#EXTM3U",
    "#EXT-X-VERSION:7",
    `#EXT-X-TARGETDURATION:${targetDuration(keyFrames(segments))}`,
    "#EXT-X-MEDIA-SEQUENCE:0",
    "#EXT-X-PLAYLIST-TYPE:VOD",
    "#EXT-X-I-FRAMES-ONLY",
    `#EXT-X-MAP:URI="${init}"`,
    ...segments.flatMap(({ iFrameSegments = [], name }) =>
      iFrameSegments.flatMap(({ length, offset, seconds }) => [
        `#EXTINF:${seconds.toFixed(6)},`,
        `#EXT-X-BYTERANGE:${length}@${offset}`,
        name,
      ]),
    ),
    "#EXT-X-ENDLIST",
    "",
  ].join("\n")

/** The segments as their key frames alone, for rates. */
export const keyFrames = (segments: ReadonlyArray<Segment>): ReadonlyArray<Segment> =>
  segments.flatMap(({ iFrameSegments = [], name }) =>
    iFrameSegments.map(({ length, seconds }) => ({ name, seconds, bytes: length })),
  )

/** What a playlist names, in its order. */
export const parse = (
  text: string,
): { readonly init: string | undefined; readonly segments: ReadonlyArray<string> } => ({
  init: /#EXT-X-MAP:URI="([^"]+)"/.exec(text)?.[1],
  segments: text.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#")),
})

export const targetDuration = (segments: ReadonlyArray<Segment>): number =>
  Math.max(1, ...segments.map(({ seconds }) => Math.round(seconds)))

/**
 * Bits per second at worst, as HLS defines it (RFC 8216, 4.1): the largest rate of any run of segments that lasts
 * between half and one and a half target durations. So a last segment of a few frames counts with its neighbour.
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

/** Bits per second over the whole. */
export const averageRate = (segments: ReadonlyArray<Segment>): number => {
  const seconds = totalSeconds(segments)
  return seconds === 0 ? 0 : (segments.reduce((sum, { bytes }) => sum + bytes, 0) * 8) / seconds
}

export const totalSeconds = (segments: ReadonlyArray<Segment>): number =>
  segments.reduce((sum, { seconds }) => sum + seconds, 0)
