/**
 * The HLS master playlist: every rendition with its measured bit rates and its codecs. The one that ffmpeg writes lacks
 * AVERAGE-BANDWIDTH, FRAME-RATE, VIDEO-RANGE and INDEPENDENT-SEGMENTS, and its nominal BANDWIDTH is too low.
 */
import { playlistName } from "../encode/FfmpegCommand.ts";
import { averageRate, startTag, keyFrames, peakRate } from "./MediaPlaylist.ts";
const presentationStartId = "armoricore.presentation-start";
/** The declared one, in seconds. */
export const presentationStart = (master) => {
    const declared = new RegExp(`DATA-ID="${presentationStartId}",VALUE="([0-9.]+)"`).exec(master)?.[1];
    return declared === undefined ? undefined : Number(declared);
};
export const iFramePlaylistName = "iframes.m3u8";
/** The renditions must be ordered largest first. Without renditions the audio is the only variant. The first audio track is the default. */
export const render = (renditions, audioTracks, options = { audioOnly: true }) => {
    const { declaredBandwidth } = options;
    const lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"];
    if (declaredBandwidth !== undefined)
        lines.push(startTag);
    if (options.chapters !== undefined)
        lines.push(`#EXT-X-SESSION-DATA:DATA-ID="com.apple.hls.chapters",URI="${options.chapters}"`);
    if (options.presentationStart !== undefined)
        lines.push(`#EXT-X-SESSION-DATA:DATA-ID="${presentationStartId}",VALUE="${options.presentationStart.toFixed(6)}"`);
    const [main] = audioTracks;
    const hasGroup = renditions.length > 0 || audioTracks.length > 1;
    if (hasGroup)
        lines.push(...audioTracks.map(mediaTag));
    const group = main === undefined || !hasGroup ? [] : ['AUDIO="audio"'];
    const scores = scoresOf(renditions);
    for (const rendition of renditions) {
        lines.push(`#EXT-X-STREAM-INF:${[
            bandwidthAttributes([rendition, ...highestBitrate(audioTracks)], declaredBandwidth),
            `CODECS="${[rendition.codec, ...(main === undefined ? [] : [main.codec])].join(",")}"`,
            ...videoAttributes(rendition),
            ...scoreAttribute(scores?.get(rendition)),
            ...group,
        ].join(",")}`, `${rendition.name}/${playlistName}`);
    }
    if (main !== undefined && (renditions.length === 0 || options.audioOnly)) {
        const attributes = [
            bandwidthAttributes(highestBitrate(audioTracks), declaredBandwidth),
            `CODECS="${main.codec}"`,
            ...scoreAttribute(scores === undefined ? undefined : 0.5),
            ...group,
        ];
        lines.push(`#EXT-X-STREAM-INF:${attributes.join(",")}`, `${main.name}/${playlistName}`);
    }
    for (const rendition of declaredBandwidth === undefined ? renditions : []) {
        lines.push(`#EXT-X-I-FRAME-STREAM-INF:${[
            bandwidthAttributes([{ ...rendition, segments: keyFrames(rendition.segments) }]),
            `CODECS="${rendition.codec}"`,
            `RESOLUTION=${rendition.width}x${rendition.height}`,
            ...scoreAttribute(scores?.get(rendition)),
            "VIDEO-RANGE=SDR",
            `URI="${rendition.name}/${iFramePlaylistName}"`,
        ].join(",")}`);
    }
    return `${lines.join("\n")}\n`;
};
/**
 * With several codecs, players that know SCORE take the largest size, and in it the codec with the fewest bits, which comes
 * last. Undefined with one codec: the bandwidth decides.
 */
const scoresOf = (renditions) => {
    const families = [...new Set(renditions.map(({ codec }) => codecFamily(codec)))];
    if (families.length < 2)
        return undefined;
    const sizes = [...new Set(renditions.map(({ height, width }) => width * height))].sort((a, b) => a - b);
    return new Map(renditions.map((rendition) => {
        const size = sizes.indexOf(rendition.width * rendition.height) + 1;
        return [rendition, size + families.indexOf(codecFamily(rendition.codec)) / 10];
    }));
};
const scoreAttribute = (score) => score === undefined ? [] : [`SCORE=${score.toFixed(1)}`];
/** `avc1` of `avc1.64001F`. */
export const codecFamily = (codec) => codec.split(".", 1)[0] ?? codec;
/** The peak bits per second of a variant, including its audio. */
export const bandwidth = (rendition, audioTracks) => totalBandwidth([rendition, ...highestBitrate(audioTracks)], peakRate);
const mediaTag = (track, index) => `#EXT-X-MEDIA:${[
    "TYPE=AUDIO",
    'GROUP-ID="audio"',
    `NAME="${quotedString(track.title)}"`,
    ...(track.language === undefined ? [] : [`LANGUAGE="${track.language}"`]),
    `DEFAULT=${index === 0 ? "YES" : "NO"}`,
    // Commentary is chosen by hand only.
    `AUTOSELECT=${track.purpose === "commentary" ? "NO" : "YES"}`,
    ...(track.purpose === "description" ? ['CHARACTERISTICS="public.accessibility.describes-video"'] : []),
    `CHANNELS="${track.channels ?? 2}"`,
    `URI="${track.name}/${playlistName}"`,
].join(",")}`;
const videoAttributes = (rendition) => [
    `RESOLUTION=${rendition.width}x${rendition.height}`,
    `FRAME-RATE=${(rendition.frameRate.num / rendition.frameRate.den).toFixed(3)}`,
    "VIDEO-RANGE=SDR",
    // Without it, some players offer a caption track that does not exist.
    "CLOSED-CAPTIONS=NONE",
];
/** Quoted strings in playlists have no escapes, so characters that cannot be in one are replaced. */
const quotedString = (text) => text.replaceAll('"', "”").replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ");
/** The bandwidth of a variant includes the audio track of the group with the highest rate. */
const highestBitrate = (audioTracks) => [...audioTracks].sort((a, b) => peakRate(b.segments) - peakRate(a.segments)).slice(0, 1);
const totalBandwidth = (tracks, rate, declaredBandwidth = () => 0) => Math.ceil(tracks.reduce((total, { name, segments }) => total + Math.max(rate(segments), declaredBandwidth(name)), 0));
const bandwidthAttributes = (tracks, declaredBandwidth) => `BANDWIDTH=${totalBandwidth(tracks, peakRate, declaredBandwidth)},AVERAGE-BANDWIDTH=${totalBandwidth(tracks, averageRate, declaredBandwidth)}`;
