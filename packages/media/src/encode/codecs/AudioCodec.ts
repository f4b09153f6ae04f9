/** Everything that depends on the codec of an audio track. */
import type { Encoder } from "@armoricore/ffmpeg/FfmpegPrograms"

export interface AudioCodec {
  /** ffprobe's name of the codec. */
  readonly id: string
  readonly encoder: Encoder
  /** Of a track with this many channels. */
  readonly kilobits: (channels: number) => number
  /** Samples that the encoder adds before the first one. */
  readonly primingSamples: number
  /** The sample entry in MP4, also the first part of the RFC 6381 codec string: `mp4a`. */
  readonly sampleEntry: string
  /** The box in the sample entry that holds the decoder configuration. */
  readonly configBox: string
  /** The RFC 6381 codec string; undefined if the configuration is not readable. */
  readonly codecString: (config: DataView) => string | undefined
  /** ffmpeg's options for the encoder of one stream, a specifier like `:a:0`. */
  readonly encoderArgs: (stream: string, channels: number) => ReadonlyArray<string>
  /** Conditions under which a track of this codec is copied. */
  readonly passthrough: AudioPassthroughRules
}

export interface AudioPassthroughRules {
  /** ffprobe's name of the profile. */
  readonly profile: string
  readonly sampleRates: ReadonlyArray<number>
  /** Little more than encoded tracks have: the audio counts in the bandwidth of every rendition. */
  readonly maxKilobits: number
}
