/**
 * How a long picture is cut for many machines: windows of frames whose borders are those of segments, so that what is
 * encoded from each by itself lies behind the other as if it had been encoded in one run.
 */
import { segmentSeconds } from "../FfmpegCommand.ts"
import type { MediaInfo } from "../Probe.ts"
import type { Rational } from "../ProbeReport.ts"

/** Some frames of the picture at its output rate. */
export interface Window {
  /** Of the whole film: its first frame is 0. */
  readonly firstFrame: number
  /** Absent: to the end, wherever that is. */
  readonly frames?: number
  /** Seconds: the border on the grid of segments; the first frame is the first at or behind it. */
  readonly from: number
}

export interface Options {
  /** Seconds: recordings at least this long are cut. */
  readonly from: number
  /** Seconds of one chunk, 4 to 120. */
  readonly seconds: number
  /** Chunks that this process encodes at once. Default: its cores. */
  readonly concurrency?: number
}

export const defaultSeconds = 32

/** A film can be watched when its first chunk is there: that one is short. */
const firstSeconds = 8

/**
 * Containers whose index leads to any time in a few requests. Others are read from their beginning to find a place in
 * them, and a copy on the local disk serves that better.
 */
const indexed = /^(mov,|matroska)/

/** Whether a source is worth cutting and can be. */
export const isChunked = (info: MediaInfo, options: Options | undefined): boolean =>
  options !== undefined &&
  info.video !== undefined &&
  info.video.still === undefined &&
  indexed.test(info.format) &&
  info.mainDuration >= Math.max(options.from, firstSeconds + segmentSeconds)

/** At least one window; the last is never shorter than half of the others. */
export const cut = (info: MediaInfo, rate: Rational, chunkSeconds: number): ReadonlyArray<Window> => {
  const length = Math.min(120, Math.max(segmentSeconds, Math.ceil(chunkSeconds / segmentSeconds) * segmentSeconds))
  const borders = [0]
  for (let at = Math.min(firstSeconds, length); info.mainDuration - at >= length / 2; at += length) borders.push(at)
  return borders.map((from, index): Window => {
    const firstFrame = frameAt(from, rate)
    const next = borders[index + 1]
    return { from, firstFrame, ...(next === undefined ? {} : { frames: frameAt(next, rate) - firstFrame }) }
  })
}

/** The first frame that is shown at this time or behind it. */
export const frameAt = (seconds: number, { den, num }: Rational): number => Math.ceil((seconds * num) / den - 1e-6)

/** Seconds at which a frame is shown. */
export const timeOf = (frame: number, { den, num }: Rational): number => (frame * den) / num

/** The number of a window's first segment. */
export const firstSegment = (window: Window): number => Math.round(window.from / segmentSeconds)

/** How many frames a window has at most: the last may be longer than its file claims, but not without end. */
export const framesOf = ({ firstFrame, frames }: Window, { duration }: MediaInfo, rate: Rational): number =>
  frames ?? frameAt(Math.ceil(duration) + 5, rate) - firstFrame
