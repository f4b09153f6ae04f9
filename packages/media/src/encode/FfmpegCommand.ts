/**
 * The ffmpeg command of a transcode, as a pure function of the plan.
 *
 * ffmpeg decodes the source once and scales each rendition from the next larger one, which costs less than scaling each
 * from the source. Thumbnails, poster and storyboard come from the same frames. All renditions have key frames at the
 * same times, every two seconds, so that players can switch between them at each segment of four seconds.
 * ffmpeg writes each segment under a temporary name and appends it to an event playlist when it is complete. The uploader
 * can therefore upload every listed segment while ffmpeg runs.
 */
import { inputRestrictions } from "@armoricore/ffmpeg/InputRestrictions"
import { rareFramesArgs } from "@armoricore/ffmpeg/RareFrames"
import { frameTime, type ChunkWindow } from "../chunked/ChunkWindow.ts"
import type { AudioInfo, MediaInfo } from "../probe/MediaInfo.ts"
import {
  audioFolder,
  encodedChannels,
  type EncodingPlan,
  keyFrameSeconds,
  type KeyFramePlacement,
  segmentSeconds,
} from "./EncodingPlan.ts"
import { audioCodec, videoCodec } from "./codecs/Codecs.ts"
import type { HdrFormat, VideoCodec } from "./codecs/VideoCodec.ts"
import type { Rendition } from "./Ladder.ts"
import { filterGraph, jpegFilters, photoOutputs } from "./FfmpegFilters.ts"
import * as Storyboard from "../packaging/Storyboard.ts"
import { clipFilters, clipInputArgs } from "./Clip.ts"
import * as TrackAlignment from "./TrackAlignment.ts"
import * as Watermark from "./Watermark.ts"

export const playlistName = "stream.m3u8"
export const posterName = "poster.jpg"

/** Folders of published still images, below the working folder. */
export const stillImageFolders = ["thumbnails", Storyboard.folder, "images"]
/** All folders that must exist before ffmpeg starts. */
export const outputFolders = [...stillImageFolders, Storyboard.tileFolder]

/** The arguments of ffmpeg. Output names are relative to the working folder, which must contain `outputFolders`. */
export const args = (plan: EncodingPlan, input: string): ReadonlyArray<string> => {
  const { info, renditions } = plan
  const group = info.audioTracks.length === 0 ? "" : ",agroup:audio"
  const streamMap = [
    ...renditions.map(({ name }, index) => `v:${index}${group},name:${name}`),
    ...info.audioTracks.map((_, track) => `a:${track},agroup:audio,name:${audioFolder(track)}`),
  ].join(" ")
  return [
    ...inputArgs(plan, input),
    ...lateInputs(plan).flatMap(({ seconds }) => [
      ...inputRestrictions,
      ...splitArgs(`-ss ${seconds} -t ${Math.ceil(info.duration) + 5} -i`),
      `file:${input}`,
    ]),
    ...Watermark.inputArgs(plan),
    ...(renditions.length === 0 ? [] : videoArgs(plan, undefined, 1 + lateInputs(plan).length)),
    ...info.audioTracks.flatMap((audio, track) =>
      plan.isCopiedAudio(track) ? audioCopyArgs(audio, track) : audioArgs(plan, audio, track, lateInput(plan, track)),
    ),
    ...packagingArgs(streamMap),
    ...(renditions.length === 0 ? [] : stillImageArgs(plan)),
  ]
}

/**
 * ffmpeg writes no segment and reports no progress before every track has begun. A track that begins late is therefore read
 * by an input of its own, which starts where the track does.
 */
interface LateInput {
  readonly track: number
  /** The number of the input. */
  readonly input: number
  /** Its times count from this second of the file. */
  readonly seconds: number
}

const lateInputs = (plan: EncodingPlan): ReadonlyArray<LateInput> =>
  plan.info.audioTracks
    .flatMap(({ lateStart }, track) =>
      lateStart === undefined || plan.isCopiedAudio(track) || plan.renditions.length === 0
        ? []
        : [{ track, seconds: Math.max(0, Math.floor(lateStart) - 2) }],
    )
    .map((late, index) => ({ ...late, input: index + 1 }))

