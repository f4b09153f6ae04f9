import * as MasterPlaylist from "@armoricore/media/packaging/MasterPlaylist";
import * as MediaPlaylist from "@armoricore/media/packaging/MediaPlaylist";
import { assert, describe, it } from "@effect/vitest";
import * as DashManifest from "@armoricore/media/packaging/DashManifest";
import * as Storyboard from "@armoricore/media/packaging/Storyboard";
import * as HLS from "hls-parser";
import { parse, childrenNamed } from "../support/Xml.ts";
const segment = (name, seconds, bytes) => ({ name, seconds, bytes });
const videoSegments = [segment("0.m4s", 4, 500_000), segment("1.m4s", 4, 1_000_000), segment("2.m4s", 0.1, 100_000)];
const audioSegments = [segment("0.m4s", 4, 64_000), segment("1.m4s", 4.1, 64_000)];
const rendition = (name, height, codec = "avc1.64001F") => ({
    name,
    width: (height * 16) / 9,
    height,
    frameRate: { num: 30_000, den: 1001 },
    codec,
    timescale: 90_000,
    segments: videoSegments,
});
const track = (name, changes = {}) => ({
    name,
    codec: "mp4a.40.2",
    timescale: 48_000,
    segments: audioSegments,
    title: name,
    ...changes,
});
describe("MediaPlaylist", () => {
    it("a player's parser reads the playlist", () => {
        const parsed = HLS.parse(MediaPlaylist.render("init.mp4", videoSegments));
        assert.isTrue(parsed instanceof HLS.types.MediaPlaylist && parsed.endlist && parsed.segments.length === 3);
        assert.deepStrictEqual(MediaPlaylist.parse(MediaPlaylist.render("init.mp4", videoSegments)), {
            init: "init.mp4",
            segments: ["0.m4s", "1.m4s", "2.m4s"],
        });
    });
    it("the peak rate is that of the worst run, and a tiny last segment counts with the one before it", () => {
        assert.closeTo(MediaPlaylist.peakRate(videoSegments), (1_100_000 * 8) / 4.1, 1);
        assert.closeTo(MediaPlaylist.peakRate([segment("0.m4s", 0.2, 1000)]), 40_000, 1);
        assert.strictEqual(MediaPlaylist.peakRate([]), 0);
        assert.closeTo(MediaPlaylist.averageRate(videoSegments), (1_600_000 * 8) / 8.1, 1);
    });
});
describe("MasterPlaylist", () => {
    it("lists every rendition with its codecs, bandwidth, frame rate and audio", () => {
        const text = MasterPlaylist.render([rendition("720p", 720), rendition("360p", 360)], [track("audio")]);
        const parsed = HLS.parse(text);
        assert.isTrue(parsed instanceof HLS.types.MasterPlaylist);
        if (!(parsed instanceof HLS.types.MasterPlaylist))
            return;
        const [first] = parsed.variants;
        assert.strictEqual(first?.codecs, "avc1.64001F,mp4a.40.2");
        assert.strictEqual(first?.bandwidth, MasterPlaylist.bandwidth(rendition("720p", 720), [track("audio")]));
        assert.closeTo(first?.frameRate ?? 0, 29.97, 0.001);
        assert.strictEqual(first?.audio[0]?.uri, "audio/stream.m3u8");
        assert.match(text, /VIDEO-RANGE=SDR/);
    });
    it("has no audio group without audio, and one variant for an audio recording", () => {
        assert.notInclude(MasterPlaylist.render([rendition("360p", 360)], []), "AUDIO");
        const audioOnly = MasterPlaylist.render([], [track("audio")]);
        assert.notInclude(audioOnly, "RESOLUTION");
        assert.match(audioOnly, /CODECS="mp4a.40.2"\naudio\/stream.m3u8/);
    });
});
describe("DashManifest", () => {
    it("merges runs of equal durations and escapes titles", () => {
        const text = DashManifest.render({
            renditions: [rendition("720p", 720)],
            audioTracks: [track("audio", { title: '</Label><a b="&">', language: "br" })],
            seconds: 8.1,
        });
        const period = childrenNamed(parse(text), "Period")[0];
        const [video, audio] = childrenNamed(period, "AdaptationSet");
        assert.strictEqual(childrenNamed(audio, "Label")[0]?.text, '</Label><a b="&">');
        assert.strictEqual(audio?.attributes["lang"], "br");
        const [template] = childrenNamed(childrenNamed(video, "Representation")[0], "SegmentTemplate");
        const runs = childrenNamed(childrenNamed(template, "SegmentTimeline")[0], "S").map(({ attributes }) => attributes);
        assert.deepStrictEqual(runs, [{ t: "0", d: "360000", r: "1" }, { d: "9000" }]);
    });
    it("has an adaptation set for each video codec", () => {
        const text = DashManifest.render({
            renditions: [
                rendition("720p", 720),
                rendition("720p-av1", 720, "av01.0.05M.08"),
                rendition("360p", 360),
                rendition("360p-av1", 360, "av01.0.01M.08"),
            ],
            audioTracks: [track("audio")],
            seconds: 8.1,
        });
        const sets = childrenNamed(childrenNamed(parse(text), "Period")[0], "AdaptationSet");
        assert.deepStrictEqual(sets.map((set) => [
            set.attributes["id"],
            ...childrenNamed(set, "Representation").map(({ attributes }) => attributes["id"]),
        ]), [
            ["0", "720p", "360p"],
            ["201", "720p-av1", "360p-av1"],
            ["1", "audio"],
        ]);
    });
});
describe("Storyboard", () => {
    const size = { width: 640, height: 360 };
    it("has about a hundred tiles, at least a second apart", () => {
        for (const [seconds, interval] of [
            [0.04, 1],
            [12, 1],
            [180, 2],
            [3600, 10],
            [43_200, 10],
        ]) {
            assert.strictEqual(Storyboard.plan(size, seconds).interval, interval);
        }
    });
    it("every cue has its tile, continued on the next sprite", () => {
        const board = Storyboard.plan(size, 1200);
        const cues = Storyboard.render(board, 1199.9, 1200).split("\n\n").slice(1);
        assert.strictEqual(cues.length, 120);
        assert.include(cues[0], "00:00:00.000 --> 00:00:10.000\nstoryboard/000.jpg#xywh=0,0,160,90");
        assert.include(cues[99], "storyboard/000.jpg#xywh=1440,810,160,90");
        assert.include(cues[100], "00:16:40.000 --> 00:16:50.000\nstoryboard/001.jpg#xywh=0,0,160,90");
        assert.strictEqual(Storyboard.spriteCount(board, 1199.9), 2);
    });
    it("the tiles of portrait videos are upright and those of extreme ratios visible", () => {
        assert.deepInclude(Storyboard.plan({ ...size, width: 360, height: 640 }, 9), { width: 90, height: 160 });
        assert.deepInclude(Storyboard.plan({ ...size, width: 4000, height: 16 }, 9), { width: 160, height: 2 });
    });
});
