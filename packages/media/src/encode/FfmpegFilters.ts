/**
 * The filter graph of a transcode: it turns the decoded frames into all renditions. Every rendition is upright and
 * progressive, with square pixels, a constant frame rate and the colours of BT.709, and declares these colours. Without a
 * declaration players choose the colours by the size of the video, so the renditions would look different.
 */
import * as ChunkImages from "../chunked/ChunkImages.ts"
import { type ChunkWindow, frameTime } from "../chunked/ChunkWindow.ts"
import { type EncodingPlan, posterSeconds } from "./EncodingPlan.ts"
import type { Rendition } from "./Ladder.ts"
import * as ToneMap from "./ToneMap.ts"
import { rareFrames } from "@armoricore/ffmpeg/RareFrames"
import { clipFilters } from "./Clip.ts"
import * as TrackAlignment from "./TrackAlignment.ts"
import * as Watermark from "./Watermark.ts"
import { stillVideoSeconds } from "../probe/Probe.ts"
import type { Rational, VideoInfo } from "../probe/MediaInfo.ts"

/** Thumbnails come from the smallest rendition with at least this short side, the poster from the largest with at most this one. */
const minThumbnailSide = 360
const maxPosterSide = 720

/** The plan must have a rendition. Outputs: `[v0]…`, `[thumbnails]`, `[poster]`, `[storyboard]`, and for a photo `[i0]…`. */
export const filterGraph = (plan: EncodingPlan, window?: ChunkWindow, watermarkInput = 1): string => {
  const { info, frameRate } = plan
  const all = plan.renditions.map((rendition, index) => ({ ...rendition, index }))
  // Images are SDR.
  const renditions = all.filter(({ hdr }) => hdr === undefined)
  const hdrRenditions = all.filter(({ hdr }) => hdr !== undefined)
  const sides = renditions.map(({ width, height }) => Math.min(width, height))
  const photos = photoOutputs(plan)
  const watermark = plan.request?.watermark
  const last = renditions.length - 1
  const imageFrames = window === undefined ? undefined : ChunkImages.imageFrames(plan, window)
  const from = (index: number, side: ImageOutput) =>
    side.isEnabled && side.renditionIndex === index ? [`[${side.name}s]`] : []
  const thumbnails: ImageOutput = {
    name: "thumbnails",
    isEnabled: imageFrames === undefined ? plan.thumbnails > 0 : imageFrames.thumbnails.length > 0,
    renditionIndex: Math.max(
      0,
      sides.findLastIndex((side) => side >= minThumbnailSide),
    ),
  }
  const first = sides.findIndex((side) => side <= maxPosterSide)
  const poster: ImageOutput = {
    name: "poster",
    isEnabled: imageFrames === undefined ? plan.thumbnails > 0 : imageFrames.poster.length > 0,
    renditionIndex: first < 0 ? last : first,
  }
  const storyboard: ImageOutput = {
    name: "storyboard",
    isEnabled: plan.storyboard !== undefined && (imageFrames === undefined || imageFrames.tiles.length > 0),
    renditionIndex: last,
  }

  const input = `[0:${info.video?.index ?? 0}]`
  const steps = renditions.map((rendition, index) => {
    const outputs = [
      ...(index === 0 && plan.passthrough?.video !== undefined ? [] : [`[v${rendition.index}]`]),
      ...(index < last ? [`[c${index + 1}]`] : []),
      ...from(index, thumbnails),
      ...from(index, poster),
      ...from(index, storyboard),
      ...(photos.some((photo) => photo.index === index) ? [`[s${index}]`] : []),
    ]
    const size = `scale=${rendition.width}:${rendition.height}:flags=bicubic`
    return [
      index === 0 ? (hdrRenditions.length === 0 ? input : "[sdr]") : `[c${index}]`,
      [
        ...(index === 0
          ? [...(hdrRenditions.length === 0 ? timingFilters(plan, window) : []), ...sourceFilters(plan, size, window)]
          : [size, "setsar=1"]),
        ...(index === 0 && watermark !== undefined
          ? [`null[base]${Watermark.filters(watermark, watermarkInput, rendition.width)}`, bt709]
          : []),
        ...(outputs.length > 1 ? [`split=${outputs.length}`] : []),
      ].join(","),
      ...outputs,
    ].join("")
  })
  const hdrSteps = hdrRenditions.map(({ hdr, height, index, width }, at) => {
    const size = `scale=${width}:${height}:flags=bicubic`
    const next = hdrRenditions[at + 1] === undefined ? [] : [`split=2[v${index}][h${at + 1}]`]
    const filters = [at === 0 ? hdrFilters(plan, size, hdr, window) : [size, "setsar=1"], next].flat()
    return `${at === 0 ? "[hdr]" : `[h${at}]`}${filters.join(",")}${next.length === 0 ? `[v${index}]` : ""}`
  })
  const board = plan.storyboard
  return [
    ...(hdrRenditions.length === 0
      ? []
      : [`${input}${[...timingFilters(plan, window), "split=2[sdr][hdr]"].join(",")}`]),
    ...steps,
    ...hdrSteps,
    ...(thumbnails.isEnabled
      ? [
          `[thumbnailss]${rareFrames(
            imageFrames === undefined
              ? thumbnailExpression(info.duration, frameRate, plan.thumbnails)
              : ChunkImages.selectExpression(imageFrames.thumbnails),
          )},${jpegFilters}[thumbnails]`,
        ]
      : []),
    ...(poster.isEnabled
      ? [
          `[posters]${rareFrames(
            imageFrames === undefined
              ? posterExpression(posterSeconds(plan))
              : ChunkImages.selectExpression(imageFrames.poster),
          )},${jpegFilters}[poster]`,
        ]
      : []),
    ...(board === undefined || !storyboard.isEnabled
      ? []
      : [
          `[storyboards]${rareFrames(
            imageFrames === undefined
              ? firstOfEach((time) => `floor(${time}/${board.interval}+1e-6)`)
              : ChunkImages.selectExpression(imageFrames.tiles),
          )},scale=${board.width}:${board.height}:flags=bilinear[storyboard]`,
        ]),
    ...photos.map(({ index }) => `[s${index}]${jpegFilters}[i${index}]`),
  ].join(";")
}

