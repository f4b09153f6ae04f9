import * as PacketScan from "@armoricore/media/probe/PacketScan";
import { defaultInputLimits, probe } from "@armoricore/media/probe/Probe";
import { assert, describe, it, layer } from "@effect/vitest";
import { Effect, FileSystem, Path } from "effect";
import { ffmpeg } from "../support/Clips.ts";
import { isFfmpegMissing, programs } from "../support/Pipeline.ts";
const scan = (options, lines) => {
    const made = PacketScan.make({ tracks: [0, 1], start: 0, hasClockJumps: false, ...options });
    lines.forEach(made.addLine);
    return made;
};
const ends = (options, lines) => {
    const made = scan(options, lines);
    return [0, 1].map((index) => made.track(index)?.end);
};
/** Lines of a track from one time to another. */
const run = (track, from, seconds, step) => Array.from({ length: Math.round(seconds / step) }, (_, index) => {
    const at = (from + index * step).toFixed(3);
    return `${track},${at},${at},${step.toFixed(3)},K_`;
});
describe("PacketScan", () => {
    it("measures from the start of the file to the end of the last displayed packet", () => {
        const lines = ["0,100.04,100.00,0.04,K_", "0,101.96,100.04,0.04,__", "0,100.00,100.08,0.04,__", ""];
        assert.closeTo(ends({ start: 100 }, lines)[0] ?? 0, 2, 1e-9);
        assert.isUndefined(scan({}, ["0,N/A,N/A,N/A,K_"]).track(0));
        const hidden = ["0,-1,-1,0.5,KD", "0,0,0,0.5,K_", "0,8,8,0.5,_D"];
        assert.deepInclude(scan({}, hidden).track(0), { packets: 1, start: 0, end: 0.5 });
    });
    it("removes the jumps of a clock for all tracks together", () => {
        // regression: joined recordings were as long as the first one
        const part = run(0, 1.4, 30, 0.5).flatMap((line) => [line, line.replace("0,", "1,")]);
        const [video, audio] = ends({ start: 1.4, hasClockJumps: true }, [part, part, part, part].flat());
        assert.closeTo(video ?? 0, 120, 1);
        assert.closeTo(audio ?? 0, 120, 1);
        assert.closeTo(ends({ start: 1.4 }, [part, part].flat())[0] ?? 0, 30, 1e-6);
        const reset = ["0,0,0,0.5", "0,0.5,0.5,0.5", "0,5000,5000,0.5", "0,5000.5,5000.5,0.5", "0,3,3,0.5"];
        assert.closeTo(ends({ hasClockJumps: true }, reset)[0] ?? 0, 2.5, 1e-9);
    });
    it("the usual frame rate is that of most frames", () => {
        const rate = (...runs) => scan({}, runs.flat()).track(0)?.usualRate ?? 0;
        // regression: bursts of 60 frames a second became 10 frames a second
        assert.closeTo(rate(run(0, 0, 1, 1 / 60), run(0, 10, 1, 1 / 60), run(0, 20, 1, 1 / 60)), 60, 0.5);
        assert.closeTo(rate(run(0, 0, 4, 0.041), run(0, 4, 8, 0.042)), 24, 0.1);
        assert.isUndefined(scan({}, ["0,0,0,0.04,K_"]).track(0)?.usualRate);
    });
});
describe.skipIf(isFfmpegMissing)("Probe", () => {
    layer(programs, { excludeTestServices: true })((it) => {
        it.effect("measures all packets of a recording without a stated duration", () => Effect.gen(function* () {
            const fs = yield* FileSystem.FileSystem;
            const path = yield* Path.Path;
            const folder = yield* fs.makeTempDirectoryScoped();
            const file = path.join(folder, "memo.mkv");
            // regression: only the first packets were measured. This has as many as two hours of a browser's recorder.
            const audio = "-f lavfi -i anullsrc=r=8000:cl=mono -t 600 -c:a flac -frame_size 16 -live 1";
            yield* ffmpeg([...audio.split(" "), file]);
            const { size } = yield* fs.stat(file);
            const info = yield* probe("memo.mkv", Number(size), folder, defaultInputLimits);
            assert.closeTo(info.duration, 600, 0.1);
        }));
    });
});
