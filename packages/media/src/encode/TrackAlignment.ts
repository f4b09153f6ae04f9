/**
 * Makes all tracks of a stream begin together and end together (RFC 8216, 6.2.4): the last frame of a shorter video is
 * held, and a shorter audio track ends with silence. The first frame is placed on the grid of the output frames. Between
 * two grid points, rounding would drop some frames and repeat others.
 */
import type { EncodingPlan } from "./EncodingPlan.ts"

type Aligned = Pick<EncodingPlan, "frameRate" | "info">

/** The longest part of the start that may be left out for the grid, in seconds. */
const maxTrim = 0.04

/** Differences in seconds that players do not notice, like the last frame of an audio encoder. */
export const maxDifference = 0.1

/** Seconds by which the timestamps of every track change. */
export const shiftSeconds = ({ frameRate: { den, num }, info: { video } }: Aligned): number => {
  const start = video?.still === undefined ? (video?.start ?? 0) : 0
  if (start <= 0) return 0
  const frames = Math.max(0, Math.ceil((start * num) / den - Math.min(0.75, (maxTrim * num) / den)))
  const shift = (frames * den) / num - start
  return Math.abs(shift) < 5e-4 ? 0 : shift
}

/** The encoder of audio fails on a track of a few samples. hls.js does not end if the video is much shorter than the audio. */
export const minAudioSeconds = 0.2

/** Whether the tracks of the source are too short to be those of the stream. */
export const isExtended = (plan: Aligned): boolean => presentedSeconds(plan) > plan.info.duration

const presentedSeconds = ({ info }: Aligned): number =>
  Math.max(info.duration, info.audioTracks.length === 0 ? 0 : minAudioSeconds)

/** The length that every track of the stream should have, in seconds. */
export const streamSeconds = (plan: Aligned): number => presentedSeconds(plan) + shiftSeconds(plan)

/** The number of frames of a clip, of which the last one may last beyond its end, without those that are held. */
export const clipFrames = (plan: Aligned): number =>
  Math.max(1, Math.ceil(((plan.info.duration + shiftSeconds(plan)) * plan.frameRate.num) / plan.frameRate.den - 1e-3))

/** The number of frames that a rendition should have, by the packets of the source if it is copied, else by its rate. */
export const streamFrames = (plan: Aligned, isCopied: boolean): number =>
  isCopied && plan.info.video?.packets !== undefined
    ? plan.info.video.packets
    : Math.round((streamSeconds(plan) * plan.frameRate.num) / plan.frameRate.den)

/** How often the last frame is repeated. */
export const heldFrames = (plan: Aligned): number => {
  const { frameRate, info } = plan
  const { video } = info
  if (video?.end === undefined || video.still !== undefined) return 0
  const rate = frameRate.num / frameRate.den
  const seconds = presentedSeconds(plan)
  if (seconds - video.end <= Math.max(maxDifference, 1 / rate)) return 0
  const frames = (until: number) => Math.max(1, Math.round((until + shiftSeconds(plan)) * rate))
  return frames(seconds) - frames(video.end)
}
