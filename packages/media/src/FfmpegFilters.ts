/**
 * The filter graph of a transcode: one decoded picture becomes every rendition, upright, progressive, with square
 * pixels, at a steady rate, in the colours of BT.709, which each rendition also says of itself. Players guess the
 * colours of what says nothing by its size, and would show the renditions of one film unlike each other.
 */
import * as ChunkPictures from "./chunks/ChunkPictures.ts"
import { timeOf } from "./chunks/ChunkPlan.ts"
import type { Plan } from "./FfmpegCommand.ts"
import * as ToneMap from "./ToneMap.ts"
import { stillSeconds } from "./Probe.ts"
import type { Rational, VideoInfo } from "./ProbeReport.ts"

/** Thumbnails are taken from the smallest rendition that is at least this high, the poster from the largest that is no higher. */
const thumbnailSide = 360
const posterSide = 720

/** Needs at least one rendition. Its outputs: `[v0]…`, `[thumbnails]`, `[poster]`, `[storyboard]`, for a photo `[i0]…`. */
export const pictureFilters = (plan: Plan): string => {
  const { info, renditions, frameRate } = plan
  const sides = renditions.map(({ width, height }) => Math.min(width, height))
  const isStill = info.video?.still !== undefined
  const last = renditions.length - 1
  const picks = plan.window === undefined ? undefined : ChunkPictures.picksOf(plan, plan.window)
  const from = (index: number, side: Side) => (side.wanted && side.index === index ? [`[${side.name}s]`] : [])
  const thumbnails: Side = {
    name: "thumbnails",
    wanted: picks === undefined ? plan.thumbnails > 0 : picks.thumbnails.length > 0,
    index: Math.max(
      0,
      sides.findLastIndex((side) => side >= thumbnailSide),
    ),
  }
  const first = sides.findIndex((side) => side <= posterSide)
  const poster: Side = {
    name: "poster",
    wanted: picks === undefined ? plan.thumbnails > 0 : picks.poster.length > 0,
    index: first < 0 ? last : first,
  }
  const storyboard: Side = {
    name: "storyboard",
    wanted: plan.storyboard !== undefined && (picks === undefined || picks.tiles.length > 0),
    index: last,
  }

  const steps = renditions.map((rendition, index) => {
    const outputs = [
      ...(index === 0 && plan.copied?.picture !== undefined ? [] : [`[v${index}]`]),
      ...(index < last ? [`[c${index + 1}]`] : []),
      ...from(index, thumbnails),
      ...from(index, poster),
      ...from(index, storyboard),
      ...(isStill ? [`[s${index}]`] : []),
    ]
    const size = `scale=${rendition.width}:${rendition.height}:flags=bicubic`
    return [
      index === 0 ? `[0:${info.video?.index ?? 0}]` : `[c${index}]`,
      [
        ...(index === 0 ? firstSteps(plan, size) : [size, "setsar=1"]),
        ...(outputs.length > 1 ? [`split=${outputs.length}`] : []),
      ].join(","),
      ...outputs,
    ].join("")
  })
  const board = plan.storyboard
  return [
    ...steps,
    ...(thumbnails.wanted
      ? [
          `[thumbnailss]select='${
            picks === undefined
              ? thumbnailTimes(info.mainDuration, frameRate, plan.thumbnails)
              : ChunkPictures.expression(picks.thumbnails)
          }',${jpeg}[thumbnails]`,
        ]
      : []),
    ...(poster.wanted
      ? [
          `[posters]select='${
            picks === undefined ? posterTime(info.mainDuration) : ChunkPictures.expression(picks.poster)
          }',${jpeg}[poster]`,
        ]
      : []),
    ...(board === undefined || !storyboard.wanted
      ? []
      : [
          `[storyboards]select='${
            picks === undefined ? `gte(t\\,selected_n*${board.interval})` : ChunkPictures.expression(picks.tiles)
          }',scale=${board.width}:${board.height}:flags=bilinear${
            picks === undefined ? `,tile=${board.columns}x${board.rows},${jpeg}` : ""
          }[storyboard]`,
        ]),
    ...(isStill ? renditions.map((_, index) => `[s${index}]${jpeg}[i${index}]`) : []),
  ].join(";")
}

interface Side {
  readonly name: string
  readonly wanted: boolean
  /** Of the rendition that it is taken from. */
  readonly index: number
}

/** JPEG knows one matrix and the full range. */
const jpeg = "scale=out_range=full:out_color_matrix=bt601,format=yuvj420p"

const firstSteps = (plan: Plan, size: string): ReadonlyArray<string> => {
  const source = plan.info.video
  const { window } = plan
  const start = window === undefined || window.firstFrame === 0 ? "0" : timeOf(window.firstFrame, plan.frameRate)
  const end = window?.frames === undefined ? "" : `,trim=end_frame=${window.frames}`
  const rate = `fps=fps=${plan.frameRate.num}/${plan.frameRate.den}:start_time=${start}${end}`
  const still = source?.still
  return [
    ...(source?.interlaced === true ? ["bwdif=mode=send_frame:deint=interlaced"] : []),
    ...(still === undefined ? [rate] : upright(still.orientation)),
    ...(source?.hdr === undefined
      ? [`${size}${toSdr(source)}`]
      : plan.toneMapping
        ? [size, ...toneMap(source)]
        : [`${size}+full_chroma_int+full_chroma_inp+accurate_rnd:in_color_matrix=bt2020`, ...byTable]),
    "setsar=1",
    "format=yuv420p",
    "setparams=range=limited:color_primaries=bt709:color_trc=bt709:colorspace=bt709",
    ...(still === undefined
      ? []
      : [`tpad=stop_mode=clone:stop_duration=${stillSeconds}`, rate, `trim=duration=${stillSeconds}`]),
  ]
}

const toSdr = (source: VideoInfo | undefined): string =>
  `:in_color_matrix=${source?.matrix ?? "bt709"}:out_color_matrix=bt709:out_range=limited`

const toneMap = (source: VideoInfo): ReadonlyArray<string> => [
  `zscale=tin=${source.hdr ?? "smpte2084"}:min=bt2020nc:pin=bt2020:t=linear:npl=100`,
  "format=gbrpf32le",
  "zscale=p=bt709",
  "tonemap=hable:desat=0",
  "zscale=t=bt709:m=bt709:r=limited",
]

/** Without `zscale`; see `ToneMap`. */
const byTable: ReadonlyArray<string> = [
  "format=gbrp16le",
  `lut3d=file=${ToneMap.fileName}:interp=tetrahedral`,
  "scale=in_range=full:out_color_matrix=bt709:out_range=limited:flags=bicubic+accurate_rnd",
]

/** EXIF's eight ways of holding a camera. */
const upright = (orientation: number): ReadonlyArray<string> =>
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
 * The first frame, and the middle of each of as many equal parts. The first is there for recordings that end before
 * their header says: ffmpeg fails where nothing is taken at all.
 */
const thumbnailTimes = (seconds: number, frameRate: Rational, wanted: number): string => {
  const frames = Math.floor((seconds * frameRate.num) / frameRate.den)
  const count = Math.max(1, Math.min(wanted, Math.floor(frames / 2)))
  return `eq(n\\,0)+gt(n\\,0)*lt(selected_n\\,${count + 1})*gte(t\\,(selected_n-0.5)*${(seconds / count).toFixed(3)})`
}

/** The first frame, and a later one that takes its place: films begin in black. */
const posterTime = (seconds: number): string => `eq(n\\,0)+eq(selected_n\\,1)*gte(t\\,${(seconds / 10).toFixed(3)})`
