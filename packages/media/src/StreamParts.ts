/** What of a plan is in storage: its renditions and sound tracks as the manifests name them. */
import * as FfmpegCommand from "./FfmpegCommand.ts"
import type * as MasterPlaylist from "./MasterPlaylist.ts"
import type { Uploaded } from "./SegmentUploader.ts"

export interface StreamParts {
  /** Those that have a segment. */
  readonly parts: ReadonlyArray<Uploaded>
  /** Largest first. */
  readonly variants: ReadonlyArray<MasterPlaylist.Variant>
  readonly sounds: ReadonlyArray<MasterPlaylist.Sound>
}

export const of = (plan: FfmpegCommand.Plan, uploaded: ReadonlyArray<Uploaded>): StreamParts => {
  const parts = uploaded.filter(({ segments }) => segments.length > 0)
  const variants = plan.renditions.flatMap(({ name, width, height }): ReadonlyArray<MasterPlaylist.Variant> => {
    const part = parts.find(({ folder }) => folder === name)
    if (part === undefined) return []
    const { codec, timescale } = part.track
    return [{ name, width, height, frameRate: plan.frameRate, codec, timescale, segments: part.segments }]
  })
  const titles = titlesOf(plan)
  const sounds = plan.info.sounds.flatMap(({ channels: own, language }, track): ReadonlyArray<MasterPlaylist.Sound> => {
    const name = FfmpegCommand.audioFolder(track)
    const part = parts.find(({ folder }) => folder === name)
    if (part === undefined) return []
    const { codec, timescale } = part.track
    const channels = plan.copied?.sounds.has(track) === true ? own : 2
    return [{ name, codec, timescale, channels, segments: part.segments, language, title: titles[track] ?? name }]
  })
  return { parts, variants, sounds }
}

/** What listeners choose by: the file's own title, else the language; no two alike. */
const titlesOf = (plan: FfmpegCommand.Plan): ReadonlyArray<string> => {
  const { sounds } = plan.info
  if (sounds.length < 2) return ["audio"]
  const names = new Intl.DisplayNames(["en"], { type: "language", fallback: "none" })
  const given = sounds.map(({ language, title }, track) => {
    // What muxers write by themselves says nothing.
    const own = title === undefined || /^(sound|audio|stereo|core media).*|handler$/i.test(title) ? undefined : title
    return (own ?? (language === undefined ? undefined : names.of(language)) ?? `Track ${track + 1}`).slice(0, 80)
  })
  return given.map((one, track) => (given.indexOf(one) === track ? one : `${one} ${track + 1}`))
}
