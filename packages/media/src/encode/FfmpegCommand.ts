/**
 * The one ffmpeg command of a transcode, as a pure function of the plan.
 *
 * The source is decoded once. Each rendition is scaled from the one above it (a cascade costs less than scaling all
 * from the source); thumbnails, poster and storyboard come from the same frames. Key frames lie every two seconds at the
 * same times in all renditions, so that segments of four seconds are interchangeable. Segments are written under a
 * temporary name and the playlists grow as events, so that what a playlist names is whole and can be uploaded while
 * ffmpeg still runs.
 */
import { inputRestrictions } from "@armoricore/ffmpeg/InputRestrictions"
import { frameTime, type ChunkWindow } from "../chunked/ChunkWindow.ts"
import type { AudioInfo, MediaInfo } from "../probe/MediaInfo.ts"
import {
  audioFolder,
  type EncodingPlan,
  keyFrameSeconds,
  type KeyFramePlacement,
  segmentSeconds,
} from "./EncodingPlan.ts"
import { filterGraph } from "./FfmpegFilters.ts"
import * as Storyboard from "../packaging/Storyboard.ts"

export const audioKilobits = 128
export const playlistName = "stream.m3u8"
export const posterName = "poster.jpg"

/** Folders that must be there before ffmpeg starts. */
export const stillImageFolders = ["thumbnails", Storyboard.folder, "images"]

/** Everything after `ffmpeg`; output names are relative to the working folder, which must hold `pictureFolders`. */
export const args = (plan: EncodingPlan, input: string): ReadonlyArray<string> => {
  const { info, renditions } = plan
  const group = info.audioTracks.length === 0 ? "" : ",agroup:audio"
  const streamMap = [
    ...renditions.map(({ name }, index) => `v:${index}${group},name:${name}`),
    ...info.audioTracks.map((_, track) => `a:${track},agroup:audio,name:${audioFolder(track)}`),
  ].join(" ")
  return [
    ...inputArgs(plan, input),
    ...(renditions.length === 0 ? [] : videoArgs(plan)),
    ...info.audioTracks.flatMap((sound, track) =>
      plan.isCopiedAudio(track) ? audioCopyArgs(sound, track) : audioArgs(sound, track, plan.loudness),
    ),
    ...packagingArgs(streamMap),
    ...(renditions.length === 0 ? [] : stillImageArgs(plan)),
  ]
}

const inputArgs = ({ info, maxPixels }: EncodingPlan, input: string): ReadonlyArray<string> => [
  ...splitArgs("-hide_banner -nostdin -loglevel error"),
  ...inputRestrictions,
  ...(maxPixels === undefined ? [] : splitArgs(`-max_pixels ${maxPixels}`)),
  ...(mayChangeSize(info) ? splitArgs("-reinit_filter:v 0") : []),
  // Not every ffmpeg heeds a photo's EXIF: the filters turn it.
  ...(info.video?.still === undefined ? [] : ["-noautorotate"]),
  // A file may hold more than it claims.
  ...splitArgs(`-t ${Math.ceil(info.duration) + 5} -i`),
  `file:${input}`,
]

/** The same pictures as beside a stream, of which nothing is encoded; for plans with renditions. */
export const imagesOnlyArgs = (plan: EncodingPlan, input: string): ReadonlyArray<string> => {
  const decoded = plan.with({ passthrough: undefined })
  return [
    ...inputArgs(decoded, input),
    "-filter_complex",
    filterGraph(decoded),
    // Each output of the filters must go somewhere.
    ...plan.renditions.flatMap((_, index) => ["-map", `[v${index}]`]),
    ...splitArgs("-fps_mode passthrough -f null -"),
    ...stillImageArgs(decoded),
  ]
}

/** From what is mapped to segments and growing playlists. */
export const packagingArgs = (streamMap: string, seconds = segmentSeconds): ReadonlyArray<string> => [
  ...splitArgs("-map_metadata -1 -map_chapters -1"),
  ...splitArgs(`-f hls -hls_time ${seconds} -hls_playlist_type event -hls_list_size 0`),
  ...splitArgs("-hls_flags independent_segments+temp_file -hls_segment_type fmp4"),
  // Without these two ffmpeg delays picture and sound by unlike amounts.
  ...splitArgs("-avoid_negative_ts disabled -hls_segment_options movflags=+frag_discont"),
  ...splitArgs("-hls_fmp4_init_filename init.mp4 -hls_segment_filename %v/%05d.m4s"),
  "-var_stream_map",
  streamMap,
  `%v/${playlistName}`,
]

/** Makes the poster of a sound file from its cover. */
export const coverArgs = (stream: number, input: string): ReadonlyArray<string> => [
  ...splitArgs("-hide_banner -nostdin -loglevel error"),
  ...inputRestrictions,
  "-i",
  `file:${input}`,
  ...splitArgs(`-map 0:${stream} -frames:v 1 -vf`),
  "scale='min(1280,iw)':'min(1280,ih)':force_original_aspect_ratio=decrease:out_range=full:out_color_matrix=bt601,format=yuvj420p",
  ...splitArgs(`-q:v 3 -update 1 -f image2 ${posterName}`),
]

export const splitArgs = (text: string): ReadonlyArray<string> => text.split(" ")

/**
 * Calls change the size of their picture in the middle. The first filter that heeds the size takes any; building the
 * graph anew would lose what the rate and the pictures have counted so far. Filters before it could not bear it.
 */
