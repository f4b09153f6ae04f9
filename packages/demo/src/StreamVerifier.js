/**
 * Verifies that a published stream can be played: fetches the master playlist, every media playlist, the first and the
 * last segment of each, and the thumbnails.
 */
import { Effect } from "effect";
import { DemoFailed } from "./DemoFailed.ts";
const fail = (message) => Effect.fail(new DemoFailed({ message }));
const fetchBytes = Effect.fnUntraced(function* (url) {
    const response = yield* Effect.tryPromise({
        try: (signal) => fetch(url, { signal }),
        catch: (cause) => new DemoFailed({ message: `cannot fetch ${url}: ${String(cause)}` }),
    });
    const body = new Uint8Array(yield* Effect.promise(() => response.arrayBuffer()));
    if (!response.ok)
        return yield* fail(`${url} answered ${response.status}`);
    if (body.byteLength === 0)
        return yield* fail(`${url} is empty`);
    return body;
});
const fetchPlaylist = Effect.fnUntraced(function* (url) {
    const text = new TextDecoder().decode(yield* fetchBytes(url));
    const lines = text.split(/\r?\n/).filter((line) => line !== "");
    if (lines[0] !== "#EXTM3U")
        return yield* fail(`${url} is not an HLS playlist`);
    return lines;
});
const attribute = (line, name) => new RegExp(`[:,]${name}=(?:"([^"]*)"|([^,]*))`)
    .exec(line)
    ?.slice(1)
    .find((value) => value !== undefined);
const verifyMediaPlaylist = Effect.fnUntraced(function* (url) {
    const lines = yield* fetchPlaylist(url);
    if (!lines.includes("#EXT-X-ENDLIST"))
        return yield* fail(`${url} has no #EXT-X-ENDLIST`);
    const segments = lines.filter((line) => !line.startsWith("#"));
    const durations = lines.filter((line) => line.startsWith("#EXTINF:")).map((line) => Number.parseFloat(line.slice(8)));
    const seconds = durations.reduce((sum, duration) => sum + duration, 0);
    if (segments.length === 0 || durations.length !== segments.length || !(seconds > 0)) {
        return yield* fail(`${url} lists no segments with durations`);
    }
    const init = lines.find((line) => line.startsWith("#EXT-X-MAP:"));
    const samples = [init === undefined ? undefined : attribute(init, "URI"), segments[0], segments.at(-1)];
    yield* Effect.forEach(samples.filter((uri) => uri !== undefined), (uri) => fetchBytes(new URL(uri, url).href));
    return { segments: segments.length, seconds };
});
const isImage = (bytes) => (bytes[0] === 0xff && bytes[1] === 0xd8) ||
    (bytes[0] === 0x89 && bytes[1] === 0x50) ||
    (bytes[0] === 0x52 && bytes[8] === 0x57);
export const verifyStream = Effect.fn("StreamVerifier.verifyStream")(function* (ready) {
    const master = ready.playback_urls.hls;
    const lines = yield* fetchPlaylist(master);
    const variants = lines.filter((line, index) => lines[index - 1]?.startsWith("#EXT-X-STREAM-INF:") === true && !line.startsWith("#"));
    const audio = lines.filter((line) => line.startsWith("#EXT-X-MEDIA:")).flatMap((line) => attribute(line, "URI") ?? []);
    if (variants.length === 0)
        return yield* fail(`${master} lists no variant streams`);
    // An audio-only variant has no RESOLUTION attribute.
    const videoStreams = lines.filter((line) => line.startsWith("#EXT-X-STREAM-INF:") && line.includes("RESOLUTION="));
    if (videoStreams.length !== ready.resolutions.length) {
        return yield* fail(`${master} lists ${videoStreams.length} video variants, but media.ready has ${ready.resolutions.length}`);
    }
    const playlists = yield* Effect.forEach([...new Set([...variants, ...audio])], (uri) => verifyMediaPlaylist(new URL(uri, master).href));
    const mismatch = playlists.find(({ seconds }) => Math.abs(seconds - ready.duration) > 1);
    if (mismatch !== undefined) {
        return yield* fail(`a playlist lasts ${mismatch.seconds.toFixed(1)} s, but media.ready has ${ready.duration} s`);
    }
    for (const url of ready.thumbnail_urls) {
        if (!isImage(yield* fetchBytes(url)))
            return yield* fail(`${url} is not a JPEG, PNG or WebP image`);
    }
    if (ready.resolutions.length > 0 && ready.thumbnail_urls.length === 0)
        return yield* fail("media.ready has no thumbnails");
    return {
        renditions: Math.max(1, videoStreams.length),
        segments: playlists.reduce((sum, { segments }) => sum + segments, 0),
        thumbnails: ready.thumbnail_urls.length,
    };
});
