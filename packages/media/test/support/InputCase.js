/** Makes an upload from a recipe, processes it and compares the result with the expected one. */
import { failureMessages } from "@armoricore/media/pipeline/Failures";
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import { assert } from "@effect/vitest";
import { Effect, FileSystem, Path } from "effect";
import { ffmpeg } from "./Clips.ts";
import { fetchAll, ScratchParent, prefixOf, storeUpload, uploaded } from "./Pipeline.ts";
import { check } from "./StreamChecker.ts";
/** The stream must pass the checker, or the upload must fail with the expected code. */
export const verify = Effect.fnUntraced(function* (name, source) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const folder = yield* fs.makeTempDirectoryScoped();
    const file = (local) => path.join(folder, local);
    const upload = file(source.file);
    const steps = source.steps?.(file) ?? [];
    const isLast = (index) => index === steps.length - 1 && source.from === undefined && source.bytes === undefined;
    for (const [index, args] of steps.entries())
        yield* ffmpeg(isLast(index) ? [...args, upload] : args);
    const made = new Map();
    for (const local of yield* fs.readDirectory(folder))
        made.set(local, yield* fs.readFile(file(local)));
    const read = (local) => made.get(local) ?? new Uint8Array();
    if (source.bytes !== undefined)
        yield* fs.writeFile(upload, source.bytes(read));
    else if (source.from !== undefined)
        yield* fs.writeFile(upload, Buffer.concat(source.from.map(read)));
    const { processUpload } = yield* UploadPipeline;
    const event = uploaded(`matrix-${name.replaceAll(/[^a-z0-9]/gi, "-")}`, yield* storeUpload(`uploads/${source.file}`, upload));
    const outcome = yield* Effect.result(processUpload(event, { fencingToken: 1 }));
    const parent = yield* ScratchParent;
    for (const own of yield* fs.readDirectory(parent)) {
        assert.deepStrictEqual(yield* fs.readDirectory(path.join(parent, own)), []);
    }
    if (outcome._tag === "Failure") {
        assert.strictEqual(outcome.failure._tag, "PermanentError", outcome.failure.message);
        assert.strictEqual("code" in outcome.failure ? outcome.failure.code : "", source.expected);
        assert.property(failureMessages, source.expected);
        return;
    }
    if (outcome.success._tag !== "Ready")
        return yield* Effect.die(new Error("superseded"));
    const { ready } = outcome.success;
    const stream = file("stream");
    yield* fetchAll(prefixOf(ready), stream);
    const report = yield* check(stream);
    assert.deepStrictEqual(report.faults, []);
    assert.strictEqual(report.variants.map(({ height, width }) => `${width}x${height}`).join(), source.expected);
    if (source.tracks !== undefined)
        assert.strictEqual(report.tracks.length, source.tracks);
    if (source.seconds !== undefined)
        assert.closeTo(ready.duration, source.seconds, 0.15);
}, Effect.scoped);
