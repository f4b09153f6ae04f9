/**
 * What it costs to make a long clip in chunks, and what a second machine brings. CPU: the same source in one run and in
 * chunks, one after the other. Wall: worker processes held to one core each, on NATS and a shared folder.
 */
import { spawn } from "node:child_process";
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { chunkedEncodes, chunkOutputs } from "@armoricore/media/chunked/ChunkedEncodes";
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import { KeyValue } from "@armoricore/state/KeyValue";
import { mediaDeletions, mediaStates } from "@armoricore/state/MediaStates";
import { transcriptStates } from "@armoricore/state/TranscriptStates";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as Programs from "@armoricore/testing/Programs";
import { ledgerBucket } from "@armoricore/worker/ledger/Ledger";
import { pauses } from "@armoricore/worker/control/CircuitRegistry";
import { Effect, FileSystem, Path } from "effect";
import { layerPorts } from "../../packages/media/test/support/ChunkWorkerProcess.ts";
import * as Results from "../Results.ts";
import { measure } from "../support/CpuCost.ts";
import { runFfmpeg, minCost, uploadedEvent } from "./FfmpegBaseline.ts";
/** What one process makes: fewer borders, as in a real long clip. */
const localChunkSeconds = 16;
/** What workers share: pieces of one size, so that none of them is left with the last. */
const sharedChunkSeconds = 8;
/** In this process, a part after the other. */
const encodeInChunks = Effect.gen(function* () {
    const media = yield* UploadPipeline;
    const message = uploadedEvent("long.mp4", "parts");
    const mediaId = message.payload.media_id;
    const begun = yield* media.processUpload(message, { fencingToken: 1 });
    if (begun._tag !== "Chunked")
        return yield* Effect.die(new Error(begun._tag));
    const { version } = begun;
    for (const chunk of begun.chunks) {
        const quiet = { onProgress: () => Effect.void, publishPlayable: () => Effect.void };
        yield* media.encodeChunk({ mediaId, version, chunk, fencingToken: 1, ...quiet });
    }
    const outcome = yield* media.concatChunks({ mediaId, version });
    if (outcome._tag !== "Ready")
        return yield* Effect.die(new Error(outcome._tag));
});
const encodeInOneRun = Effect.gen(function* () {
    const outcome = yield* (yield* UploadPipeline).processUpload(uploadedEvent("long.mp4", "whole"), { fencingToken: 1 });
    if (outcome._tag !== "Ready")
        return yield* Effect.die(new Error(outcome._tag));
});
const worker = (core, nats, folder) => Effect.acquireRelease(Effect.callback((resume) => {
    const program = new URL("../../packages/media/test/support/ChunkWorkerProcess.ts", import.meta.url).pathname;
    const child = spawn("taskset", ["-c", String(core), process.execPath, program], {
        env: { ...process.env, CHUNK_WORKER: `${nats} ${folder} ${sharedChunkSeconds}` },
        stdio: ["ignore", "pipe", "inherit"],
    });
    child.stdout.once("data", () => resume(Effect.succeed(child)));
}), (child) => Effect.callback((resume) => {
    child.once("exit", () => resume(Effect.void));
    child.kill("SIGTERM");
}));
/** From the upload's event to `media.ready`, with workers that are there already. */
const withWorkers = Effect.fnUntraced(function* (cores, bytes) {
    const fs = yield* FileSystem.FileSystem;
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-bench-" });
    const { url: nats } = yield* NatsServer.make();
    return yield* Effect.gen(function* () {
        const bus = yield* EventBus;
        const state = yield* KeyValue;
        const storage = yield* ObjectStorage;
        yield* storage.setup("media");
        yield* state.setup([
            ledgerBucket,
            mediaStates.bucket,
            mediaDeletions.bucket,
            transcriptStates.bucket,
            chunkedEncodes.bucket,
            chunkOutputs.bucket,
            pauses.bucket,
        ]);
        yield* bus.setup([{ name: "media-media-uploaded", from: event("media.uploaded") }]);
        yield* storage.put({ bucket: "media", key: "long.mp4" }, bytes, { contentType: "video/mp4" });
        let wall = 0;
        const cost = yield* measure(Effect.scoped(Effect.gen(function* () {
            yield* Effect.forEach(cores, (core) => worker(core, nats, folder));
            const message = uploadedEvent("long.mp4", "workers");
            const started = performance.now();
            const ready = Effect.callback((resume) => {
                Effect.runFork(Effect.scoped(Effect.andThen(bus.subscribe(event("media.ready"), () => resume(Effect.void)), Effect.never)));
            });
            const body = new TextEncoder().encode(JSON.stringify(message));
            yield* bus.publish({ address: event("media.uploaded"), id: message.event_id, body });
            yield* ready;
            wall = (performance.now() - started) / 1000;
        })));
        return { cpu: cost.cpu, wall };
    }).pipe(Effect.provide(layerPorts({ nats, folder })));
}, Effect.scoped);
/** Tables, and sentences about the aims. */
export const run = Effect.fn("bench.chunks")(function* (folder, seconds, rounds, size) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const storage = yield* ObjectStorage;
    const source = path.join(folder, "long.mp4");
    yield* runFfmpeg([
        ...`-v error -f lavfi -i mandelbrot=s=${size}:r=30 -f lavfi -i sine=440 -t ${seconds}`.split(" "),
        ...`-vf noise=alls=12:allf=t,format=yuv420p -c:v libx264 -preset veryfast -b:v 18M -maxrate 20M`.split(" "),
        ...`-bufsize 20M -g 75 -c:a aac ${source}`.split(" "),
    ], folder);
    const bytes = yield* fs.readFile(source);
    yield* storage.put({ bucket: "media", key: "long.mp4" }, bytes, { contentType: "video/mp4" });
    const both = { bucket: "media", sourceBuckets: ["media"], copy: false };
    const chunks = { minDuration: localChunkSeconds, chunkSeconds: localChunkSeconds };
    const costs = { parts: [], whole: [], one: [], two: [] };
    const canPin = !Programs.requireProgram("nats-server").missing && Programs.find("taskset") !== undefined;
    for (let round = 1; round <= rounds; round++) {
        costs.parts.push(yield* measure(Effect.provide(encodeInChunks, UploadPipeline.layer({ ...both, chunks }))));
        costs.whole.push(yield* measure(Effect.provide(encodeInOneRun, UploadPipeline.layer(both))));
        if (!canPin)
            continue;
        costs.one.push(yield* withWorkers([0], bytes));
        costs.two.push(yield* withWorkers([0, 1], bytes));
    }
    const row = (name, of) => [
        name,
        minCost(of, "cpu").toFixed(1),
        minCost(of, "wall").toFixed(1),
    ];
    const cpu = (minCost(costs.parts, "cpu") / minCost(costs.whole, "cpu")).toFixed(2);
    const speed = canPin ? (minCost(costs.one, "wall") / minCost(costs.two, "wall")).toFixed(2) : "not measured";
    return [
        `Source: ${size}, 30 frames a second, ${seconds} s, cut into ${localChunkSeconds} s in one process, and into ${sharedChunkSeconds} s for workers.`,
        "",
        Results.markdownTable([
            ["case", "CPU s", "wall s"],
            row("in one run", costs.whole),
            row("in chunks, one after the other", costs.parts),
            ...(canPin
                ? [row("one worker process held to one core (CPU with its start)", costs.one), row("two of them", costs.two)]
                : []),
        ]),
        "",
        `Chunked CPU: ${cpu} of one run; aim: at most 1.1. Two workers: ${speed} times as fast as one; aim: at least 1.7.`,
    ].join("\n");
});
