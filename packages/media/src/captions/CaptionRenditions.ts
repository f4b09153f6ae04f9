/**
 * Adds captions to the master playlist and the DASH manifest. Both were written by this package, so they can be edited line
 * by line. Repeating an edit gives the same text. Subtitles of the source itself (`subtitles/…`) are written with the stream
 * and stay; captions that come later (`captions/…`) are replaced.
 */
import type { CaptionKind } from "@armoricore/domain/CaptionTrack"
import { fileName, playlistName } from "./CaptionSegments.ts"

export interface CaptionRendition {
  /** BCP 47; absent if unknown. */
  readonly language: string | undefined
  /** The name in the menu of a player. */
  readonly title: string
  /** The folder below the stream's prefix, without a trailing slash: `captions/…` or `subtitles/…`. */
  readonly folder: string
  readonly kind: CaptionKind
  /** Players may select it automatically if it matches the viewer's language. */
  readonly autoselect: boolean
}

const subtitlesAttribute = ',SUBTITLES="subs"'
const mediaTag = "#EXT-X-MEDIA:TYPE=SUBTITLES"

/** Replaces the captions of a master playlist. */
export const addToMaster = (master: string, renditions: ReadonlyArray<CaptionRendition>): string => {
  const lines = master
    .split("\n")
    .filter((line) => !(line.startsWith(mediaTag) && line.includes('URI="captions/')))
    .map((line) => line.replace(subtitlesAttribute, ""))
  const existing = lines.filter((line) => line.startsWith(mediaTag))
  if (renditions.length + existing.length === 0) return lines.join("\n")
  const first = lines.findIndex((line) => line.startsWith("#EXT-X-STREAM-INF:"))
  const names = new Set(existing.map((line) => /NAME="([^"]*)"/.exec(line)?.[1] ?? ""))
  return [
    ...lines.slice(0, first),
    ...renditions.map((rendition) => tagOf(rendition, uniqueName(quotable(rendition.title), names))),
    // Every variant must name the group, or players drop the captions when they switch variants.
    ...lines
      .slice(first)
      .map((line) => (line.startsWith("#EXT-X-STREAM-INF:") ? `${line}${subtitlesAttribute}` : line)),
  ].join("\n")
}

const tagOf = ({ autoselect, folder, kind, language }: CaptionRendition, name: string): string =>
  `${mediaTag},${[
    'GROUP-ID="subs"',
    `NAME="${name}"`,
    ...(language === undefined ? [] : [`LANGUAGE="${language}"`]),
    `AUTOSELECT=${autoselect || kind === "forced" ? "YES" : "NO"}`,
    "DEFAULT=NO",
    `FORCED=${kind === "forced" ? "YES" : "NO"}`,
    ...(kind === "captions" ? [`CHARACTERISTICS="${describesSounds}"`] : []),
    `URI="${folder}/${playlistName}"`,
  ].join(",")}`

const describesSounds = "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound"

const quotable = (title: string): string => title.replaceAll('"', "'").replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ")

/** Names are unique within a group. */
const uniqueName = (title: string, names: Set<string>): string => {
  let name = title
  for (let count = 2; names.has(name); count++) name = `${title} ${count}`
  names.add(name)
  return name
}

/** Replaces the captions of a DASH manifest. */
export const addToManifest = (manifest: string, renditions: ReadonlyArray<CaptionRendition>): string =>
  manifest
    .split("\n")
    .filter((line) => !line.startsWith('<AdaptationSet id="captions-'))
    .flatMap((line) => (line === "</Period>" ? [...renditions.map(adaptationSet), line] : [line]))
    .join("\n")

const roles: Readonly<Record<CaptionKind, string>> = {
  captions: "caption",
  subtitles: "subtitle",
  forced: "forced-subtitle",
}

const adaptationSet = ({ folder, kind, language, title }: CaptionRendition): string => {
  const id = folder.replaceAll("/", "-")
  const lang = language === undefined ? "" : ` lang="${language}"`
  return `<AdaptationSet id="${id}" contentType="text" mimeType="text/vtt"${lang}><Role schemeIdUri="urn:mpeg:dash:role:2011" value="${roles[kind]}"/><Label>${escapeXml(title)}</Label><Representation id="${id}" bandwidth="1000"><BaseURL>${folder}/${fileName}</BaseURL></Representation></AdaptationSet>`
}

const escapeXml = (text: string): string =>
  text
    .replaceAll(/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")

const nameOf = (language: string): string =>
  new Intl.DisplayNames([language, "en"], { type: "language", fallback: "code" }).of(language) ?? language

/** The language in itself, with the kind where it matters. */
export const titleOf = (language: string | undefined, kind: CaptionKind): string => {
  const name = language === undefined ? "Subtitles" : nameOf(language)
  return kind === "captions" ? `${name} (CC)` : kind === "forced" ? `${name} (forced)` : name
}
