/**
 * A file of 2 GB through a local folder: the memory of this process stays flat. It writes 4 GB to the disk, so it runs
 * in CI, and elsewhere where `ARMORICORE_LARGE=1` asks for it.
 */
import { truncate } from "node:fs/promises";
import { Quota } from "@armoricore/media/pipeline/Quota";
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import * as LocalStorage from "@armoricore/storage/local/LocalStorage";
import { ObjectSigner } from "@armoricore/storage/local/ObjectSigner";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { PublicUrl } from "@armoricore/storage/PublicUrl";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Effect, FileSystem, Layer, Path, Redacted } from "effect";
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts";
import { isFfmpegMissing, options, programs, uploaded, playbackUrls } from "../support/Pipeline.ts";
const bytes = 2_000_000_000;
const onDisk = Layer.unwrap(Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-large-" });
    const storage = LocalStorage.layer({ folder: path.join(folder, "objects") }).pipe(Layer.provide(ObjectSigner.layer({ key: Redacted.make("a key of this test") })), Layer.provide(PublicUrl.layerFixed("http://127.0.0.1:4000")));
    return UploadPipeline.layer(options).pipe(Layer.provide(Quota.layerNoop), Layer.provideMerge(ScratchDir.layer(folder)), Layer.provideMerge(Layer.mergeAll(storage, MemoryState.layer, playbackUrls)));
})).pipe(Layer.provideMerge(programs));
const asked = process.env["CI"] === "true" || process.env["ARMORICORE_LARGE"] === "1";
if (!asked)
    Programs.recordSkip("the 2 GB upload runs in CI and with ARMORICORE_LARGE=1");
describe.skipIf(isFfmpegMissing || !asked)("A large upload", () => {
    it.live("does not grow the process by more than 150 MB", () => Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem;
        const storage = yield* ObjectStorage;
        const { processUpload } = yield* UploadPipeline;
        yield* storage.setup("media");
        const file = yield* fs.makeTempFileScoped({ suffix: ".mp4" });
        yield* ffmpeg([
            ...testVideo({ seconds: 4 }),
            ...tone(4),
            ...h264,
            "-c:a",
            "aac",
            "-movflags",
            "+faststart",
            file,
        ]);
        // A last box of zeros up to the file's end: `free`, its length 0 for "the rest".
        const clip = yield* fs.readFile(file);
        yield* fs.writeFile(file, Buffer.concat([clip, Buffer.from([0, 0, 0, 0]), Buffer.from("free")]));
        yield* Effect.promise(() => truncate(file, bytes));
        const idle = process.memoryUsage().rss;
        let peak = idle;
        const watch = setInterval(() => {
            peak = Math.max(peak, process.memoryUsage().rss);
        }, 50);
        const ref = { bucket: "media", key: "uploads/large.mp4" };
        yield* storage.put(ref, fs.stream(file), { contentType: "video/mp4" });
        const outcome = yield* processUpload(uploaded("large", "s3://media/uploads/large.mp4"), { fencingToken: 1 });
        clearInterval(watch);
        assert.strictEqual(outcome._tag, "Ready");
        yield* Effect.logInfo("memory above idle", { megabytes: Math.round((peak - idle) / 1e6) });
        assert.isBelow((peak - idle) / 1e6, 150);
    }).pipe(Effect.provide(onDisk)), 600_000);
});