const lateInput = (plan: EncodingPlan, track: number) => lateInputs(plan).find((late) => late.track === track)

const inputArgs = ({ info, maxPixels, request }: EncodingPlan, input: string): ReadonlyArray<string> => [
  ...splitArgs("-hide_banner -nostdin -loglevel error"),
  ...inputRestrictions,
  ...(maxPixels === undefined ? [] : splitArgs(`-max_pixels ${maxPixels}`)),
  ...(mayChangeSize(info) ? splitArgs("-reinit_filter:v 0") : []),
  ...rotationArgs(info),
  // A file may be longer than its header states.
  ...(request?.clip === undefined
    ? splitArgs(`-t ${Math.ceil(info.duration) + 5}`)
    : clipInputArgs(info, request.clip)),
  "-i",
  `file:${input}`,
]

/**
 * Only some versions of ffmpeg rotate a photo by its EXIF orientation, so the filters do. Players show a video with an angle
 * between two sides without rotation, and ffmpeg would cut its corners.
 */
export const rotationArgs = ({ video }: MediaInfo): ReadonlyArray<string> =>
  video?.still !== undefined || video?.isTilted === true ? ["-noautorotate"] : []

/** Makes only the still images of a stream and encodes no video. The plan must have renditions. */
export const imagesOnlyArgs = (plan: EncodingPlan, input: string): ReadonlyArray<string> => {
  const decoded = plan.with({ passthrough: undefined })
  return [
    ...inputArgs(decoded, input),
    ...Watermark.inputArgs(decoded),
    "-filter_complex",
    filterGraph(decoded),
    // ffmpeg fails if an output of the filter graph is not mapped.
    ...plan.renditions.flatMap((_, index) => ["-map", `[v${index}]`]),
    ...splitArgs("-fps_mode passthrough -f null -"),
    ...stillImageArgs(decoded),
  ]
}

/** Writes the mapped streams as segments and event playlists. */
export const packagingArgs = (streamMap: string, seconds = segmentSeconds): ReadonlyArray<string> => [
  ...splitArgs("-map_metadata -1 -map_chapters -1"),
  ...splitArgs(`-f hls -hls_time ${seconds} -hls_playlist_type event -hls_list_size 0`),
  // Packets wait for a track that begins late.
  ...splitArgs("-max_muxing_queue_size 1000000"),
  ...splitArgs("-hls_flags independent_segments+temp_file -hls_segment_type fmp4"),
  // Without these options ffmpeg delays video and audio by different amounts.
  ...splitArgs("-avoid_negative_ts disabled -hls_segment_options movflags=+frag_discont"),
  ...splitArgs("-hls_fmp4_init_filename init.mp4 -hls_segment_filename %v/%05d.m4s"),
  "-var_stream_map",
  streamMap,
  `%v/${playlistName}`,
]

/** Makes the poster of an audio file from its cover image. */
export const coverArgs = (stream: number, input: string): ReadonlyArray<string> => [
  ...splitArgs("-hide_banner -nostdin -loglevel error"),
  ...inputRestrictions,
  "-i",
  `file:${input}`,
  ...splitArgs(`-map 0:${stream} -frames:v 1 -vf`),
  `scale='min(1280,iw)':'min(1280,ih)':force_original_aspect_ratio=decrease,${jpegFilters}`,
  ...splitArgs(`-q:v 3 -update 1 -f image2 ${posterName}`),
]

export const splitArgs = (text: string): ReadonlyArray<string> => text.split(" ")

/**
 * Recorded calls change their frame size within the file. `scale` accepts frames of any size, so the filter graph can stay:
 * ffmpeg would otherwise rebuild it, and the filters would lose their frame counts. This works only if no filter that
 * depends on the size comes before `scale`.
 */
export const mayChangeSize = ({ video }: MediaInfo): boolean =>
  video !== undefined && video.rotation === 0 && !video.interlaced && video.still === undefined

