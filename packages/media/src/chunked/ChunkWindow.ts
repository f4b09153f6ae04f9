/**
 * How a long picture is cut for many machines: windows of frames whose borders are those of segments, so that what is
 * encoded from each by itself lies behind the other as if it had been encoded in one run.
 */
import { segmentSeconds } from "../encode/EncodingPlan.ts"
import type { MediaInfo, Rational } from "../probe/MediaInfo.ts"

/** Some frames of the picture at its output rate. */
export interface ChunkWindow {
  /** Of the whole film: its first frame is 0. */
  readonly firstFrame: number
  /** Absent: to the end, wherever that is. */
  readonly frames?: number
  /** Seconds: the border on the grid of segments; the first frame is the first at or behind it. */
  readonly from: number
}

export interface ChunkOptions {
  /** Seconds: recordings at least this long are cut. */
  readonly minDuration: number
  /** Seconds of one chunk, 4 to 120. */
  readonly chunkSeconds: number
  /** Chunks that this process encodes at once. Default: its cores. */
  readonly concurrency?: number
}

export const defaultChunkSeconds = 32

/** A film can be watched when its first chunk is there: that one is short. */
const firstChunkSeconds = 8

/**
 * Containers whose index leads to any time in a few requests. Others are read from their beginning to find a place in
 * them, and a copy on the local disk serves that better.
 */
const indexedContainers = /^(mov,|matroska)/

/** Whether a source is worth cutting and can be. */
export const shouldChunk = (info: MediaInfo, options: ChunkOptions | undefined): boolean =>
  options !== undefined &&
  info.video !== undefined &&
  info.video.still === undefined &&
  indexedContainers.test(info.format) &&
  info.mainDuration >= Math.max(options.minDuration, firstChunkSeconds + segmentSeconds)

/** At least one window; the last is never shorter than half of the others. */
export const planWindows = (info: MediaInfo, rate: Rational, chunkSeconds: number): ReadonlyArray<ChunkWindow> => {
  const length = Math.min(120, Math.max(segmentSeconds, Math.ceil(chunkSeconds / segmentSeconds) * segmentSeconds))
  const borders = [0]
  for (let at = Math.min(firstChunkSeconds, length); info.mainDuration - at >= length / 2; at += length)
    borders.push(at)
  return borders.map((from, index): ChunkWindow => {
    const firstFrame = frameAt(from, rate)
    const next = borders[index + 1]
    return { from, firstFrame, ...(next === undefined ? {} : { frames: frameAt(next, rate) - firstFrame }) }
  })
}

/** The first frame that is shown at this time or behind it. */
export const frameAt = (seconds: number, { den, num }: Rational): number => Math.ceil((seconds * num) / den - 1e-6)

/** Seconds at which a frame is shown. */
export const frameTime = (frame: number, { den, num }: Rational): number => (frame * den) / num

/** The number of a window's first segment. */
export const firstSegment = (window: ChunkWindow): number => Math.round(window.from / segmentSeconds)

/** How many frames a window has at most: the last may be longer than its file claims, but not without end. */
export const maxFrames = ({ firstFrame, frames }: ChunkWindow, { duration }: MediaInfo, rate: Rational): number =>
  frames ?? frameAt(Math.ceil(duration) + 5, rate) - firstFrame
