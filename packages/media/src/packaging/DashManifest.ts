/** The DASH manifest (MPD) of a stream. It refers to the same segments as the HLS playlists. */
import { Array as Arr } from "effect"
import type { KeyTags } from "../protection/KeyTags.ts"
import { type AudioTrack, codecFamily, type VideoRendition } from "./MasterPlaylist.ts"
import { averageRate, peakRate, type Segment } from "./MediaPlaylist.ts"
import { initName, segmentPattern } from "./SegmentUploader.ts"
import * as Storyboard from "./Storyboard.ts"

export const manifestName = "manifest.mpd"

export interface Manifest {
  /** Largest first. */
  readonly renditions: ReadonlyArray<VideoRendition>
  readonly audioTracks: ReadonlyArray<AudioTrack>
  readonly seconds: number
  /** Undefined: the stream is not protected. */
  readonly keys?: Pick<KeyTags, "licenseUrl" | "protection"> | undefined
  readonly storyboard?: { readonly board: Storyboard.Storyboard; readonly spriteCount: number } | undefined
}

export const render = ({ seconds, audioTracks, keys, storyboard, renditions }: Manifest): string => {
  const longest = Math.max(
    ...[...renditions, ...audioTracks].flatMap(({ segments }) => segments.map((segment) => segment.seconds)),
    1,
  )
  const protection = keys === undefined ? [] : contentProtection(keys)
  const namespaces = keys === undefined ? "" : ' xmlns:cenc="urn:mpeg:cenc:2013" xmlns:dashif="https://dashif.org/CPS"'
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"${namespaces} profiles="urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019" type="static" mediaPresentationDuration="${isoDuration(seconds)}" maxSegmentDuration="${isoDuration(Math.ceil(longest))}" minBufferTime="PT4S">`,
    `<Period id="0" start="PT0S" duration="${isoDuration(seconds)}">`,
    ...byCodec(renditions).flatMap((set, index, all) => videoAdaptationSet(set, index, priority(set, all), protection)),
    ...audioTracks.flatMap((track, index) => audioAdaptationSet(track, index, protection)),
    ...(storyboard === undefined ? [] : thumbnailAdaptationSet(storyboard.board, storyboard.spriteCount)),
    "</Period>",
    "</MPD>",
    "",
  ].join("\n")
}

/** Players switch only within an AdaptationSet, and only between renditions of one codec. */
const byCodec = (renditions: ReadonlyArray<VideoRendition>) =>
  Object.values(Arr.groupBy(renditions, ({ codec }) => codecFamily(codec)))

/**
 * Of the codecs that it decodes, a player takes the one with the fewest bits, which comes last. But all sets in HDR are behind
 * those in SDR: dash.js decides by what the browser decodes, and browsers decode HDR on displays that cannot show it. Undefined:
 * there is one codec.
 */
const priority = (
  set: ReadonlyArray<VideoRendition>,
  all: ReadonlyArray<ReadonlyArray<VideoRendition>>,
): number | undefined => {
  const isHdr = ([first]: ReadonlyArray<VideoRendition>) => first?.hdr !== undefined
  return all.length === 1 ? undefined : [...all.filter(isHdr), ...all.filter((other) => !isHdr(other))].indexOf(set) + 1
}

/** The first codec has id 0, audio tracks follow from 1. */
const additionalVideoId = 200

const videoAdaptationSet = (
  renditions: ReadonlyArray<VideoRendition>,
  index: number,
  selectionPriority: number | undefined,
  protection: ReadonlyArray<string>,
): ReadonlyArray<string> => [
  `<AdaptationSet id="${index === 0 ? 0 : additionalVideoId + index}"${selectionPriority === undefined ? "" : ` selectionPriority="${selectionPriority}"`} contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1" par="${aspectRatio(renditions[0])}">`,
  ...protection,
  '<Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>',
  ...colorDescriptors(renditions[0]?.hdr),
  ...renditions.map(
    (rendition) =>
      `<Representation id="${rendition.name}" codecs="${rendition.codec}" bandwidth="${maxBandwidth(rendition.segments)}" width="${rendition.width}" height="${rendition.height}" frameRate="${rendition.frameRate.num}/${rendition.frameRate.den}" sar="1:1">${segmentTemplate(rendition)}</Representation>`,
  ),
  "</AdaptationSet>",
]

const audioAdaptationSet = (
  track: AudioTrack,
  index: number,
  protection: ReadonlyArray<string>,
): ReadonlyArray<string> => [
  `<AdaptationSet id="${index + 1}" contentType="audio" mimeType="audio/mp4"${track.language === undefined ? "" : ` lang="${track.language}"`} segmentAlignment="true" startWithSAP="1">`,
  ...protection,
  ...(track.purpose === "description"
    ? ['<Accessibility schemeIdUri="urn:tva:metadata:cs:AudioPurposeCS:2007" value="1"/>']
    : []),
  `<Role schemeIdUri="urn:mpeg:dash:role:2011" value="${index === 0 ? "main" : (track.purpose ?? "alternate")}"/>`,
  `<Label>${escapeXml(track.title)}</Label>`,
  `<Representation id="${track.name}" codecs="${track.codec}" bandwidth="${maxBandwidth(track.segments)}" audioSamplingRate="${track.timescale}"><AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="${track.channels ?? 2}"/>${segmentTemplate(track)}</Representation>`,
  "</AdaptationSet>",
]

