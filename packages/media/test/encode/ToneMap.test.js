/** The lookup table maps HDR to SDR like `zscale` does. */
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import { filterGraph } from "@armoricore/media/encode/FfmpegFilters";
import { planEncoding, resolve } from "@armoricore/media/pipeline/TranscodeOptions";
import { defaultInputLimits, probe } from "@armoricore/media/probe/Probe";
import * as ToneMap from "@armoricore/media/encode/ToneMap";
import { assert, describe, it, layer } from "@effect/vitest";
import { Effect, FileSystem, Path, Stream } from "effect";
import { ChildProcess } from "effect/process";
import { ffmpeg } from "../support/Clips.ts";
import { isFfmpegMissing, options, programs } from "../support/Pipeline.ts";
const words = (text) => text.split(" ");
/** The first frame as 8-bit RGB. */
const frameOf = Effect.fnUntraced(function* (file, folder, graph) {
    const { ffmpeg: program } = yield* FfmpegPrograms;
    const show = "[v0]scale=in_color_matrix=bt709:in_range=limited,format=rgb24[out]";
    const child = yield* ChildProcess.make(program, [
        ...words("-v error -i"),
        file,
        "-filter_complex",
        `${graph};${show}`,
        ...words("-map [out] -frames:v 1 -f rawvideo -"),
    ], { cwd: folder, stdin: "ignore", stderr: "inherit", forceKillAfter: "1 second" });
    return Buffer.concat([...(yield* Stream.runCollect(child.stdout))]);
}, Effect.scoped);
/** The mean difference of the values of two images. */
const meanDifference = (values, others) => values.reduce((sum, value, index) => sum + Math.abs(value - (others[index] ?? 0)), 0) / values.byteLength;
describe("ToneMap", () => {
    it("maps gray to gray, black to black, and the peak to white", () => {
        for (const transfer of ["smpte2084", "arib-std-b67"]) {
            const [red, green, blue] = ToneMap.map(transfer, [0.5, 0.5, 0.5]);
            assert.closeTo(red, green, 0.002);
            assert.closeTo(green, blue, 0.002);
            assert.deepStrictEqual(ToneMap.map(transfer, [0, 0, 0]).map((value) => Math.round(value * 1000)), [0, 0, 0]);
        }
        // 0.7518 is the PQ value of 1000 nits.
        assert.closeTo(ToneMap.map("smpte2084", [0.7518, 0.7518, 0.7518])[1], 1, 0.01);
        assert.closeTo(ToneMap.map("arib-std-b67", [1, 1, 1])[1], 1, 0.01);
    });
    it("maps the white of paper in HDR to almost white in SDR", () => {
        // regression: it was a light gray of 185
        for (const [transfer, coded] of [
            ["smpte2084", 0.5807],
            ["arib-std-b67", 0.75],
        ]) {
            const [, green] = ToneMap.map(transfer, [coded, coded, coded]);
            assert.closeTo(green * 255, 240, 5, transfer);
        }
    });
});
describe.skipIf(isFfmpegMissing)("HDR without zscale", () => {
    layer(programs, { excludeTestServices: true })((it) => {
        // Colours outside of BT.709 are clipped differently, so they may differ more than grays.
        for (const [transfer, saturation, maxDifference] of [
            ["smpte2084", 0, 1.5],
            ["smpte2084", 0.25, 6.5],
            ["arib-std-b67", 0, 1.5],
            ["arib-std-b67", 0.25, 4],
        ]) {
            it.effect(`looks like the result of zscale (${transfer}, saturation ${saturation})`, () => Effect.gen(function* () {
                const fs = yield* FileSystem.FileSystem;
                const path = yield* Path.Path;
                const { toneMapping } = yield* FfmpegPrograms;
                const folder = yield* fs.makeTempDirectoryScoped();
                const colours = `-color_trc ${transfer} -colorspace bt2020nc -color_primaries bt2020 -color_range tv`;
                const file = path.join(folder, "hdr.mp4");
                yield* ffmpeg([
                    ...words("-f lavfi -i testsrc2=s=160x90:r=10:d=0.5"),
                    ...words(`-vf hue=s=${saturation},eq=contrast=0.7,scale=out_color_matrix=bt2020`),
                    ...words(`-c:v libx264 -preset ultrafast -qp 4 -pix_fmt yuv420p10le ${colours}`),
                    file,
                ]);
                const info = yield* probe("hdr.mp4", 1000, folder, defaultInputLimits);
                const request = { ...options, thumbnails: 0, storyboard: false };
                const byTable = planEncoding(resolve(request), info, false).with({ thumbnails: 0 });
                assert.isTrue(ToneMap.isNeeded(byTable));
                yield* ToneMap.prepare(byTable, folder);
                const table = yield* frameOf(file, folder, filterGraph(byTable));
                assert.strictEqual(table.byteLength, 160 * 90 * 3);
                if (!toneMapping)
                    return;
                const exact = yield* frameOf(file, folder, filterGraph(byTable.with({ toneMapping: true })));
                const mean = meanDifference(table, exact);
                assert.isBelow(mean, maxDifference);
                // An unmapped frame differs much more.
                const sdrInfo = byTable.info.video === undefined
                    ? byTable.info
                    : { ...byTable.info, video: { ...byTable.info.video, hdr: undefined } };
                const unmapped = yield* frameOf(file, folder, filterGraph(byTable.with({ info: sdrInfo })));
                assert.isAbove(meanDifference(unmapped, exact), mean * 2);
            }));
        }
    });
});
