import { EncodingPlan, trackFolders } from "@armoricore/media/encode/EncodingPlan";
import { args } from "@armoricore/media/encode/FfmpegCommand";
import { planRenditions } from "@armoricore/media/encode/Ladder";
import { assert, describe, it } from "@effect/vitest";
const video = {
    index: 1,
    codec: "h264",
    width: 1280,
    height: 720,
    rotation: 0,
    frameRate: { num: 25, den: 1 },
    bitrate: undefined,
    interlaced: false,
    matrix: "bt709",
    hdr: undefined,
    still: undefined,
};
const audio = {
    index: 0,
    codec: "aac",
    channels: 6,
    hasLayout: true,
    language: undefined,
    title: undefined,
    isDefault: true,
};
const plan = (changes = {}, of = {}) => new EncodingPlan({
    info: { duration: 60, format: "mp4", video: { ...video, ...of }, audioTracks: [audio] },
    renditions: planRenditions(video),
    frameRate: { num: 25, den: 1 },
    thumbnails: 5,
    toneMapping: true,
    ...changes,
});
const after = (option, list) => list[list.indexOf(option) + 1] ?? "";
describe("FfmpegCommand", () => {
    it("decodes the source once and scales each rendition from the next larger one", () => {
        const list = args(plan(), "source");
        assert.strictEqual(list.filter((option) => option === "-i").length, 1);
        const graph = after("-filter_complex", list);
        assert.match(graph, /^\[0:1\]fps=fps=25\/1:start_time=0,scale=1280:720[^;]*split=3\[v0\]\[c1\]\[posters\];\[c1\]scale=852:480/);
        assert.strictEqual(after("-g", list), "50");
        assert.strictEqual(after("-var_stream_map", list), "v:0,agroup:audio,name:720p v:1,agroup:audio,name:480p v:2,agroup:audio,name:360p a:0,agroup:audio,name:audio");
    });
    it("reads a track that begins late by an input of its own", () => {
        // regression: ffmpeg wrote nothing before the track began, and ended with "Too many packets buffered"
        const info = { ...plan().info, audioTracks: [audio, { ...audio, index: 2, lateStart: 125.4 }] };
        const list = args(plan({ info }), "source");
        assert.strictEqual(list.filter((option) => option === "-i").length, 2);
        assert.strictEqual(after("-ss", list), "123");
        assert.match(list.join(" "), /-map 0:0 .*-map 1:2 .*-filter:a:1 asetpts=PTS\+123\.000000\/TB,/);
    });
    it("restricts the protocols, formats and duration of the input", () => {
        const list = args(plan(), "source");
        for (const option of ["-protocol_whitelist", "-format_whitelist", "-t"]) {
            assert.isBelow(list.indexOf(option), list.indexOf("-i"));
            assert.isAtLeast(list.indexOf(option), 0);
        }
        assert.strictEqual(after("-i", list), "file:source");
        assert.strictEqual(after("-t", list), "65");
    });
    it("has an audio group only if the source has audio", () => {
        const silent = plan({ info: { ...plan().info, audioTracks: [] } });
        assert.notInclude(args(silent, "source").join(" "), "audio");
        assert.deepStrictEqual(trackFolders(silent), ["720p", "480p", "360p"]);
        assert.deepStrictEqual(trackFolders(plan()), ["720p", "480p", "360p", "audio"]);
    });
    it("has no video options for an audio recording", () => {
        const recording = plan({ info: { ...plan().info, video: undefined }, renditions: [], thumbnails: 0 });
        const list = args(recording, "source");
        assert.notInclude(list, "-filter_complex");
        assert.notInclude(list, "libx264");
        assert.strictEqual(after("-var_stream_map", list), "a:0,agroup:audio,name:audio");
    });
    it("deinterlaces and maps HDR only if the source needs it", () => {
        const graph = (of, changes = {}) => after("-filter_complex", args(plan(changes, of), "source"));
        assert.notMatch(graph({}), /bwdif|tonemap/);
        assert.match(graph({ interlaced: true }), /bwdif/);
        assert.match(graph({ hdr: "smpte2084" }), /tonemap/);
        assert.notMatch(graph({ hdr: "smpte2084" }, { toneMapping: false }), /tonemap/);
    });
    it("thumbnails of a recording of one frame include that frame", () => {
        // regression: newer versions of ffmpeg fail on an output without frames
        const info = { ...plan().info, duration: 0.04 };
        assert.include(after("-filter_complex", args(plan({ info }), "source")), "eq(N\\,0)+");
    });
});