/** The scheme with the key of the first segment, ClearKey with the address of its licenses, then further systems. */
const contentProtection = ({
  licenseUrl,
  protection: { keyIds, systems = [] },
}: NonNullable<Manifest["keys"]>): ReadonlyArray<string> => [
  `<ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011" value="cbcs" cenc:default_KID="${uuid(keyIds[0])}"/>`,
  `<ContentProtection schemeIdUri="urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e" value="ClearKey1.0"><dashif:Laurl Lic_type="EME-1.0">${escapeXml(licenseUrl)}</dashif:Laurl></ContentProtection>`,
  ...systems.flatMap(({ dash }) =>
    dash === undefined
      ? []
      : [
          `<ContentProtection schemeIdUri="${escapeXml(dash.scheme_id_uri)}">${dash.pssh === undefined ? "" : `<cenc:pssh>${escapeXml(dash.pssh)}</cenc:pssh>`}</ContentProtection>`,
        ],
  ),
]

const uuid = (id: string): string => id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5")

/** BT.709 or BT.2100, by the numbers of ISO/IEC 23091-2. A player that does not know HDR must leave it out. */
const colorDescriptors = (hdr: VideoRendition["hdr"]): ReadonlyArray<string> => {
  const transfer = hdr === undefined ? 1 : hdr === "smpte2084" ? 16 : 18
  const element = hdr === undefined ? "SupplementalProperty" : "EssentialProperty"
  const wide = hdr === undefined ? 1 : 9
  return Object.entries({ ColourPrimaries: wide, TransferCharacteristics: transfer, MatrixCoefficients: wide }).map(
    ([name, value]) => `<${element} schemeIdUri="urn:mpeg:mpegB:cicp:${name}" value="${value}"/>`,
  )
}

/** Tiled thumbnails as the DASH-IF guidelines describe them. */
const thumbnailAdaptationSet = (board: Storyboard.Storyboard, spriteCount: number): ReadonlyArray<string> => [
  '<AdaptationSet id="100" contentType="image" mimeType="image/jpeg">',
  `<SegmentTemplate media="${Storyboard.folder}/$Number%03d$.jpg" timescale="1" duration="${board.columns * board.rows * board.interval}" startNumber="0"${spriteCount > 0 ? ` endNumber="${spriteCount - 1}"` : ""}/>`,
  `<Representation id="storyboard" bandwidth="20000" width="${board.width * board.columns}" height="${board.height * board.rows}"><EssentialProperty schemeIdUri="http://dashif.org/guidelines/thumbnail_tile" value="${board.columns}x${board.rows}"/></Representation>`,
  "</AdaptationSet>",
]

interface TimedTrack {
  readonly timescale: number
  readonly segments: ReadonlyArray<Segment>
}

const segmentTemplate = ({ segments, timescale }: TimedTrack): string =>
  `<SegmentTemplate timescale="${timescale}" initialization="$RepresentationID$/${initName}" media="$RepresentationID$/${segmentPattern}" startNumber="0"><SegmentTimeline>${segmentTimeline(segments, timescale)}</SegmentTimeline></SegmentTemplate>`

/** A run of segments with equal durations becomes one element. */
const segmentTimeline = (segments: ReadonlyArray<Segment>, timescale: number): string => {
  const runs: Array<{ readonly ticks: number; count: number }> = []
  for (const { seconds } of segments) {
    const ticks = Math.round(seconds * timescale)
    const last = runs.at(-1)
    if (last?.ticks === ticks) last.count++
    else runs.push({ ticks, count: 1 })
  }
  return runs
    .map(
      ({ count, ticks }, index) =>
        `<S${index === 0 ? ' t="0"' : ""} d="${ticks}"${count > 1 ? ` r="${count - 1}"` : ""}/>`,
    )
    .join("")
}

/** The highest rate: a player that plans with it never stalls. */
const maxBandwidth = (segments: ReadonlyArray<Segment>): number =>
  Math.max(1, Math.ceil(Math.max(peakRate(segments), averageRate(segments))))

const isoDuration = (seconds: number): string => `PT${seconds.toFixed(3)}S`

const aspectRatio = (rendition: VideoRendition | undefined): string => {
  if (rendition === undefined) return "16:9"
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b))
  const common = divisor(rendition.width, rendition.height)
  return `${rendition.width / common}:${rendition.height / common}`
}

const escapeXml = (text: string): string =>
  text
    .replaceAll(/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