/** The renditions of a photo that are also JPEG files: one of each size. */
export const photoOutputs = ({ info, renditions }: EncodingPlan): ReadonlyArray<{ index: number; name: string }> =>
  info.video?.still === undefined
    ? []
    : renditions.flatMap(({ codec, name }, index) => (codec === renditions[0]?.codec ? [{ index, name }] : []))

interface ImageOutput {
  readonly name: string
  readonly isEnabled: boolean
  /** The index of the rendition that it is taken from. */
  readonly renditionIndex: number
}

/**
 * JPEG always has the BT.601 matrix and the full range. ffmpeg 7 ignores the matrix of a `scale` whose output is `yuvj420p`,
 * so a second conversion, which changes no pixel, follows.
 */
export const jpegFilters = "scale=out_range=full:out_color_matrix=bt601,format=yuv420p,format=yuvj420p"

const rateFilter = (plan: EncodingPlan, window: ChunkWindow | undefined): string => {
  const source = plan.info.video
  const start = window === undefined || window.firstFrame === 0 ? "0" : frameTime(window.firstFrame, plan.frameRate)
  // The last frame before the end of a clip may last beyond it.
  const frames = window?.frames ?? (plan.request?.clip === undefined ? undefined : TrackAlignment.clipFrames(plan))
  const end = frames === undefined ? "" : `,trim=end_frame=${frames}`
  // A video that is shorter than a frame would have none.
  const isShort = (source?.end ?? 1) * plan.frameRate.num < plan.frameRate.den
  return `fps=fps=${plan.frameRate.num}/${plan.frameRate.den}:start_time=${start}${isShort ? ":eof_action=pass" : ""}${end}`
}

/** Up to the constant frame rate; before any change of size. */
const timingFilters = (plan: EncodingPlan, window: ChunkWindow | undefined): ReadonlyArray<string> => {
  const source = plan.info.video
  const still = source?.still
  const shift = TrackAlignment.shiftSeconds(plan)
  return [
    ...clipFilters(plan, ""),
    ...(shift === 0 ? [] : [`setpts=PTS+${shift.toFixed(6)}/TB`]),
    ...(source?.interlaced === true ? ["bwdif=mode=send_frame:deint=interlaced"] : []),
    ...(still === undefined ? [rateFilter(plan, window)] : orientationFilters(still.orientation)),
  ]
}

/** Repeats the last frame of a video that is shorter than its audio. */
const heldFilters = (plan: EncodingPlan, window: ChunkWindow | undefined): ReadonlyArray<string> => {
  const isLast =
    window?.frames === undefined || frameTime(window.firstFrame + window.frames, plan.frameRate) > plan.info.duration
  const held = isLast ? TrackAlignment.heldFrames(plan) : 0
  if (held === 0) return []
  const { den, num } = plan.frameRate
  return [
    `tpad=stop_mode=clone:stop=${held}`,
    // ffmpeg 6 and earlier place the repeated frames behind those that the trim of a clip has removed.
    ...(plan.request?.clip === undefined ? [] : [`setpts=N*${den}/${num}/TB`]),
  ]
}

