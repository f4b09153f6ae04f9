/**
 * Three minutes of 1080p30 in one run, against the same commands by hand. The picture is cheap to encode, so the share of
 * everything else is as large as it can be.
 */
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import { planEncoding, resolve } from "@armoricore/media/pipeline/TranscodeOptions";
import { defaultInputLimits, probe } from "@armoricore/media/probe/Probe";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Console, Effect, FileSystem, Path } from "effect";
import * as Results from "../Results.ts";
import { measure } from "../support/CpuCost.ts";
import { runFfmpeg, runPlan, uploadedEvent } from "./FfmpegBaseline.ts";
const seconds = 180;
/** Writes a section of its own. */
export const run = Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const storage = yield* ObjectStorage;
    const programs = yield* FfmpegPrograms;
    const { processUpload } = yield* UploadPipeline;
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-bench-" });
    const source = path.join(folder, "long.mp4");
    yield* Console.log(`making a source of ${seconds} s`);
    yield* runFfmpeg([
        ...`-v error -f lavfi -i smptebars=s=1920x1080:r=30 -f lavfi -i sine=440 -t ${seconds} -g 60`.split(" "),
        ...`-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac ${source}`.split(" "),
    ], folder);
    const bytes = yield* fs.readFile(source);
    yield* storage.put({ bucket: "media", key: "minutes.mp4" }, bytes, { contentType: "video/mp4" });
    const info = yield* probe("long.mp4", bytes.byteLength, folder, defaultInputLimits);
    const plan = planEncoding(resolve({ bucket: "media", sourceBuckets: [] }), info, programs.toneMapping);
    yield* Console.log("by hand");
    const byHand = yield* measure(runPlan(plan, source, folder));
    yield* Console.log("pipeline");
    const pipeline = yield* measure(Effect.gen(function* () {
        const outcome = yield* processUpload(uploadedEvent("minutes.mp4"), { fencingToken: 1 });
        if (outcome._tag !== "Ready")
            return yield* Effect.die(new Error(outcome._tag));
    }));
    const row = (name, cost) => [
        name,
        cost.cpu.toFixed(1),
        cost.wall.toFixed(1),
        (pipeline.cpu / cost.cpu).toFixed(3),
    ];
    const body = [
        `Source: 1080p30, ${seconds} s of one picture and a tone, in one run. ${programs.version.split(" Copyright")[0]}.`,
        "",
        Results.markdownTable([
            ["case", "CPU s", "wall s", "pipeline's CPU in parts of it"],
            row("pipeline (download, probe, ffmpeg, uploads, playlists, state)", pipeline),
            row("the same ffmpeg commands by hand", byHand),
        ]),
        "",
        "Aim: CPU at most 1.03 of the same commands by hand.",
    ].join("\n");
    yield* Console.log(body);
    yield* Results.writeSection("media, three minutes", "npm run bench:media -- long", body);
}).pipe(Effect.scoped);