export const mayChangeSize = ({ video }: MediaInfo): boolean =>
  video !== undefined && video.rotation === 0 && !video.interlaced && video.still === undefined

export const videoArgs = (plan: EncodingPlan, window?: ChunkWindow): ReadonlyArray<string> => {
  const { passthrough, info, renditions } = plan
  const first = passthrough?.video === undefined ? 0 : 1
  const encoded = renditions.slice(first).map((rendition, index) => ({ ...rendition, at: index + first }))
  const keyFrames = passthrough?.video?.keyFrames ?? "grid"
  // Without a number an option holds for every stream, and the encoder's kill one that is copied.
  const ofEach = (options: (number: string) => string): ReadonlyArray<string> =>
    first === 0 ? splitArgs(options("")) : encoded.flatMap(({ at }) => splitArgs(options(`:v:${at}`)))
  return [
    ...(needsFilterGraph(plan) ? ["-filter_complex", filterGraph(plan, window)] : []),
    ...(first === 0 ? [] : splitArgs(`-map 0:${info.video?.index ?? 0} -c:v:0 copy -tag:v:0 avc1`)),
    ...encoded.flatMap(({ at }) => ["-map", `[v${at}]`]),
    ...ofEach((of) => `-c${of || ":v"} libx264 -preset${of} veryfast -crf${of} 23 -profile${of || ":v"} high`),
    ...ofEach((of) => `-fps_mode${of} passthrough -g${of} ${gopLength(plan, keyFrames)} -sc_threshold${of} 0`),
    ...ofEach((of) => `-forced-idr${of} 1 -force_key_frames${of} ${forceKeyFramesExpression(keyFrames, plan, window)}`),
    ...encoded.flatMap(({ at, kilobits }) =>
      splitArgs(`-maxrate:v:${at} ${kilobits}k -bufsize:v:${at} ${kilobits * 2}k`),
    ),
  ]
}

const needsFilterGraph = (plan: EncodingPlan): boolean =>
  plan.passthrough?.video === undefined ||
  plan.renditions.length > 1 ||
  plan.thumbnails > 0 ||
  plan.storyboard !== undefined

const gopLength = ({ frameRate }: EncodingPlan, keyFrames: KeyFramePlacement): number =>
  keyFrames === "grid" ? Math.ceil((frameRate.num / frameRate.den) * keyFrameSeconds) : keyFrames.frames

/** ffmpeg counts from the first frame that it encodes, which may lie behind the border of its window. */
const windowOffset = ({ frameRate }: EncodingPlan, window: ChunkWindow | undefined): string =>
  window === undefined ? "" : `-${(frameTime(window.firstFrame, frameRate) - window.from + 5e-6).toFixed(6)}`

const forceKeyFramesExpression = (
  keyFrames: KeyFramePlacement,
  plan: EncodingPlan,
  window: ChunkWindow | undefined,
): string =>
  keyFrames === "grid"
    ? `expr:gte(t,n_forced*${keyFrameSeconds}${windowOffset(plan, window)})`
    : `expr:not(mod(n,${keyFrames.frames}))`

/** What players drop at the start of a file (the encoder's priming) lies before nought, and is left out. */
const audioCopyArgs = (sound: AudioInfo, track: number): ReadonlyArray<string> =>
  splitArgs(`-map 0:${sound.index} -c:a:${track} copy -copypriorss:a:${track} 0`)

/** What the encoder puts before the first sample. */
const primingSamples = 1024

export const audioArgs = (sound: AudioInfo, track: number, loudness: number | undefined): ReadonlyArray<string> => [
  ...splitArgs(`-map 0:${sound.index} -c:a:${track} aac -b:a:${track} ${audioKilobits}k -ac:a:${track} 2`),
  `-filter:a:${track}`,
  [
    // Which channel is which is not known, so none can be mixed into another.
    ...(sound.hasLayout ? [] : [`pan=stereo|c0=c0|c1=c${sound.channels > 1 ? 1 : 0}`]),
    ...(loudness === undefined ? [] : [`loudnorm=I=${loudness}:TP=-1.5:LRA=11`]),
    // Gaps and a late start become silence, so that sound and picture keep step.
    "aresample=48000:async=1:min_hard_comp=0.02:first_pts=0",
    "aformat=channel_layouts=stereo",
    // A track of a few samples would leave nothing to encode.
    "apad=whole_dur=0.2",
    // The priming takes the place of the first samples: then the track starts at nought, and no player has to cut.
    `atrim=start_sample=${primingSamples}`,
  ].join(","),
]

const stillImageArgs = (plan: EncodingPlan): ReadonlyArray<string> => [
  ...(plan.thumbnails === 0
    ? []
    : [
        ...splitArgs("-map [thumbnails] -fps_mode passthrough -q:v 4 -start_number 0 -f image2 thumbnails/%02d.jpg"),
        ...splitArgs(`-map [poster] -fps_mode passthrough -q:v 3 -update 1 -f image2 ${posterName}`),
      ]),
  ...(plan.storyboard === undefined
    ? []
    : splitArgs(
        `-map [storyboard] -fps_mode passthrough -q:v 5 -start_number 0 -f image2 ${Storyboard.folder}/%03d.jpg`,
      )),
  ...(plan.info.video?.still === undefined
    ? []
    : plan.renditions.flatMap(({ name }, index) =>
        splitArgs(`-map [i${index}] -frames:v 1 -q:v 2 -update 1 -f image2 images/${name}.jpg`),
      )),
]
