/** Captions in the manifests of a published stream, with versions and transcripts in any order. */
import { attach } from "@armoricore/media/captions/Captions";
import { presentationStart } from "@armoricore/media/captions/PresentationStart";
import * as Collection from "@armoricore/state/Collection";
import { mediaStates } from "@armoricore/state/MediaStates";
import { transcriptStates } from "@armoricore/state/TranscriptStates";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import * as Testing from "@armoricore/testing/Testing";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Stream } from "effect";
import * as HLS from "hls-parser";
const master = `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/stream.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=200000,AVERAGE-BANDWIDTH=150000,CODECS="avc1.64001F,mp4a.40.2",AUDIO="audio"
720p/stream.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=100000,AVERAGE-BANDWIDTH=90000,CODECS="avc1.64001F,mp4a.40.2",AUDIO="audio"
360p/stream.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9000,CODECS="avc1.64001F",URI="720p/iframes.m3u8"
`;
const manifest = '<?xml version="1.0" encoding="UTF-8"?>\n<MPD>\n<Period id="0">\n</Period>\n</MPD>\n';
const playlist = '#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:4,\n00000.m4s\n#EXT-X-ENDLIST\n';
const box = (type, ...parts) => {
    const body = Buffer.concat(parts);
    const head = Buffer.alloc(8);
    head.writeUInt32BE(body.byteLength + 8);
    head.write(type, 4, "latin1");
    return Buffer.concat([head, body]);
};
const words = (...values) => {
    const bytes = Buffer.alloc(values.length * 4);
    values.forEach((value, index) => bytes.writeUInt32BE(value, index * 4));
    return bytes;
};
/** 15360 ticks per second; decode time 7680 and a composition offset of 1024. */
const init = box("moov", box("trak", box("mdia", box("mdhd", words(0, 0, 0, 15_360, 0)))));
const segment = box("moof", box("traf", box("tfdt", words(0, 7_680)), box("trun", words(0x801, 1, 0, 1_024))));
const put = Effect.fnUntraced(function* (key, content) {
    const body = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const options = { contentType: "application/vnd.apple.mpegurl", cacheControl: "public, max-age=60" };
    yield* (yield* ObjectStorage).put({ bucket: "media", key }, body, options);
});
const read = Effect.fnUntraced(function* (key) {
    const { body } = yield* (yield* ObjectStorage).get({ bucket: "media", key });
    return yield* Stream.mkString(Stream.decodeText(body));
});
const at = "2026-01-31T12:00:00Z";
const ready = {
    media_id: "m1",
    user_id: "u1",
    playback_urls: { hls: "x", mp4: {} },
    thumbnail_urls: [],
    duration: 12.5,
    resolutions: ["720p"],
    metadata: {},
};
const version = (prefix) => ({
    media_id: "m1",
    user_id: "u1",
    status: "ready",
    stage: "publishing",
    percent: 100,
    source_event_id: "3f0c2d6e-6b0f-4d27-9d0c-1a2b3c4d5e6f",
    generations: {},
    attempts: [],
    version: { prefix, generation: 1, token: 1 },
    renditions: [],
    timings: {},
    ready,
    updated_at: at,
});
const transcripts = (languages) => ({
    media_id: "m1",
    user_id: "u1",
    status: "complete",
    percent: 100,
    source_event_id: "3f0c2d6e-6b0f-4d27-9d0c-1a2b3c4d5e6f",
    requested_at: at,
    languages: Object.fromEntries(Object.entries(languages).map(([language, { quality = "standard", words = 3 }]) => [
        language,
        {
            transcription_id: `${language}345678-rest`,
            transcript_file_path: `s3://media/transcripts/${language}/transcript.json`,
            caption_urls: { vtt: "", srt: "" },
            quality,
            engine: "openai",
            word_count: words,
            requested_at: at,
            completed_at: at,
        },
    ])),
    updated_at: at,
});
const publish = Effect.fnUntraced(function* (prefix) {
    yield* put(`${prefix}master.m3u8`, master);
    yield* put(`${prefix}manifest.mpd`, manifest);
    yield* put(`${prefix}720p/stream.m3u8`, playlist);
    yield* put(`${prefix}720p/init.mp4`, init);
    yield* put(`${prefix}720p/00000.m4s`, segment);
    yield* (yield* Collection.make(mediaStates)).put("m1", version(prefix));
});
const setTranscripts = Effect.fnUntraced(function* (languages) {
    for (const language of Object.keys(languages)) {
        yield* put(`transcripts/${language}/captions.vtt`, `WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n${language}\n`);
    }
    yield* (yield* Collection.make(transcriptStates)).put("m1", transcripts(languages));
});
/** The languages of the subtitle group, which every variant must name. */
const captionLanguages = Effect.fnUntraced(function* (prefix) {
    const parsed = HLS.parse(yield* read(`${prefix}master.m3u8`));
    if (!(parsed instanceof HLS.types.MasterPlaylist))
        return yield* Effect.die("not a master playlist");
    const variants = parsed.variants.filter(({ isIFrameOnly }) => !isIFrameOnly);
    const languages = variants.map(({ subtitles }) => subtitles.map(({ language }) => language).join());
    assert.strictEqual(new Set(languages).size, 1);
    return languages[0];
});
describe("Captions", () => {
    it.effect("both manifests list the captions of every language with words, aligned with the first frame", () => Effect.gen(function* () {
        yield* (yield* ObjectStorage).setup("media");
        yield* publish("media/m1/v1/");
        yield* setTranscripts({ en: {}, fr: { quality: "draft" }, de: { words: 0 } });
        yield* attach("media", "m1");
        assert.strictEqual(yield* captionLanguages("media/m1/v1/"), "en,fr");
        const text = yield* read("media/m1/v1/master.m3u8");
        assert.include(text, 'NAME="English",LANGUAGE="en",AUTOSELECT=YES');
        assert.include(text, 'NAME="français (draft)",LANGUAGE="fr",AUTOSELECT=NO');
        assert.notMatch(text, /I-FRAME-STREAM-INF.*SUBTITLES/);
        // (7680 + 1024) / 15360 s
        assert.strictEqual(yield* read("media/m1/v1/captions/en-en345678/captions.vtt"), "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:51000,LOCAL:00:00:00.000\n\n00:00:01.000 --> 00:00:02.000\nen\n");
        const list = HLS.parse(yield* read("media/m1/v1/captions/en-en345678/stream.m3u8"));
        assert(list instanceof HLS.types.MediaPlaylist);
        assert.strictEqual(list.segments[0]?.duration, 12.5);
        const dash = yield* read("media/m1/v1/manifest.mpd");
        assert.include(dash, "<BaseURL>captions/en-en345678/captions.vtt</BaseURL>");
        yield* attach("media", "m1");
        assert.strictEqual(yield* read("media/m1/v1/master.m3u8"), text);
        assert.strictEqual(yield* read("media/m1/v1/manifest.mpd"), dash);
    }).pipe(Effect.provide(Testing.layer)));
    it.effect("a new version gets the captions, and their languages are those of the current transcripts", () => Effect.gen(function* () {
        yield* (yield* ObjectStorage).setup("media");
        yield* setTranscripts({ en: {} });
        yield* attach("media", "m1");
        yield* publish("media/m1/v1/");
        yield* attach("media", "m1");
        yield* publish("media/m1/v2/");
        yield* attach("media", "m1");
        assert.strictEqual(yield* captionLanguages("media/m1/v2/"), "en");
        yield* setTranscripts({ en: {}, es: {} });
        yield* Effect.all([attach("media", "m1"), attach("media", "m1")], { concurrency: 2 });
        assert.strictEqual(yield* captionLanguages("media/m1/v2/"), "en,es");
        yield* setTranscripts({ en: { words: 0 } });
        yield* attach("media", "m1");
        assert.strictEqual(yield* read("media/m1/v2/master.m3u8"), master);
        assert.strictEqual(yield* read("media/m1/v2/manifest.mpd"), manifest);
    }).pipe(Effect.provide(Testing.layer)));
    it("the presentation start includes the composition offset and the edit list", () => {
        assert.strictEqual(presentationStart(init, segment), 8_704 / 15_360);
        const edited = Buffer.concat([init, box("elst", words(0, 1, 0, 1_024, 65_536))]);
        assert.strictEqual(presentationStart(edited, segment), 0.5);
        assert.isUndefined(presentationStart(init, new Uint8Array(100)));
    });
    it.effect("an uploaded file replaces the transcript of its language, and names are unique", () => Effect.gen(function* () {
        yield* (yield* ObjectStorage).setup("media");
        const embedded = master.replace("#EXT-X-STREAM-INF", '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="English",LANGUAGE="en",URI="subtitles/0/stream.m3u8"\n#EXT-X-STREAM-INF');
        yield* publish("media/m1/v1/");
        yield* put("media/m1/v1/master.m3u8", embedded);
        yield* setTranscripts({ en: {}, de: {} });
        yield* put("captions/m1/de-captions-1.vtt", "WEBVTT\n\n00:00:01.000 --> 00:01:05.000\nDeutsch\n");
        const states = yield* Collection.make(mediaStates);
        const state = {
            ...version("media/m1/v1/"),
            ready: { ...ready, duration: 70 },
            captions: {
                "de.captions": {
                    language: "de",
                    kind: "captions",
                    title: 'Eigene "UT"',
                    key: "captions/m1/de-captions-1.vtt",
                    cues: 1,
                    uploaded_at: at,
                },
            },
        };
        yield* states.put("m1", state);
        yield* attach("media", "m1");
        const lines = (yield* read("media/m1/v1/master.m3u8"))
            .split("\n")
            .filter((line) => line.includes("TYPE=SUBTITLES"));
        assert.deepStrictEqual(lines.map((line) => /NAME="([^"]*)"/.exec(line)?.[1]), ["English", "Eigene 'UT'", "English 2"]);
        // Two segments of a minute at most; the cue is in both.
        const list = HLS.parse(yield* read("media/m1/v1/captions/de-captions-1/stream.m3u8"));
        assert(list instanceof HLS.types.MediaPlaylist);
        assert.deepStrictEqual(list.segments.map(({ duration, uri }) => [uri, duration]), [
            ["00000.vtt", 60],
            ["00001.vtt", 10],
        ]);
        for (const { uri } of list.segments)
            assert.include(yield* read(`media/m1/v1/captions/de-captions-1/${uri}`), "Deutsch");
        const { captions: _, ...without } = state;
        yield* states.put("m1", without);
        yield* attach("media", "m1");
        assert.include(yield* read("media/m1/v1/master.m3u8"), 'LANGUAGE="de"');
        assert.notInclude(yield* read("media/m1/v1/master.m3u8"), "Eigene");
        assert.include(yield* read("media/m1/v1/master.m3u8"), "subtitles/0/");
    }).pipe(Effect.provide(Testing.layer)));
});
