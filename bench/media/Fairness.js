/**
 * How long 20 clips of 5 s wait for their results, with a long clip of 3 minutes before them in the queue and without. All
 * are small pictures, so that a run takes a minute or two.
 */
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import * as EventCodec from "@armoricore/domain/EventCodec";
import * as MediaService from "@armoricore/media/pipeline/MediaService";
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Console, Effect, FileSystem, Layer, Path, Result, Schedule } from "effect";
import { runFfmpeg, uploadedEvent } from "./FfmpegBaseline.ts";
import * as Results from "../Results.ts";
const clips = 20;
const size = "640x360";
/** In seconds of 1080p, as `MEDIA_SHORT_MAX_COST`: the clips' pictures are small. */
const shortWorkLimit = 2;
export const run = Effect.fn("bench.fairness")(function* (folder) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const storage = yield* ObjectStorage;
    for (const [name, seconds] of [
        ["clip.mp4", 5],
        ["long.mp4", 180],
    ]) {
        const file = path.join(folder, name);
        const source = `-v error -f lavfi -i testsrc2=s=${size}:r=30:d=${seconds} -f lavfi -i sine=440:d=${seconds}`;
        yield* runFfmpeg(`${source} -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac ${file}`.split(" "), folder);
        const bytes = yield* fs.readFile(file);
        yield* storage.put({ bucket: "media", key: name }, bytes, { contentType: "video/mp4" });
    }
    /** Seconds until each clip's result, in the order of sending. */
    const waits = Effect.fnUntraced(function* (withLongClip) {
        const bus = yield* EventBus;
        const done = new Map();
        const started = performance.now();
        yield* bus.subscribe("all-events", ({ body }) => {
            const decoded = EventCodec.decodeResult(body);
            if (Result.isFailure(decoded) || decoded.success.event.event_type !== "media.ready")
                return;
            done.set(decoded.success.event.payload.media_id, (performance.now() - started) / 1000);
        });
        const name = withLongClip ? "beside" : "alone";
        const uploads = [
            ...(withLongClip ? [uploadedEvent("long.mp4", "long")] : []),
            ...Array.from({ length: clips }, () => uploadedEvent("clip.mp4", name)),
        ];
        for (const message of uploads) {
            const body = new TextEncoder().encode(JSON.stringify(message));
            yield* bus.publish({ address: event("media.uploaded"), id: message.event_id, body });
        }
        const ids = uploads.map(({ payload }) => payload.media_id).filter((id) => id.startsWith(name));
        yield* Effect.retry(Effect.suspend(() => (ids.every((id) => done.has(id)) ? Effect.void : Effect.fail("not yet"))), { schedule: Schedule.spaced("100 millis"), times: 6000 });
        const longClip = [...done.keys()].some((id) => id.startsWith("long"));
        return { seconds: ids.map((id) => done.get(id) ?? Number.NaN), longClip };
    }, Effect.scoped);
    const options = { bucket: "media", sourceBuckets: ["media"], shortWorkLimit, copy: false };
    const service = MediaService.layerNoDeps(options).pipe(Layer.provide(UploadPipeline.layer(options)));
    return yield* Effect.gen(function* () {
        const alone = yield* waits(false);
        const beside = yield* waits(true);
        if (beside.longClip)
            yield* Console.log("the long clip was done before the clips: this says nothing");
        const mean = (of) => of.reduce((sum, one) => sum + one, 0) / of.length;
        const ratios = beside.seconds.map((seconds, index) => seconds / (alone.seconds[index] ?? 0));
        const row = (name, of) => [
            name,
            mean(of).toFixed(1),
            Math.max(...of).toFixed(1),
            of === alone.seconds ? "" : `${mean(ratios).toFixed(2)} / ${Math.max(...ratios).toFixed(2)}`,
        ];
        return [
            `A long clip of 3 minutes and ${clips} clips of 5 s, all ${size}, sent at once to one worker, the long clip first.`,
            "",
            Results.markdownTable([
                ["clips", "mean wait s", "longest wait s", "wait in parts of that without the long clip: mean / worst clip"],
                row("without the long clip", alone.seconds),
                row("behind the long clip", beside.seconds),
            ]),
            "",
            "Aim: every clip's wait under twice what it is without the long clip.",
        ].join("\n");
    }).pipe(Effect.provide(service), Effect.scoped);
});
