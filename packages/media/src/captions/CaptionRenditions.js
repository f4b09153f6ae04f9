import { fileName, playlistName } from "./CaptionSegments.ts";
const subtitlesAttribute = ',SUBTITLES="subs"';
const mediaTag = "#EXT-X-MEDIA:TYPE=SUBTITLES";
/** Replaces the captions of a master playlist. */
export const addToMaster = (master, renditions) => {
    const lines = master
        .split("\n")
        .filter((line) => !(line.startsWith(mediaTag) && line.includes('URI="captions/')))
        .map((line) => line.replace(subtitlesAttribute, ""));
    const existing = lines.filter((line) => line.startsWith(mediaTag));
    if (renditions.length + existing.length === 0)
        return lines.join("\n");
    const first = lines.findIndex((line) => line.startsWith("#EXT-X-STREAM-INF:"));
    const names = new Set(existing.map((line) => /NAME="([^"]*)"/.exec(line)?.[1] ?? ""));
    return [
        ...lines.slice(0, first),
        ...renditions.map((rendition) => tagOf(rendition, uniqueName(quotable(rendition.title), names))),
        // Every variant must name the group, or players drop the captions when they switch variants.
        ...lines
            .slice(first)
            .map((line) => (line.startsWith("#EXT-X-STREAM-INF:") ? `${line}${subtitlesAttribute}` : line)),
    ].join("\n");
};
const tagOf = ({ autoselect, folder, kind, language }, name) => `${mediaTag},${[
    'GROUP-ID="subs"',
    `NAME="${name}"`,
    ...(language === undefined ? [] : [`LANGUAGE="${language}"`]),
    `AUTOSELECT=${autoselect || kind === "forced" ? "YES" : "NO"}`,
    "DEFAULT=NO",
    `FORCED=${kind === "forced" ? "YES" : "NO"}`,
    ...(kind === "captions" ? [`CHARACTERISTICS="${describesSounds}"`] : []),
    `URI="${folder}/${playlistName}"`,
].join(",")}`;
const describesSounds = "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound";
const quotable = (title) => title.replaceAll('"', "'").replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ");
/** Names are unique within a group. */
const uniqueName = (title, names) => {
    let name = title;
    for (let count = 2; names.has(name); count++)
        name = `${title} ${count}`;
    names.add(name);
    return name;
};
/** Replaces the captions of a DASH manifest. */
export const addToManifest = (manifest, renditions) => manifest
    .split("\n")
    .filter((line) => !line.startsWith('<AdaptationSet id="captions-'))
    .flatMap((line) => (line === "</Period>" ? [...renditions.map(adaptationSet), line] : [line]))
    .join("\n");
const roles = {
    captions: "caption",
    subtitles: "subtitle",
    forced: "forced-subtitle",
};
const adaptationSet = ({ folder, kind, language, title }) => {
    const id = folder.replaceAll("/", "-");
    const lang = language === undefined ? "" : ` lang="${language}"`;
    return `<AdaptationSet id="${id}" contentType="text" mimeType="text/vtt"${lang}><Role schemeIdUri="urn:mpeg:dash:role:2011" value="${roles[kind]}"/><Label>${escapeXml(title)}</Label><Representation id="${id}" bandwidth="1000"><BaseURL>${folder}/${fileName}</BaseURL></Representation></AdaptationSet>`;
};
const escapeXml = (text) => text
    .replaceAll(/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
const nameOf = (language) => new Intl.DisplayNames([language, "en"], { type: "language", fallback: "code" }).of(language) ?? language;
/** The language in itself, with the kind where it matters. */
export const titleOf = (language, kind) => {
    const name = language === undefined ? "Subtitles" : nameOf(language);
    return kind === "captions" ? `${name} (CC)` : kind === "forced" ? `${name} (forced)` : name;
};
