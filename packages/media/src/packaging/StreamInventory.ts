/** The stored renditions and audio tracks of a plan, as playlists and manifests describe them. */
import { type EncodingPlan, audioFolder } from "../encode/EncodingPlan.ts"
import type * as MasterPlaylist from "./MasterPlaylist.ts"
import type { UploadedTrack } from "./SegmentUploader.ts"

export interface StreamInventory {
  /** The tracks with at least one segment. */
  readonly tracks: ReadonlyArray<UploadedTrack>
  /** Largest first. */
  readonly renditions: ReadonlyArray<MasterPlaylist.VideoRendition>
  readonly audioTracks: ReadonlyArray<MasterPlaylist.AudioTrack>
}

export const fromUploaded = (plan: EncodingPlan, uploadedTracks: ReadonlyArray<UploadedTrack>): StreamInventory => {
  const tracks = uploadedTracks.filter(({ segments }) => segments.length > 0)
  const renditions = plan.renditions.flatMap(
    ({ name, width, height }): ReadonlyArray<MasterPlaylist.VideoRendition> => {
      const stored = tracks.find(({ folder }) => folder === name)
      if (stored === undefined) return []
      const { codec, timescale } = stored.track
      return [{ name, width, height, frameRate: plan.frameRate, codec, timescale, segments: stored.segments }]
    },
  )
  const titles = audioTitles(plan)
  const audioTracks = plan.info.audioTracks.flatMap(
    ({ channels: sourceChannels, language, purpose }, track): ReadonlyArray<MasterPlaylist.AudioTrack> => {
      const name = audioFolder(track)
      const stored = tracks.find(({ folder }) => folder === name)
      if (stored === undefined) return []
      const { codec, timescale } = stored.track
      const channels = plan.isCopiedAudio(track) ? sourceChannels : 2
      return [
        {
          name,
          codec,
          timescale,
          channels,
          segments: stored.segments,
          language,
          purpose,
          title: titles[track] ?? name,
        },
      ]
    },
  )
  return { tracks, renditions, audioTracks }
}

/** The names for the menu of a player: the title from the file, else the language. Each is unique. */
const audioTitles = (plan: EncodingPlan): ReadonlyArray<string> => {
  const { audioTracks } = plan.info
  if (audioTracks.length < 2) return ["audio"]
  const names = new Intl.DisplayNames(["en"], { type: "language", fallback: "none" })
  const candidates = audioTracks.map(({ language, purpose, title }, track) => {
    // Muxers write meaningless default titles.
    const ownTitle =
      title === undefined || /^(sound|audio|stereo|core media).*|handler$/i.test(title) ? undefined : title
    const name = (language === undefined ? undefined : names.of(language)) ?? `Track ${track + 1}`
    return (ownTitle ?? (purpose === undefined ? name : `${name} (${purposeNames[purpose]})`)).slice(0, 80)
  })
  return candidates.map((title, track) => (candidates.indexOf(title) === track ? title : `${title} ${track + 1}`))
}

const purposeNames = { description: "audio description", commentary: "commentary" } as const
