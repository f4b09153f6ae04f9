/**
 * Everything that depends on the video codec of a rendition. A new codec is one file with such a record and one line in
 * `Codecs.ts`; commands, playlists, manifests, cost estimates and `armoricore doctor` derive the rest.
 */
import type { Encoder } from "@armoricore/ffmpeg/FfmpegPrograms"
import type { HdrMetadata, VideoInfo } from "../../probe/MediaInfo.ts"
import type { ByteRange } from "./SliceRanges.ts"

/** The properties of an HDR video that its encoder declares. */
export interface HdrFormat {
  readonly transfer: NonNullable<VideoInfo["hdr"]>
  readonly metadata: HdrMetadata | undefined
}

export interface VideoCodec {
  /** ffprobe's name of the codec. Plans store it, and folders of additional codecs end with it. */
  readonly id: string
  readonly encoder: Encoder
  /** The shortest side that the encoder accepts. Smaller renditions are made without this codec. */
  readonly minSide: number
  /** The longest side that the encoder accepts. */
  readonly maxSide: number
  /** CPU time per pixel, relative to H.264. */
  readonly costFactor: number
  /** Bits for the same quality, relative to H.264. */
  readonly bitrateFactor: number
  /** The sample entry in MP4, also the first part of the RFC 6381 codec string: `avc1`. */
  readonly sampleEntry: string
  /** The box in the sample entry that holds the decoder configuration. */
  readonly configBox: string
  /** The RFC 6381 codec string. */
  readonly codecString: (config: DataView) => string
  /**
   * ffmpeg's options for the encoder and its quality. `stream` is a specifier like `:v:1`, or empty if the options are
   * for every video stream of the command.
   */
  readonly encoderArgs: (stream: string, hdr?: HdrFormat) => ReadonlyArray<string>
  /** Options against key frames at scene changes, which other renditions would not have. */
  readonly fixedGopArgs: (stream: string) => ReadonlyArray<string>
  /** Options that make each forced key frame one that players can start at. */
  readonly closedGopArgs: (stream: string) => ReadonlyArray<string>
  /** Options for a chunk: the initialisation segment must not depend on the content of the chunk. */
  readonly chunkArgs: (hdr?: HdrFormat) => ReadonlyArray<string>
  /** Completes the codec string of a rendition in HDR. Absent: the codec is for SDR only. */
  readonly hdrCodecString?: (codec: string, transfer: HdrFormat["transfer"]) => string
  /** The parts of a coded frame that a protected stream encrypts. */
  readonly sliceRanges: (sample: Uint8Array) => ReadonlyArray<ByteRange>
  /** Conditions under which a source of this codec is copied; absent if it is always encoded. */
  readonly passthrough?: VideoPassthroughRules
}

export interface VideoPassthroughRules {
  /** ffprobe's names of profiles that every player of this codec decodes. */
  readonly profiles: ReadonlyArray<string>
  /** ffprobe's number of the level. */
  readonly maxLevel: number
  readonly pixelFormat: string
  /** NAL unit types for ffmpeg's `filter_units`. */
  readonly idrUnits: string
  readonly parameterSetUnits: string
  /** Units that may hold captions, which the copy leaves out. */
  readonly captionUnits: string
}
