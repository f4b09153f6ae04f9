/** What it saves to take the picture of a 1080p source as it is, against encoding all of it. */
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Effect, FileSystem, Path } from "effect";
import { measure } from "../support/CpuCost.ts";
import { runFfmpeg, minCost, uploadedEvent } from "./FfmpegBaseline.ts";
import * as Results from "../Results.ts";
/** A table, and a sentence about the aim. */
export const run = Effect.fn("bench.copying")(function* (folder, seconds, rounds) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const storage = yield* ObjectStorage;
    const source = path.join(folder, "copied.mp4");
    const colours = "-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv";
    yield* runFfmpeg([
        ...`-v error -f lavfi -i mandelbrot=s=1920x1080:r=30 -f lavfi -i sine=440:r=48000 -t ${seconds}`.split(" "),
        ...`-vf noise=alls=4:allf=t,format=yuv420p -c:v libx264 -preset veryfast -profile:v high ${colours}`.split(" "),
        ...`-g 60 -keyint_min 60 -sc_threshold 0 -b:v 4M -maxrate 4800k -bufsize 4800k`.split(" "),
        ...`-c:a aac -b:a 128k -ac 2 ${source}`.split(" "),
    ], folder);
    const bytes = yield* fs.readFile(source);
    yield* storage.put({ bucket: "media", key: "copied.mp4" }, bytes, { contentType: "video/mp4" });
    const made = (passthrough) => Effect.gen(function* () {
        const { processUpload } = yield* UploadPipeline;
        const outcome = yield* processUpload(uploadedEvent("copied.mp4"), { fencingToken: 1 });
        if (outcome._tag !== "Ready")
            return yield* Effect.die(new Error(outcome._tag));
    }).pipe(Effect.provide(UploadPipeline.layer({ bucket: "media", sourceBuckets: ["media"], passthrough })));
    const costs = { copied: [], encoded: [] };
    for (let round = 1; round <= rounds; round++) {
        costs.copied.push(yield* measure(made(true)));
        costs.encoded.push(yield* measure(made(false)));
    }
    const row = (name, of) => [
        name,
        minCost(of, "cpu").toFixed(1),
        minCost(of, "wall").toFixed(1),
        (minCost(of, "cpu") / minCost(costs.encoded, "cpu")).toFixed(2),
    ];
    return [
        `Source: 1080p30, ${seconds} s, ${((bytes.byteLength * 8) / seconds / 1e6).toFixed(1)} Mb/s, key frames every 2 s, AAC.`,
        "",
        Results.markdownTable([
            ["case", "CPU s", "wall s", "CPU in parts of encoding all"],
            row("top rung and sound copied, the rest encoded", costs.copied),
            row("all encoded (MEDIA_PASSTHROUGH=off)", costs.encoded),
        ]),
        "",
        "Aim: at most 0.65 of encoding all.",
    ].join("\n");
});
