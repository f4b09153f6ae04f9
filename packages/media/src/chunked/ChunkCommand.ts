/**
 * The ffmpeg commands of a film that is made in parts, as pure functions of the plan: one for a window of the picture in
 * all renditions, one for all sound tracks over the whole length. What they write lies behind the other without a seam:
 * times are those of the whole film (`-copyts`), so that fragments say where they belong, and every first fragment
 * begins with the same boxes.
 */
import { loopbackRestrictions } from "@armoricore/ffmpeg/InputRestrictions"
import { videoCodec } from "../encode/codecs/Codecs.ts"
import { audioFolder, type EncodingPlan, segmentSeconds } from "../encode/EncodingPlan.ts"
import { audioArgs, mayChangeSize, packagingArgs, splitArgs, videoArgs } from "../encode/FfmpegCommand.ts"
import * as ChunkImages from "./ChunkImages.ts"
import { firstSegment, maxFrames, frameTime, type ChunkWindow } from "./ChunkWindow.ts"

/** Seconds before its first frame from which a window is decoded, besides what the index makes of it. */
const preRollSeconds = 1

/** Needs the folders `thumbnails` and `tiles`. */
export const videoCommand = (plan: EncodingPlan, chunk: ChunkWindow, url: string): ReadonlyArray<string> => {
  // ffmpeg's own limits would count from where it lands in the file, which may be long before.
  const window = { ...chunk, frames: maxFrames(chunk, plan.info, plan.frameRate) }
  const seek = frameTime(window.firstFrame, plan.frameRate) - preRollSeconds
  const imageFrames = ChunkImages.imageFrames(plan, chunk)
  return [
    ...splitArgs("-hide_banner -nostdin -loglevel error -threads 1 -filter_complex_threads 1"),
    ...loopbackRestrictions,
    ...(plan.maxPixels === undefined ? [] : splitArgs(`-max_pixels ${plan.maxPixels}`)),
    ...(mayChangeSize(plan.info) ? splitArgs("-reinit_filter:v 0") : []),
    // Frames before the first are decoded and given to the rate filter too: where frames come unevenly, the one that is
    // shown at the border is an earlier one.
    ...(seek <= 0 ? [] : splitArgs(`-noaccurate_seek -ss ${seek.toFixed(6)}`)),
    "-i",
    url,
    ...splitArgs("-copyts -start_at_zero"),
    ...videoArgs(plan, window),
    // One core for each chunk.
    ...splitArgs("-threads 1"),
    ...[...new Set(plan.renditions.map(({ codec }) => codec))].flatMap((codec) => videoCodec(codec).chunkArgs),
    "-an",
    ...splitArgs(`-start_number ${firstSegment(window)}`),
    ...packagingArgs(
      plan.renditions.map(({ name }, index) => `v:${index},name:${name}`).join(" "),
      segmentDuration(plan),
    ),
    ...(imageFrames.thumbnails.length === 0
      ? []
      : splitArgs("-map [thumbnails] -fps_mode passthrough -q:v 4 -start_number 0 -f image2 thumbnails/%02d.jpg")),
    ...(imageFrames.poster.length === 0
      ? []
      : splitArgs("-map [poster] -fps_mode passthrough -q:v 3 -update 1 -f image2 poster.jpg")),
    ...(imageFrames.tiles.length === 0
      ? []
      : splitArgs(
          "-map [storyboard] -fps_mode passthrough -c:v pgmyuv -start_number 0 -f image2 " +
            `${ChunkImages.tileFolder}/t%05d.pgmyuv`,
        )),
  ]
}

/** At a rate that is not whole, borders lie up to a frame behind the grid, by unlike amounts. */
const segmentDuration = ({ frameRate }: EncodingPlan): number =>
  frameRate.den === 1 ? segmentSeconds : segmentSeconds - (1.01 * frameRate.den) / frameRate.num

export const audioCommand = ({ info, loudness }: EncodingPlan, url: string): ReadonlyArray<string> => [
  ...splitArgs("-hide_banner -nostdin -loglevel error"),
  ...loopbackRestrictions,
  ...splitArgs(`-t ${Math.ceil(info.duration) + 5} -i`),
  url,
  ...info.audioTracks.flatMap((sound, track) => audioArgs(sound, track, loudness)),
  "-vn",
  ...packagingArgs(info.audioTracks.map((_, track) => `a:${track},agroup:audio,name:${audioFolder(track)}`).join(" ")),
]

/** Puts the pictures for seeking on sprites. Needs the folder `storyboard`. */
export const spriteCommand = ({ storyboard }: EncodingPlan): ReadonlyArray<string> =>
  storyboard === undefined
    ? []
    : [
        ...splitArgs("-hide_banner -nostdin -loglevel error -threads 1 -f image2 -framerate 1 -start_number 0"),
        ...splitArgs(`-i ${ChunkImages.tileFolder}/%05d.pgmyuv -vf`),
        "setparams=range=limited:color_primaries=bt709:color_trc=bt709:colorspace=bt709," +
          `tile=${storyboard.columns}x${storyboard.rows},scale=out_range=full:out_color_matrix=bt601,format=yuvj420p`,
        ...splitArgs("-fps_mode passthrough -q:v 5 -start_number 0 -f image2 storyboard/%03d.jpg"),
      ]
