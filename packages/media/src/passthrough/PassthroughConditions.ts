/**
 * When a source's own picture or sound is as good a rendition as one that would be encoded from it, by what its headers
 * say. What only its packets say is looked at by `CopyCheck`, where all of this holds. Each function answers with what
 * speaks against it; nobody is harmed where a source is encoded that could have been copied.
 */
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
  if (video === undefined || coded === undefined || top === undefined) return "no picture"
  // Others have times that are rounded, or no edit lists that a look at the packets would show.
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
  if (coded.width !== top.width || coded.height !== top.height) return "size"
  const { num, den } = video.frameRate
  if (!coded.isConstantFrameRate || num * frameRate.den !== den * frameRate.num || num > den * 60) return "frame rate"
  return undefined
}

export const audioRejectReason = (
  info: MediaInfo,
  { channels, codec, coded, hasLayout }: AudioInfo,
  loudness: number | undefined,
): string | undefined => {
  if (!isMp4(info.format)) return "container"
  if (loudness !== undefined) return "loudness"
  const { id, passthrough: rules } = audioCodec
  if (codec !== id || coded?.profile !== rules.profile) return "codec"
  if (channels > 2 || !hasLayout) return "channels"
  if (!rules.sampleRates.includes(coded.sampleRate)) return "sample rate"
  if (coded.bitrate === undefined || coded.bitrate > rules.maxKilobits * 1000) return "bit rate"
  return undefined
}

/** ffmpeg names the whole family. */
const isMp4 = (format: string): boolean => format.split(",").includes("mp4")
