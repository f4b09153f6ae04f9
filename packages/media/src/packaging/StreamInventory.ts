/** What of a plan is in storage: its renditions and sound tracks as the manifests name them. */
import { type EncodingPlan, audioFolder } from "../encode/EncodingPlan.ts"
import type * as MasterPlaylist from "./MasterPlaylist.ts"
import type { UploadedTrack } from "./SegmentUploader.ts"

export interface StreamInventory {
  /** Those that have a segment. */
  readonly tracks: ReadonlyArray<UploadedTrack>
  /** Largest first. */
  readonly renditions: ReadonlyArray<MasterPlaylist.VideoRendition>
  readonly audioTracks: ReadonlyArray<MasterPlaylist.AudioTrack>
}

export const fromUploaded = (plan: EncodingPlan, uploadedTracks: ReadonlyArray<UploadedTrack>): StreamInventory => {
  const tracks = uploadedTracks.filter(({ segments }) => segments.length > 0)
  const renditions = plan.renditions.flatMap(
    ({ name, width, height }): ReadonlyArray<MasterPlaylist.VideoRendition> => {
      const part = tracks.find(({ folder }) => folder === name)
      if (part === undefined) return []
      const { codec, timescale } = part.track
      return [{ name, width, height, frameRate: plan.frameRate, codec, timescale, segments: part.segments }]
    },
  )
  const titles = audioTitles(plan)
  const audioTracks = plan.info.audioTracks.flatMap(
    ({ channels: own, language }, track): ReadonlyArray<MasterPlaylist.AudioTrack> => {
      const name = audioFolder(track)
      const part = tracks.find(({ folder }) => folder === name)
      if (part === undefined) return []
      const { codec, timescale } = part.track
      const channels = plan.isCopiedAudio(track) ? own : 2
      return [{ name, codec, timescale, channels, segments: part.segments, language, title: titles[track] ?? name }]
    },
  )
  return { tracks, renditions, audioTracks }
}

/** What listeners choose by: the file's own title, else the language; no two alike. */
const audioTitles = (plan: EncodingPlan): ReadonlyArray<string> => {
  const { audioTracks } = plan.info
  if (audioTracks.length < 2) return ["audio"]
  const names = new Intl.DisplayNames(["en"], { type: "language", fallback: "none" })
  const given = audioTracks.map(({ language, title }, track) => {
    // What muxers write by themselves says nothing.
    const own = title === undefined || /^(sound|audio|stereo|core media).*|handler$/i.test(title) ? undefined : title
    return (own ?? (language === undefined ? undefined : names.of(language)) ?? `Track ${track + 1}`).slice(0, 80)
  })
  return given.map((one, track) => (given.indexOf(one) === track ? one : `${one} ${track + 1}`))
}
