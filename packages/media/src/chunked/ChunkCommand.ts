/**
 * The ffmpeg commands of a chunked encode, as pure functions of the plan: one encodes a window of the video in all
 * renditions, one encodes all audio tracks over the whole length. Their outputs join without gaps: timestamps are those
 * of the whole video (`-copyts`), so each fragment has its final time, and all chunks have the same initialisation
 * segment.
 */
import { loopbackRestrictions } from "@armoricore/ffmpeg/InputRestrictions"
import { videoCodec } from "../encode/codecs/Codecs.ts"
import { audioFolder, type EncodingPlan, segmentSeconds } from "../encode/EncodingPlan.ts"
import {
  audioArgs,
  hdrFormat,
  imageOutput,
  mayChangeSize,
  packagingArgs,
  rotationArgs,
  posterName,
  splitArgs,
  videoArgs,
} from "../encode/FfmpegCommand.ts"
import * as Storyboard from "../packaging/Storyboard.ts"
import * as ChunkImages from "./ChunkImages.ts"
import { firstSegment, maxFrames, frameTime, type ChunkWindow } from "./ChunkWindow.ts"

/** A window is decoded from this many seconds before its first frame, or from the key frame before that. */
const preRollSeconds = 1

/** Needs the folders `thumbnails` and `tiles`. */
export const videoCommand = (plan: EncodingPlan, chunk: ChunkWindow, url: string): ReadonlyArray<string> => {
  // The window limits the frames in the filter graph: ffmpeg's `-t` would count from the key frame that it seeks to.
  const window = { ...chunk, frames: maxFrames(chunk, plan.info, plan.frameRate) }
  const seek = frameTime(window.firstFrame, plan.frameRate) - preRollSeconds
  const imageFrames = ChunkImages.imageFrames(plan, chunk)
  return [
    ...splitArgs("-hide_banner -nostdin -loglevel error -threads 1 -filter_complex_threads 1"),
    ...loopbackRestrictions,
    ...(plan.maxPixels === undefined ? [] : splitArgs(`-max_pixels ${plan.maxPixels}`)),
    ...(mayChangeSize(plan.info) ? splitArgs("-reinit_filter:v 0") : []),
    // The rate filter also gets the frames before the window: at a variable frame rate, the frame that is displayed at
    // the boundary may be an earlier one.
    ...(seek <= 0 ? [] : splitArgs(`-noaccurate_seek -ss ${seek.toFixed(6)}`)),
    ...rotationArgs(plan.info),
    "-i",
    url,
    ...splitArgs("-copyts -start_at_zero"),
    ...videoArgs(plan, window),
    // One core per chunk.
    ...splitArgs("-threads 1"),
    // All renditions of a codec have one transfer function.
    ...[...new Map(plan.renditions.map(({ codec, hdr }) => [codec, hdr]))].flatMap(([codec, hdr]) =>
      videoCodec(codec).chunkArgs(hdrFormat(plan, hdr)),
    ),
    "-an",
    ...splitArgs(`-start_number ${firstSegment(window)}`),
    ...packagingArgs(
      plan.renditions.map(({ name }, index) => `v:${index},name:${name}`).join(" "),
      segmentDuration(plan),
    ),
    ...(imageFrames.thumbnails.length === 0 ? [] : imageOutput("thumbnails", "thumbnails/%02d.jpg")),
    ...(imageFrames.poster.length === 0 ? [] : imageOutput("poster", posterName)),
    ...(imageFrames.tiles.length === 0 ? [] : imageOutput("storyboard", Storyboard.tilePattern)),
  ]
}

/** At a fractional frame rate, boundaries are up to one frame late, by varying amounts. */
const segmentDuration = ({ frameRate }: EncodingPlan): number =>
  frameRate.den === 1 ? segmentSeconds : segmentSeconds - (1.01 * frameRate.den) / frameRate.num

export const audioCommand = (plan: EncodingPlan, url: string): ReadonlyArray<string> => [
  ...splitArgs("-hide_banner -nostdin -loglevel error"),
  ...loopbackRestrictions,
  ...splitArgs(`-t ${Math.ceil(plan.info.duration) + 5} -i`),
  url,
  ...plan.info.audioTracks.flatMap((audio, track) => audioArgs(plan, audio, track)),
  "-vn",
  ...packagingArgs(
    plan.info.audioTracks.map((_, track) => `a:${track},agroup:audio,name:${audioFolder(track)}`).join(" "),
  ),
]
