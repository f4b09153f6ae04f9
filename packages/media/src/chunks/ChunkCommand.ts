/**
 * The ffmpeg commands of a film that is made in parts, as pure functions of the plan: one for a window of the picture in
 * all renditions, one for all sound tracks over the whole length. What they write lies behind the other without a seam:
 * times are those of the whole film (`-copyts`), so that fragments say where they belong, and every first fragment
 * begins with the same boxes.
 */
import { loopbackGuards } from "@armoricore/ffmpeg/InputGuards"
import {
  audioFolder,
  mayChangeSize,
  packagingArgs,
  pictureArgs,
  type Plan,
  segmentSeconds,
  soundArgs,
  words,
} from "../FfmpegCommand.ts"
import * as ChunkPictures from "./ChunkPictures.ts"
import { firstSegment, framesOf, timeOf, type Window } from "./ChunkPlan.ts"

/** Seconds before its first frame from which a window is decoded, besides what the index makes of it. */
const runUp = 1

/** Needs the folders `thumbnails` and `tiles`. */
export const pictureCommand = (whole: Plan, window: Window, url: string): ReadonlyArray<string> => {
  // ffmpeg's own limits would count from where it lands in the file, which may be long before.
  const plan: Plan = { ...whole, window: { ...window, frames: framesOf(window, whole.info, whole.frameRate) } }
  const seek = timeOf(window.firstFrame, plan.frameRate) - runUp
  const picks = ChunkPictures.picksOf(plan, window)
  return [
    ...words("-hide_banner -nostdin -loglevel error -threads 1 -filter_complex_threads 1"),
    ...loopbackGuards,
    ...(plan.maxPixels === undefined ? [] : words(`-max_pixels ${plan.maxPixels}`)),
    ...(mayChangeSize(plan.info) ? words("-reinit_filter:v 0") : []),
    // Frames before the first are decoded and given to the rate filter too: where frames come unevenly, the one that is
    // shown at the border is an earlier one.
    ...(seek <= 0 ? [] : words(`-noaccurate_seek -ss ${seek.toFixed(6)}`)),
    "-i",
    url,
    ...words("-copyts -start_at_zero"),
    ...pictureArgs(plan),
    // One core a chunk, and headers that do not follow what is in it.
    ...words("-threads 1 -x264-params stitchable=1 -an"),
    ...words(`-start_number ${firstSegment(window)}`),
    ...packagingArgs(plan.renditions.map(({ name }, index) => `v:${index},name:${name}`).join(" "), segmentsFrom(plan)),
    ...(picks.thumbnails.length === 0
      ? []
      : words("-map [thumbnails] -fps_mode passthrough -q:v 4 -start_number 0 -f image2 thumbnails/%02d.jpg")),
    ...(picks.poster.length === 0
      ? []
      : words("-map [poster] -fps_mode passthrough -q:v 3 -update 1 -f image2 poster.jpg")),
    ...(picks.tiles.length === 0
      ? []
      : words(
          "-map [storyboard] -fps_mode passthrough -c:v pgmyuv -start_number 0 -f image2 " +
            `${ChunkPictures.tileFolder}/t%05d.pgmyuv`,
        )),
  ]
}

/** At a rate that is not whole, borders lie up to a frame behind the grid, by unlike amounts. */
const segmentsFrom = ({ frameRate }: Plan): number =>
  frameRate.den === 1 ? segmentSeconds : segmentSeconds - (1.01 * frameRate.den) / frameRate.num

export const soundCommand = ({ info, loudness }: Plan, url: string): ReadonlyArray<string> => [
  ...words("-hide_banner -nostdin -loglevel error"),
  ...loopbackGuards,
  ...words(`-t ${Math.ceil(info.duration) + 5} -i`),
  url,
  ...info.sounds.flatMap((sound, track) => soundArgs(sound, track, loudness)),
  "-vn",
  ...packagingArgs(info.sounds.map((_, track) => `a:${track},agroup:audio,name:${audioFolder(track)}`).join(" ")),
]

/** Puts the pictures for seeking on sprites. Needs the folder `storyboard`. */
export const spriteCommand = ({ storyboard }: Plan): ReadonlyArray<string> =>
  storyboard === undefined
    ? []
    : [
        ...words("-hide_banner -nostdin -loglevel error -threads 1 -f image2 -framerate 1 -start_number 0"),
        ...words(`-i ${ChunkPictures.tileFolder}/%05d.pgmyuv -vf`),
        "setparams=range=limited:color_primaries=bt709:color_trc=bt709:colorspace=bt709," +
          `tile=${storyboard.columns}x${storyboard.rows},scale=out_range=full:out_color_matrix=bt601,format=yuvj420p`,
        ...words("-fps_mode passthrough -q:v 5 -start_number 0 -f image2 storyboard/%03d.jpg"),
      ]
