import { EncodingPlan } from "@armoricore/media/encode/EncodingPlan";
import * as TrackAlignment from "@armoricore/media/encode/TrackAlignment";
import * as StreamTimes from "@armoricore/media/packaging/StreamTimes";
import { assert, describe, it } from "@effect/vitest";
const video = {
    index: 0,
    codec: "h264",
    width: 64,
    height: 48,
    rotation: 0,
    frameRate: { num: 25, den: 1 },
    start: 0,
    end: 10,
    bitrate: undefined,
    interlaced: false,
    matrix: "bt709",
    hdr: undefined,
    still: undefined,
};
const plan = (of = {}, frameRate = { num: 25, den: 1 }, duration = 10) => new EncodingPlan({
    info: { duration, format: "mp4", video: { ...video, ...of }, audioTracks: [] },
    renditions: [{ name: "48p", codec: "h264", width: 64, height: 48, kilobits: 100 }],
    frameRate,
    thumbnails: 0,
    toneMapping: false,
});
const track = { codec: "avc1.64001F", timescale: 90_000, sampleDuration: 0 };
const fault = (of, segments) => StreamTimes.findFault(of, [
    {
        folder: "48p",
        track,
        init: "init.mp4",
        segments: segments.map(([start, seconds], at) => ({ name: `${at}.m4s`, seconds, start, bytes: 1 })),
    },
]);
describe("StreamTimes", () => {
    it("a stream of the source's length with continuous decode times has no fault", () => {
        assert.isUndefined(fault(plan(), [
            [0, 4],
            [4, 4],
            [8, 2],
        ]));
        assert.isUndefined(fault(plan(), [
            [0.08, 4],
            [4.08, 4],
            [8.08, 1.6],
        ]));
    });
    it("a shorter, longer, interrupted or wrapped stream has one", () => {
        assert.match(fault(plan(), [
            [0, 4],
            [4, 4],
        ])?.detail ?? "", /8\.0 of 10\.0/);
        assert.match(fault(plan(), [
            [0, 8],
            [8, 4],
        ])?.detail ?? "", /12\.0 of 10\.0/);
        assert.match(fault(plan(), [
            [0, 4],
            [4.1, 4],
            [8.1, 2],
        ])?.detail ?? "", /begins at 4\.100/);
        assert.match(fault(plan(), [[2 ** 64 / 48_000, 10]])?.detail ?? "", /begins at/);
    });
    it("a rendition lacks no frame of the source", () => {
        const frames = (of, count) => StreamTimes.findFault(of, [
            {
                folder: "48p",
                track,
                init: "init.mp4",
                segments: [{ name: "0", seconds: 10, start: 0, bytes: 1, frames: count }],
            },
        ]);
        assert.isUndefined(frames(plan(), 250));
        assert.deepStrictEqual(frames(plan(), 160), { detail: "48p has 160 of 250 frames", isMisaligned: false });
        // Pauses of a recording are filled up to the chosen rate.
        assert.isUndefined(frames(plan({ packets: 90 }), 250));
        const copied = plan({ packets: 248 }).with({ passthrough: { video: { keyFrames: "grid" }, audioTracks: [] } });
        assert.isUndefined(frames(copied, 248));
        assert.deepStrictEqual(frames(copied, 245), { detail: "48p has 245 of 248 frames", isMisaligned: true });
    });
    it("a fault of a stream with a copied track is repaired by another attempt", () => {
        const copied = plan().with({ passthrough: { audioTracks: [0] } });
        assert.isTrue(fault(copied, [[0, 4]])?.isMisaligned);
        assert.isFalse(fault(plan(), [[0, 4]])?.isMisaligned);
    });
});
describe("TrackAlignment", () => {
    it("moves the first frame to the grid of the output frames, by less than 41 ms to the front", () => {
        const shift = (start, num, den = 1) => TrackAlignment.shiftSeconds(plan({ start }, { num, den }));
        assert.strictEqual(shift(0, 25), 0);
        // regression: 21 ms are half a frame at 24 frames a second, so rounding dropped and repeated frames
        assert.closeTo(shift(0.021, 24), -0.021, 1e-9);
        assert.closeTo(shift(0.021, 24_000, 1001), -0.021, 1e-9);
        assert.closeTo(shift(0.5, 25), -0.02, 1e-9);
        for (const num of [5, 10, 24, 30, 60])
            for (let start = 0; start < 1; start += 0.013) {
                const moved = start + shift(start, num);
                assert.closeTo((moved * num) % 1, Math.round((moved * num) % 1), 0.05);
                assert.isAbove(shift(start, num), -0.0411);
            }
    });
    it("holds the last frame up to the end of longer audio", () => {
        assert.strictEqual(TrackAlignment.heldFrames(plan({ end: 10 }, undefined, 10.05)), 0);
        assert.strictEqual(TrackAlignment.heldFrames(plan({ end: 2 })), 200);
        assert.strictEqual(TrackAlignment.heldFrames(plan({ end: 0.04 }, { num: 5, den: 1 }, 30)), 149);
    });
});
