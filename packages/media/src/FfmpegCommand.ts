/**
 * The one ffmpeg command of a transcode, as a pure function of the plan.
 *
 * The source is decoded once. Each rendition is scaled from the one above it (a cascade costs less than scaling all
 * from the source), thumbnails come from the same frames. Key frames lie every two seconds at the same times in all
 * renditions, so that segments of four seconds are interchangeable. Segments are written under a temporary name and
 * the playlists grow as events, so that what a playlist names is whole and can be uploaded while ffmpeg still runs.
 */
import type { AudioInfo, MediaInfo, Rational } from "./Probe.ts"
import { inputGuards } from "@armoricore/ffmpeg/InputGuards"
import type { Rendition } from "./Ladder.ts"

export interface Plan {
  readonly info: MediaInfo
  /** Largest first; empty for a recording of sound alone. */
  readonly renditions: ReadonlyArray<Rendition>
  readonly frameRate: Rational
  readonly thumbnails: number
  /** Whether ffmpeg has `zscale`. */
  readonly toneMapping: boolean
}

export const segmentSeconds = 4
export const keyFrameSeconds = 2
export const audioFolder = "audio"
export const audioKilobits = 128
export const playlistName = "stream.m3u8"

/** Folders that ffmpeg fills: one a rendition, one for the sound. */
export const folders = (plan: Plan): ReadonlyArray<string> => [
  ...plan.renditions.map(({ name }) => name),
  ...(plan.info.audio === undefined ? [] : [audioFolder]),
]

export const thumbnailName = (index: number): string => `thumbnails/${String(index + 1).padStart(2, "0")}.jpg`

/** Everything after `ffmpeg`; output names are relative to the working folder, which must hold `thumbnails/`. */
export const args = (plan: Plan, input: string): ReadonlyArray<string> => {
  const { info, renditions } = plan
  const sound = info.audio === undefined ? [] : [`a:0,agroup:audio,name:${audioFolder}`]
  const group = info.audio === undefined ? "" : ",agroup:audio"
  const streamMap = [...renditions.map(({ name }, index) => `v:${index}${group},name:${name}`), ...sound].join(" ")
  return [
    ...words("-hide_banner -nostdin -loglevel error"),
    ...inputGuards,
    // A file may hold more than it claims.
    ...words(`-t ${Math.ceil(info.duration) + 5} -i`),
    `file:${input}`,
    ...(renditions.length === 0 ? [] : pictureArgs(plan)),
    ...(info.audio === undefined ? [] : soundArgs(info.audio)),
    ...words("-map_metadata -1 -map_chapters -1"),
    ...words(`-f hls -hls_time ${segmentSeconds} -hls_playlist_type event -hls_list_size 0`),
    ...words("-hls_flags independent_segments+temp_file -hls_segment_type fmp4"),
    // Without these two ffmpeg delays picture and sound by unlike amounts.
    ...words("-avoid_negative_ts disabled -hls_segment_options movflags=+frag_discont"),
    ...words("-hls_fmp4_init_filename init.mp4 -hls_segment_filename %v/%05d.m4s"),
    "-var_stream_map",
    streamMap,
    `%v/${playlistName}`,
    ...(plan.thumbnails === 0 || renditions.length === 0
      ? []
      : words("-map [thumbnails] -fps_mode passthrough -q:v 4 -f image2 thumbnails/%02d.jpg")),
  ]
}

const words = (text: string): ReadonlyArray<string> => text.split(" ")

const pictureArgs = (plan: Plan): ReadonlyArray<string> => {
  const gop = Math.ceil((plan.frameRate.num / plan.frameRate.den) * keyFrameSeconds)
  return [
    "-filter_complex",
    filters(plan),
    ...plan.renditions.flatMap((_, index) => ["-map", `[v${index}]`]),
    ...words("-c:v libx264 -preset veryfast -crf 23 -profile:v high -fps_mode passthrough"),
    ...words(`-g ${gop} -sc_threshold 0 -forced-idr 1 -force_key_frames expr:gte(t,n_forced*${keyFrameSeconds})`),
    ...plan.renditions.flatMap(({ kilobits }, index) =>
      words(`-maxrate:v:${index} ${kilobits}k -bufsize:v:${index} ${kilobits * 2}k`),
    ),
  ]
}

const soundArgs = (audio: AudioInfo): ReadonlyArray<string> => [
  ...words(`-map 0:${audio.index} -c:a aac -b:a ${audioKilobits}k -ac 2 -ar 48000`),
  // Gaps and a late start become silence, so that sound and picture keep step.
  ...words("-af aresample=async=1:first_pts=0"),
]

/** Thumbnails are taken from the smallest rendition that is at least this high. */
const thumbnailSide = 360

const filters = (plan: Plan): string => {
  const { info, renditions, frameRate } = plan
  const source = info.video
  const thumbnailFrom = renditions.findLastIndex(({ width, height }) => Math.min(width, height) >= thumbnailSide)
  const pictureIndex = plan.thumbnails === 0 ? -1 : Math.max(0, thumbnailFrom)
  const steps = renditions.map((rendition, index) => {
    const first = index === 0
    const outputs = [
      `[v${index}]`,
      ...(index + 1 < renditions.length ? [`[c${index + 1}]`] : []),
      ...(index === pictureIndex ? ["[picture]"] : []),
    ]
    return [
      first ? `[0:${source?.index ?? 0}]` : `[c${index}]`,
      [
        ...(first && source?.interlaced === true ? ["bwdif=mode=send_frame:deint=interlaced"] : []),
        ...(first ? [`fps=fps=${frameRate.num}/${frameRate.den}:start_time=0`] : []),
        `scale=${rendition.width}:${rendition.height}:flags=bicubic`,
        ...(first && source?.hdr === true && plan.toneMapping ? toneMap : []),
        "setsar=1",
        "format=yuv420p",
        ...(outputs.length > 1 ? [`split=${outputs.length}`] : []),
      ].join(","),
      ...outputs,
    ].join("")
  })
  const select = `select='${thumbnailTimes(info.mainDuration, frameRate, plan.thumbnails)}'`
  return [
    ...steps,
    ...(pictureIndex < 0 ? [] : [`[picture]${select},scale=out_range=full,format=yuvj420p[thumbnails]`]),
  ].join(";")
}

/**
 * Takes the middle of each of as many equal parts. Each part needs two frames; of a recording that has fewer the first
 * frame is taken, for newer ffmpeg fails where nothing is.
 */
const thumbnailTimes = (seconds: number, frameRate: Rational, wanted: number): string => {
  const frames = Math.floor((seconds * frameRate.num) / frameRate.den)
  const count = Math.max(1, Math.min(wanted, Math.floor(frames / 2)))
  const offset = frames < 2 ? 0 : 0.5
  return `lt(selected_n\\,${count})*gte(t\\,(selected_n+${offset})*${(seconds / count).toFixed(3)})`
}

const toneMap = [
  "zscale=t=linear:npl=100",
  "format=gbrpf32le",
  "zscale=p=bt709",
  "tonemap=hable:desat=0",
  "zscale=t=bt709:m=bt709:r=tv",
]
