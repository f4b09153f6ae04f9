/**
 * Decides from the headers whether a video or audio track of the source can be copied instead of encoded. If it can,
 * `PassthroughCheck` inspects its packets. Each function returns the first reason against copying; in doubt, a track is
 * encoded.
 */
import type { EncodingPlan } from "../encode/EncodingPlan.ts"
import * as TrackAlignment from "../encode/TrackAlignment.ts"
import { audioCodec, videoCodec } from "../encode/codecs/Codecs.ts"
import type { Rendition } from "../encode/Ladder.ts"
import type { AudioInfo, MediaInfo, Rational } from "../probe/MediaInfo.ts"

export const videoRejectReason = (
  info: MediaInfo,
  top: Rendition | undefined,
  frameRate: Rational,
): string | undefined => {
  const { video } = info
  const coded = video?.coded
  if (video === undefined || coded === undefined || top === undefined) return "no video"
  // Other containers have rounded timestamps, or none of the edit lists that the packet check would find.
  if (!isMp4(info.format)) return "container"
  if (video.still !== undefined) return "photo"
  const { id, passthrough: rules } = videoCodec(top.codec)
  if (video.codec !== id || rules === undefined) return "codec"
  if (coded.profile === undefined || !rules.profiles.includes(coded.profile)) return "profile"
  if (coded.level === undefined || coded.level > rules.maxLevel) return "level"
  if (coded.pixelFormat !== rules.pixelFormat) return "pixel format"
  if (video.hdr !== undefined || !coded.isBt709) return "colours"
  if (video.rotation !== 0 || !coded.isUnrotated) return "rotation"
  if (!coded.hasSquarePixels) return "pixel aspect"
  if (!coded.isProgressive || video.interlaced) return "interlaced"
  if (info.duration - (video.end ?? info.duration) > maxMissingEnd) return "shorter than the audio"
  if (coded.width !== top.width || coded.height !== top.height) return "size"
  const { num, den } = video.frameRate
  if (!coded.isConstantFrameRate || num * frameRate.den !== den * frameRate.num || num > den * 60) return "frame rate"
  return undefined
}

export const audioRejectReason = (
  plan: Pick<EncodingPlan, "frameRate" | "info" | "loudness">,
  { channels, codec, coded, end, hasCompositionOffset, hasLayout, isSurround }: AudioInfo,
): string | undefined => {
  const { info, loudness } = plan
  if (!isMp4(info.format)) return "container"
  if (TrackAlignment.shiftSeconds(plan) !== 0) return "late video"
  // Copied, its first decode time would be negative, which MP4 cannot express.
  if (hasCompositionOffset === true) return "composition offset"
  if (info.duration - (end ?? info.duration) > maxMissingEnd) return "shorter than the video"
  if (loudness !== undefined) return "loudness"
  const { id, passthrough: rules } = audioCodec
  if (codec !== id || coded?.profile !== rules.profile) return "codec"
  if (channels > 2 || !hasLayout || isSurround === true) return "channels"
  if (!rules.sampleRates.includes(coded.sampleRate)) return "sample rate"
  if (coded.bitrate === undefined || coded.bitrate > rules.maxKilobits * 1000) return "bit rate"
  return undefined
}

/** Seconds that a copied track may be shorter than another, because nothing can be appended to it. */
const maxMissingEnd = 0.25

/** ffmpeg's format name lists the whole family: `mov,mp4,m4a,…`. */
const isMp4 = (format: string): boolean => format.split(",").includes("mp4")
