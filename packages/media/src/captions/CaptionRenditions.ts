/**
 * Adds captions to the master playlist and the DASH manifest. Both were written by this package, so they can be edited line
 * by line. Repeating an edit gives the same text.
 */

export interface CaptionRendition {
  /** BCP 47. */
  readonly language: string
  /** The name in the menu of a player. */
  readonly title: string
  /** The folder below the stream's prefix, without a trailing slash. */
  readonly folder: string
  /** Players may select it automatically if it matches the viewer's language. */
  readonly autoselect: boolean
}

export const playlistName = "stream.m3u8"
export const fileName = "captions.vtt"

const subtitlesAttribute = ',SUBTITLES="subs"'

/** Replaces the captions of a master playlist. */
export const addToMaster = (master: string, renditions: ReadonlyArray<CaptionRendition>): string => {
  const lines = master
    .split("\n")
    .filter((line) => !line.startsWith("#EXT-X-MEDIA:TYPE=SUBTITLES"))
    .map((line) => line.replace(subtitlesAttribute, ""))
  if (renditions.length === 0) return lines.join("\n")
  const first = lines.findIndex((line) => line.startsWith("#EXT-X-STREAM-INF:"))
  return [
    ...lines.slice(0, first),
    ...renditions.map(
      ({ autoselect, folder, language, title }) =>
        `#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="${title.replaceAll('"', "'")}",LANGUAGE="${language}",AUTOSELECT=${autoselect ? "YES" : "NO"},DEFAULT=NO,FORCED=NO,URI="${folder}/${playlistName}"`,
    ),
    // Every variant must name the group, or players drop the captions when they switch variants.
    ...lines
      .slice(first)
      .map((line) => (line.startsWith("#EXT-X-STREAM-INF:") ? `${line}${subtitlesAttribute}` : line)),
  ].join("\n")
}

/** Replaces the captions of a DASH manifest. */
export const addToManifest = (manifest: string, renditions: ReadonlyArray<CaptionRendition>): string =>
  manifest
    .split("\n")
    .filter((line) => !line.startsWith('<AdaptationSet id="captions-'))
    .flatMap((line) => (line === "</Period>" ? [...renditions.map(adaptationSet), line] : [line]))
    .join("\n")

const adaptationSet = ({ folder, language, title }: CaptionRendition): string =>
  `<AdaptationSet id="captions-${language}" contentType="text" mimeType="text/vtt" lang="${language}"><Role schemeIdUri="urn:mpeg:dash:role:2011" value="caption"/><Label>${escapeXml(title)}</Label><Representation id="captions-${language}" bandwidth="1000"><BaseURL>${folder}/${fileName}</BaseURL></Representation></AdaptationSet>`

const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

/** One segment for the whole duration: captions are small, and no cue is split. */
export const playlist = (seconds: number): string =>
  [
    "#EXTM3U",
    "#EXT-X-VERSION:7",
    `#EXT-X-TARGETDURATION:${Math.max(1, Math.ceil(seconds))}`,
    "#EXT-X-MEDIA-SEQUENCE:0",
    "#EXT-X-PLAYLIST-TYPE:VOD",
    `#EXTINF:${seconds.toFixed(6)},`,
    fileName,
    "#EXT-X-ENDLIST",
    "",
  ].join("\n")

/** Aligns the captions with the stream: their time 0 is the presentation time of the first frame. */
export const withTimestampMap = (vtt: string, startSeconds: number): string =>
  vtt.replace(
    /^WEBVTT[^\n]*\n(X-TIMESTAMP-MAP=[^\n]*\n)?/,
    `WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:${Math.round(startSeconds * 90_000)},LOCAL:00:00:00.000\n`,
  )
