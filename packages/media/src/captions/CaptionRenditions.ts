/**
 * Captions as the manifests name them. The texts are those that this package wrote, so they are changed line by line;
 * doing it again gives the same text.
 */

export interface CaptionRendition {
  /** BCP 47. */
  readonly language: string
  /** As a viewer chooses it. */
  readonly title: string
  /** The folder below the stream's prefix, without a slash at its end. */
  readonly folder: string
  /** Players choose it by themselves where the viewer's language is this one. */
  readonly autoselect: boolean
}

export const playlistName = "stream.m3u8"
export const fileName = "captions.vtt"

const subtitlesAttribute = ',SUBTITLES="subs"'

/** The master playlist with exactly these renditions. */
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
    // Every variant names the group, or players drop captions when they change the rate.
    ...lines
      .slice(first)
      .map((line) => (line.startsWith("#EXT-X-STREAM-INF:") ? `${line}${subtitlesAttribute}` : line)),
  ].join("\n")
}

/** The DASH manifest with exactly these renditions. */
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

/** One segment over the whole length: captions are small, and no cue is cut. */
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

/** Ties the captions' clock to the stream's: their zero is when the first picture is shown. */
export const withTimestampMap = (vtt: string, startSeconds: number): string =>
  vtt.replace(
    /^WEBVTT[^\n]*\n(X-TIMESTAMP-MAP=[^\n]*\n)?/,
    `WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:${Math.round(startSeconds * 90_000)},LOCAL:00:00:00.000\n`,
  )