export const videoArgs = (plan: EncodingPlan, window?: ChunkWindow, watermarkInput?: number): ReadonlyArray<string> => {
  const { passthrough, info, renditions } = plan
  const [top] = renditions
  const isCopied = passthrough?.video !== undefined && top !== undefined
  const encoded = renditions
    .map(({ codec, hdr, kilobits }, index) => ({
      codec: videoCodec(codec),
      hdr: hdrFormat(plan, hdr),
      kilobits,
      index,
    }))
    .slice(isCopied ? 1 : 0)
  const keyFrames = passthrough?.video?.keyFrames ?? "grid"
  const [first] = encoded
  // Without a stream number an option is for every stream: ffmpeg rejects encoder options for a copied one.
  const isUniform = !isCopied && encoded.every(({ codec }) => codec === first?.codec)
  const forEachEncoded = (
    options: (stream: string, codec: VideoCodec, hdr: HdrFormat | undefined) => ReadonlyArray<string>,
  ) =>
    isUniform && first !== undefined
      ? options("", first.codec, first.hdr)
      : encoded.flatMap(({ codec, hdr, index }) => options(`:v:${index}`, codec, hdr))
  const gop = gopLength(plan, keyFrames)
  const forced = forceKeyFramesExpression(keyFrames, plan, window)
  return [
    ...(needsFilterGraph(plan) ? ["-filter_complex", filterGraph(plan, window, watermarkInput)] : []),
    ...(isCopied
      ? [
          ...splitArgs(`-map 0:${info.video?.index ?? 0} -c:v:0 copy -tag:v:0 ${videoCodec(top.codec).sampleEntry}`),
          ...copiedBitstreamArgs(videoCodec(top.codec)),
        ]
      : []),
    ...encoded.flatMap(({ index }) => ["-map", `[v${index}]`]),
    ...forEachEncoded((stream, codec, hdr) => codec.encoderArgs(stream, hdr)),
    ...forEachEncoded((stream, codec) => [
      ...splitArgs(`-fps_mode${stream} passthrough -g${stream} ${gop}`),
      ...codec.fixedGopArgs(stream),
    ]),
    ...forEachEncoded((stream, codec) => [...codec.closedGopArgs(stream), `-force_key_frames${stream}`, forced]),
    ...encoded.flatMap(({ index, kilobits }) =>
      splitArgs(`-maxrate:v:${index} ${kilobits}k -bufsize:v:${index} ${kilobits * 2}k`),
    ),
  ]
}

/** Undefined: the rendition is SDR. */
export const hdrFormat = ({ info }: EncodingPlan, transfer: Rendition["hdr"]): HdrFormat | undefined =>
  transfer === undefined ? undefined : { transfer, metadata: info.video?.hdrMetadata }

const copiedBitstreamArgs = ({ passthrough }: VideoCodec): ReadonlyArray<string> =>
  passthrough === undefined ? [] : splitArgs(`-bsf:v:0 filter_units=remove_types=${passthrough.captionUnits}`)

const needsFilterGraph = (plan: EncodingPlan): boolean =>
  plan.passthrough?.video === undefined ||
  plan.renditions.length > 1 ||
  plan.thumbnails > 0 ||
  plan.storyboard !== undefined

const gopLength = ({ frameRate }: EncodingPlan, keyFrames: KeyFramePlacement): number =>
  keyFrames === "grid" ? Math.ceil((frameRate.num / frameRate.den) * keyFrameSeconds) : keyFrames.frames

/** ffmpeg counts from the first encoded frame, which may be later than the start of the window. */
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

/** The encoder's priming samples have negative times. Players would drop them, so they are not copied. */
const audioCopyArgs = (audio: AudioInfo, track: number): ReadonlyArray<string> =>
  splitArgs(`-map 0:${audio.index} -c:a:${track} copy -copypriorss:a:${track} 0`)

