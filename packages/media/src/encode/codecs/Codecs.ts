/** The codecs that uploads can be encoded to. To add one, write its record and list it here. */
import type { Encoder } from "@armoricore/ffmpeg/FfmpegPrograms"
import { aac } from "./Aac.ts"
import { av1 } from "./Av1.ts"
import { h264 } from "./H264.ts"
import { hevc } from "./Hevc.ts"
import type { VideoCodec } from "./VideoCodec.ts"

export const videoCodecs: readonly [VideoCodec, ...ReadonlyArray<VideoCodec>] = [h264, hevc, av1]

/** The codec of every encoded audio track. */
export const audioCodec = aac

export const videoCodecIds: ReadonlyArray<string> = videoCodecs.map(({ id }) => id)

/** The first listed codec: every player decodes it. */
export const defaultVideoCodecIds: ReadonlyArray<string> = [videoCodecs[0].id]

/** The first listed codec, which is always made, then the additional ones. Undefined: an id is unknown. */
export const withDefaultCodec = (ids: ReadonlyArray<string>): ReadonlyArray<string> | undefined =>
  ids.every((id) => videoCodecIds.includes(id)) ? [...new Set([...defaultVideoCodecIds, ...ids])] : undefined

/** A plan holds only ids of listed codecs: its schema checks them. */
export const videoCodec = (id: string): VideoCodec => videoCodecs.find((codec) => codec.id === id) ?? videoCodecs[0]

/** The codec of an RFC 6381 string, such as `avc1.64001F`. */
export const videoCodecOf = (codec: string): VideoCodec =>
  videoCodecs.find(({ sampleEntry }) => sampleEntry === codec.split(".", 1)[0]) ?? videoCodecs[0]

/** The encoders that ffmpeg must have for renditions of these codecs. */
export const requiredEncoders = (ids: ReadonlyArray<string> = defaultVideoCodecIds): ReadonlyArray<Encoder> => [
  ...ids.map((id) => videoCodec(id).encoder),
  audioCodec.encoder,
]

/** Whether an RFC 6381 codec string names an audio codec. */
export const isAudioCodec = (codec: string): boolean => codec.split(".", 1)[0] === audioCodec.sampleEntry

/** Bytes of a visual and of an audio sample entry before its own boxes (ISO/IEC 14496-12). */
const visualEntryBytes = 78
const audioEntryBytes = 28

export interface SampleEntry {
  readonly headerBytes: number
  readonly configBox: string
  readonly codecString: (config: DataView) => string | undefined
}

/** The known sample entries of MP4 by their type. */
export const sampleEntries: ReadonlyMap<string, SampleEntry> = new Map<string, SampleEntry>([
  ...videoCodecs.map((codec) => [codec.sampleEntry, { ...codec, headerBytes: visualEntryBytes }] as const),
  [audioCodec.sampleEntry, { ...audioCodec, headerBytes: audioEntryBytes }],
])
