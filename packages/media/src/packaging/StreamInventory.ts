/** The stored renditions and audio tracks of a plan, as playlists and manifests describe them. */
import { audioFolder, encodedChannels, type EncodingPlan } from "../encode/EncodingPlan.ts"
import { videoCodec } from "../encode/codecs/Codecs.ts"
import type * as MasterPlaylist from "./MasterPlaylist.ts"
import type { AudioInfo } from "../probe/MediaInfo.ts"
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
    ({ codec: id, hdr, name, width, height }): ReadonlyArray<MasterPlaylist.VideoRendition> => {
      const stored = tracks.find(({ folder }) => folder === name)
      if (stored === undefined) return []
      const { codec, timescale } = stored.track
      return [
        {
          name,
          width,
          height,
          frameRate: plan.frameRate,
          codec: hdr === undefined ? codec : (videoCodec(id).hdrCodecString?.(codec, hdr) ?? codec),
          ...(hdr === undefined ? {} : { hdr }),
          timescale,
          segments: stored.segments,
        },
      ]
    },
  )
  const titles = audioTitles(plan)
  const audioTracks = plan.info.audioTracks.flatMap((audio, track): ReadonlyArray<MasterPlaylist.AudioTrack> => {
    const name = audioFolder(track)
    const stored = tracks.find(({ folder }) => folder === name)
    if (stored === undefined) return []
    const { codec, timescale } = stored.track
    const { language, purpose } = audio
    const channels = plan.isCopiedAudio(track) ? audio.channels : encodedChannels(audio)
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
  })
  return { tracks, renditions, audioTracks }
}

/** The names for the menu of a player: the title from the file, else the language. Each is unique. */
const audioTitles = (plan: EncodingPlan): ReadonlyArray<string> => {
  const audioTracks = plan.info.audioTracks.filter(({ isSurround }) => isSurround !== true)
  const surround = plan.info.audioTracks.filter(({ isSurround }) => isSurround === true)
  const titles = stereoTitles(audioTracks)
  return [
    ...titles,
    ...surround.map(({ index }) => `${titles[audioTracks.findIndex((track) => track.index === index)] ?? "audio"} 5.1`),
  ]
}

const stereoTitles = (audioTracks: ReadonlyArray<AudioInfo>): ReadonlyArray<string> => {
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
