/**
 * The decisions about one upload: its renditions, images and tracks, and which of them are copied. A plan is made once
 * and stored with the job, so that every worker and every attempt produces the same output.
 */
import { Schema } from "effect"
import { Storyboard } from "../packaging/Storyboard.ts"
import { type AudioInfo, MediaInfo, Rational } from "../probe/MediaInfo.ts"
import { Protection } from "../protection/Protection.ts"
import { Rendition } from "./Ladder.ts"

export { keyFrameSeconds, segmentSeconds } from "./Segments.ts"

/** The distance of key frames: every two seconds, or a fixed number of frames. */
export const KeyFramePlacement = Schema.Union([Schema.Literal("grid"), Schema.Struct({ frames: Schema.Int })])
export type KeyFramePlacement = typeof KeyFramePlacement.Type

export const Passthrough = Schema.Struct({
  /** Present if the largest rendition is a copy of the source's video. The other renditions get the same key frames. */
  video: Schema.optional(Schema.Struct({ keyFrames: KeyFramePlacement })),
  /** Copied audio tracks, as positions in the plan's `info.audioTracks`. */
  audioTracks: Schema.Array(Schema.Int),
})
export type Passthrough = typeof Passthrough.Type

/** The instructions of the upload that change the output. `info` describes the clip already. */
export const PlanRequest = Schema.Struct({
  /** Of all instructions: an encode is reused only for the same ones. */
  hash: Schema.String,
  clip: Schema.optionalKey(Schema.Struct({ start: Schema.Finite, end: Schema.Finite })),
  watermark: Schema.optionalKey(
    Schema.Struct({
      /** Of the PNG. */
      etag: Schema.String,
      position: Schema.Literals(["top-left", "top-right", "bottom-left", "bottom-right", "center"]),
      opacity: Schema.Finite,
      /** Of the width of the picture. */
      width: Schema.Finite,
    }),
  ),
  /** Seconds from the start of the stream. */
  posterTime: Schema.optionalKey(Schema.Finite),
  /** MP4 files for download, with this name or, if it is empty, that of the upload. */
  download: Schema.optionalKey(Schema.String),
})
export type PlanRequest = typeof PlanRequest.Type

const fields = {
  info: MediaInfo,
  /** Largest first; empty for an audio recording. */
  renditions: Schema.Array(Rendition),
  frameRate: Rational,
  /** How many thumbnails; 0 for an audio recording. */
  thumbnails: Schema.Int,
  /** Whether ffmpeg has `zscale`. Without it, HDR needs the lookup table of `ToneMap` in the working folder. */
  toneMapping: Schema.Boolean,
  storyboard: Schema.optional(Storyboard),
  /** The target loudness of every encoded audio track, in LUFS. */
  loudness: Schema.optional(Schema.Finite),
  passthrough: Schema.optional(Passthrough),
  request: Schema.optional(PlanRequest),
  /** Absent: the segments are not encrypted. */
  protection: Schema.optional(Protection),
  /** ffmpeg decodes no larger frame, even if the size changes within the file. */
  maxPixels: Schema.optional(Schema.Finite),
}

export class EncodingPlan extends Schema.Class<EncodingPlan>("@armoricore/media/EncodingPlan")(fields) {
  with(changes: Partial<ConstructorParameters<typeof EncodingPlan>[0]>): EncodingPlan {
    return new EncodingPlan({ ...this, ...changes })
  }

  isCopiedAudio(track: number): boolean {
    return this.passthrough?.audioTracks.includes(track) === true
  }

  /** Compares the stored forms, in which an absent and an undefined field are the same. */
  isSameAs(other: EncodingPlan): boolean {
    return JSON.stringify(encode(this)) === JSON.stringify(encode(other))
  }
}

/** The time of the poster: many videos begin with black. */
export const posterSeconds = ({ info, request }: Pick<EncodingPlan, "info" | "request">): number =>
  request?.posterTime ?? info.duration / 10

const encode = Schema.encodeSync(EncodingPlan)

const surroundChannels = 6

/** The channels of an encoded audio track. */
export const encodedChannels = ({ isSurround }: AudioInfo): number => (isSurround === true ? surroundChannels : 2)

/** Each track in stereo, for every player, and behind them those with more channels once more as 5.1. */
export const withSurround = (info: MediaInfo): MediaInfo => {
  const tracks = info.audioTracks.filter(({ isSurround }) => isSurround !== true)
  const surround = tracks.filter(({ channels, hasLayout }) => hasLayout && channels >= surroundChannels)
  return { ...info, audioTracks: [...tracks, ...surround.map((track) => ({ ...track, isSurround: true as const }))] }
}

/** The folder of an audio track. */
export const audioFolder = (track: number): string => (track === 0 ? "audio" : `audio-${track + 1}`)

/** The folders that ffmpeg writes segments to: one for each rendition and each audio track. */
export const trackFolders = ({ info, renditions }: EncodingPlan): ReadonlyArray<string> => [
  ...renditions.map(({ name }) => name),
  ...info.audioTracks.map((_, track) => audioFolder(track)),
]
