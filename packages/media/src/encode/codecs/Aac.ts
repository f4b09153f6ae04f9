/** AAC-LC: every player decodes it. */
import { aacEncoder } from "@armoricore/ffmpeg/FfmpegPrograms"
import type { AudioCodec } from "./AudioCodec.ts"

/** Stereo, or 5.1. */
const kilobits = (channels: number): number => (channels > 2 ? 384 : 128)

export const aac: AudioCodec = {
  id: "aac",
  encoder: aacEncoder,
  kilobits,
  primingSamples: 1024,
  sampleEntry: "mp4a",
  configBox: "esds",
  codecString: (config) => readDescriptors(new DataView(config.buffer, config.byteOffset + 4, config.byteLength - 4)),
  encoderArgs: (stream, channels) => [
    `-c${stream}`,
    aacEncoder.name,
    `-b${stream}`,
    `${kilobits(channels)}k`,
    `-ac${stream}`,
    String(channels),
  ],
  passthrough: { profile: "LC", sampleRates: [44_100, 48_000], maxKilobits: 160 },
}

/** Descriptor tags of ISO/IEC 14496-1. */
const descriptorTag = { es: 0x03, decoderConfig: 0x04, decoderSpecific: 0x05 }

/** The object type of the decoder configuration and the audio object type in its specific part: `mp4a.40.2`. */
const readDescriptors = (view: DataView): string | undefined => {
  let at = 0
  let objectType: number | undefined
  while (at + 2 <= view.byteLength) {
    const tag = view.getUint8(at++)
    let size = 0
    for (let byte = 0x80; (byte & 0x80) !== 0 && at < view.byteLength;) {
      byte = view.getUint8(at++)
      size = (size << 7) | (byte & 0x7f)
    }
    if (tag === descriptorTag.es) at += 3
    else if (tag === descriptorTag.decoderConfig) {
      objectType = view.getUint8(at)
      at += 13
    } else if (tag === descriptorTag.decoderSpecific && objectType !== undefined && size > 0) {
      return `mp4a.${hex(objectType)}.${view.getUint8(at) >> 3}`
    } else at += size
  }
  return objectType === undefined ? undefined : `mp4a.${hex(objectType)}`
}

const hex = (byte: number): string => byte.toString(16).padStart(2, "0").toUpperCase()