export const audioArgs = (
  plan: EncodingPlan,
  audio: AudioInfo,
  track: number,
  late?: LateInput,
): ReadonlyArray<string> => [
  ...splitArgs(`-map ${late?.input ?? 0}:${audio.index}`),
  ...audioCodec.encoderArgs(`:a:${track}`, encodedChannels(audio)),
  `-filter:a:${track}`,
  [
    ...clipFilters(plan, "a"),
    ...audioShift(TrackAlignment.shiftSeconds(plan) + (late?.seconds ?? 0)),
    // Without a layout no channel has a known position, so the first two become left and right.
    ...(audio.hasLayout ? [] : [`pan=stereo|c0=c0|c1=c${audio.channels > 1 ? 1 : 0}`]),
    // Fills gaps and a late start with silence, so that audio and video stay in sync.
    "aresample=48000:async=1:min_hard_comp=0.02:first_pts=0",
    ...loudnessFilters(plan),
    `aformat=channel_layouts=${audio.isSurround === true ? "5.1" : "stereo"}`,
    // All tracks end together.
    `apad=whole_dur=${Math.max(TrackAlignment.minAudioSeconds, TrackAlignment.streamSeconds(plan)).toFixed(6)}`,
    // Makes room for the priming samples: the track starts at 0, and players need no edit list.
    `atrim=start_sample=${audioCodec.primingSamples}`,
  ].join(","),
]

/**
 * `loudnorm` makes as many samples as it takes, at 192 kHz, but ffmpeg 7 gives the last of them a time that is up to 0.1 s
 * late. So it gets audio without gaps, and the times after it are counted from the samples.
 */
const loudnessFilters = ({ loudness }: EncodingPlan): ReadonlyArray<string> =>
  loudness === undefined ? [] : [`loudnorm=I=${loudness}:TP=-1.5:LRA=11`, "asetpts=N/SR/TB", "aresample=48000"]

/** Audio and video move together. */
const audioShift = (seconds: number): ReadonlyArray<string> =>
  seconds === 0 ? [] : [`asetpts=PTS+${seconds.toFixed(6)}/TB`]

const stillImageArgs = (plan: EncodingPlan): ReadonlyArray<string> => [
  ...(plan.thumbnails === 0
    ? []
    : [...imageOutput("thumbnails", "thumbnails/%02d.jpg"), ...imageOutput("poster", posterName)]),
  ...(plan.storyboard === undefined ? [] : imageOutput("storyboard", Storyboard.tilePattern)),
  ...photoOutputs(plan).flatMap(({ index, name }) =>
    splitArgs(`-map [i${index}] -frames:v 1 -q:v 2 -update 1 -f image2 images/${name}.jpg`),
  ),
]

const imageEncoders = {
  thumbnails: "-q:v 4 -start_number 0",
  poster: "-q:v 3 -update 1",
  storyboard: "-c:v pgmyuv -start_number 0",
} as const

/** Writes the images of an output of the filter graph to this file, or to numbered files. */
export const imageOutput = (name: keyof typeof imageEncoders, file: string): ReadonlyArray<string> =>
  splitArgs(`-map [${name}] ${rareFramesArgs} ${imageEncoders[name]} -f image2 ${file}`)

/**
 * Draws the storyboard tiles on sprites. A filter that draws them during the encode would open its output with the first
 * full sprite, and ffmpeg reports no progress before all outputs are open. Needs the folder `storyboard`.
 */
export const spriteArgs = ({ columns, rows }: Storyboard.Storyboard): ReadonlyArray<string> => [
  ...splitArgs("-hide_banner -nostdin -loglevel error -threads 1 -f image2 -framerate 1 -start_number 0"),
  ...splitArgs(`-i ${Storyboard.tilePattern} -vf`),
  "setparams=range=limited:color_primaries=bt709:color_trc=bt709:colorspace=bt709," +
    `tile=${columns}x${rows},setsar=1,${jpegFilters}`,
  ...splitArgs(`-fps_mode passthrough -q:v 5 -start_number 0 -f image2 ${Storyboard.folder}/%03d.jpg`),
]
