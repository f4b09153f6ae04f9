/** A caption track as a playlist of WebVTT segments, and as one file for DASH. */
import * as TimedText from "@armoricore/domain/TimedText";
export const playlistName = "stream.m3u8";
export const fileName = "captions.vtt";
/** Players load captions of a minute at once. */
const segmentSeconds = 60;
const vttType = "text/vtt; charset=utf-8";
/**
 * Every object of a track. A cue that spans two segments is in both. `startSeconds` is the presentation time of the stream's
 * first frame, from which the cues count. The playlist comes last.
 */
export const files = (cues, seconds, startSeconds) => {
    const header = `X-TIMESTAMP-MAP=MPEGTS:${Math.round(startSeconds * 90_000)},LOCAL:00:00:00.000\n`;
    const segments = Array.from({ length: Math.max(1, Math.ceil(seconds / segmentSeconds - 1e-3)) }, (_, index) => {
        const from = index * segmentSeconds;
        const to = Math.min(seconds, from + segmentSeconds);
        const inside = cues.filter(({ end, start }) => end > from && start < to);
        return { name: `${String(index).padStart(5, "0")}.vtt`, seconds: to - from, text: TimedText.render(inside, header) };
    });
    return [
        { name: fileName, text: TimedText.render(cues, header), contentType: vttType },
        ...segments.map(({ name, text }) => ({ name, text, contentType: vttType })),
        { name: playlistName, text: playlist(segments), contentType: "application/vnd.apple.mpegurl" },
    ];
};
const playlist = (segments) => [
    "#EXTM3U",
    "#EXT-X-VERSION:7",
    `#EXT-X-TARGETDURATION:${Math.max(1, ...segments.map(({ seconds }) => Math.ceil(seconds)))}`,
    "#EXT-X-MEDIA-SEQUENCE:0",
    "#EXT-X-PLAYLIST-TYPE:VOD",
    ...segments.flatMap(({ name, seconds }) => [`#EXTINF:${seconds.toFixed(6)},`, name]),
    "#EXT-X-ENDLIST",
    "",
].join("\n");