/** The colours of the source, as BT.2100 with 10 bit. */
const hdrFilters = (
  plan: EncodingPlan,
  size: string,
  transfer: Rendition["hdr"],
  window: ChunkWindow | undefined,
): ReadonlyArray<string> => [
  `${size}:in_color_matrix=bt2020:out_color_matrix=bt2020:out_range=limited`,
  "setsar=1",
  "format=yuv420p10le",
  `setparams=range=limited:color_primaries=bt2020:color_trc=${transfer}:colorspace=bt2020nc`,
  ...heldFilters(plan, window),
]

const sourceFilters = (plan: EncodingPlan, size: string, window: ChunkWindow | undefined): ReadonlyArray<string> => {
  const source = plan.info.video
  const still = source?.still
  return [
    ...(source?.hdr === undefined
      ? source?.widePrimaries === undefined
        ? [`${size}${sdrScaleOptions(source)}`]
        : [size + widePrimariesOptions(source), ...widePrimariesFilters(source, source.widePrimaries)]
      : plan.toneMapping
        ? [size, ...toneMapFilters(source)]
        : [`${size}+full_chroma_int+full_chroma_inp+accurate_rnd:in_color_matrix=bt2020`, ...lutFilters]),
    "setsar=1",
    "format=yuv420p",
    bt709,
    ...heldFilters(plan, window),
    ...(still === undefined
      ? []
      : [
          `tpad=stop_mode=clone:stop_duration=${stillVideoSeconds}`,
          rateFilter(plan, window),
          `trim=duration=${stillVideoSeconds}`,
        ]),
  ]
}

const bt709 = "setparams=range=limited:color_primaries=bt709:color_trc=bt709:colorspace=bt709"

const sdrScaleOptions = (source: VideoInfo | undefined): string =>
  `:in_color_matrix=${source?.matrix ?? "bt709"}:out_color_matrix=bt709:out_range=limited`

const ffmpegMatrix = { bt601: "smpte170m", bt709: "bt709", bt2020: "bt2020nc" }

const widePrimariesOptions = ({ matrix }: VideoInfo): string =>
  `:in_color_matrix=${matrix}:out_color_matrix=${matrix}:out_range=limited`

/** Converts the primaries of cameras and displays with wide colours. Shown as BT.709, they would look pale. */
const widePrimariesFilters = (
  { matrix }: VideoInfo,
  primaries: NonNullable<VideoInfo["widePrimaries"]>,
): ReadonlyArray<string> => [
  "format=yuv420p10",
  `setparams=range=limited:color_primaries=${primaries}:color_trc=bt709:colorspace=${ffmpegMatrix[matrix]}`,
  "colorspace=all=bt709:range=tv:format=yuv420p",
]

const toneMapFilters = (source: VideoInfo): ReadonlyArray<string> => [
  `zscale=tin=${source.hdr ?? "smpte2084"}:min=bt2020nc:pin=bt2020:t=linear:npl=${ToneMap.whiteNits}`,
  "format=gbrpf32le",
  "zscale=p=bt709",
  `tonemap=mobius:param=${ToneMap.knee}:desat=0:peak=${ToneMap.peakLuminance}`,
  "zscale=t=bt709:m=bt709:r=limited",
]

/** For an ffmpeg without `zscale`; see `ToneMap`. */
const lutFilters: ReadonlyArray<string> = [
  "format=gbrp16le",
  `lut3d=file=${ToneMap.fileName}:interp=tetrahedral`,
  "scale=in_range=full:out_color_matrix=bt709:out_range=limited:flags=bicubic+accurate_rnd",
]

/** Filters for the eight orientations of EXIF. */
const orientationFilters = (orientation: number): ReadonlyArray<string> =>
  [
    [],
    [],
    ["hflip"],
    ["hflip", "vflip"],
    ["vflip"],
    ["transpose=0"],
    ["transpose=1"],
    ["transpose=3"],
    ["transpose=2"],
  ][orientation] ?? []

/**
 * Selects the first frame and the middle of each of `maxCount` equal parts. ffmpeg fails if it selects no frame, so the
 * first one covers recordings that are shorter than their header states.
 */
const thumbnailExpression = (seconds: number, frameRate: Rational, maxCount: number): string => {
  const frames = Math.floor((seconds * frameRate.num) / frameRate.den)
  const count = Math.max(1, Math.min(maxCount, Math.floor(frames / 2)))
  return firstOfEach((time) => `min(floor(${time}/${(seconds / count).toFixed(6)}+0.5+1e-6)\\,${count})`)
}

/** Selects the first frame and a later one that replaces it, because many videos begin with black. */
const posterExpression = (seconds: number): string =>
  firstOfEach((time) => `gte(${time}\\,${Math.max(0, seconds - 1e-6).toFixed(6)})`)

/** Selects the first frame, and each frame for whose time `step` is larger than for the frame before. */
const firstOfEach = (step: (time: string) => string): string => `eq(N\\,0)+gt(${step("T")}\\,${step("PREV_INT")})`
