/**
 * When the beginning of a long clip can be played: long clips of several lengths, in chunks, one after the other in this process,
 * a part at a time and in the order in which they are wanted. It must follow the first chunk and not the length.
 */
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import { ObjectSigner } from "@armoricore/storage/local/ObjectSigner";
import * as LocalStorage from "@armoricore/storage/local/LocalStorage";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { PublicUrl } from "@armoricore/storage/PublicUrl";
import { Deferred, Effect, FileSystem, Layer, Path, Redacted } from "effect";
import { runFfmpeg, uploadedEvent } from "./FfmpegBaseline.ts";
import * as Results from "../Results.ts";
const size = "1280x720";
const clipSeconds = 60;
const chunkSeconds = 30;
const lengths = [60, 180, 3600];
const rounds = 2;
/** Seconds until the parts are handed out, and until the announcement, from the upload's event on. */
const timeToPlayable = Effect.fnUntraced(function* (key) {
    const media = yield* UploadPipeline;
    const message = uploadedEvent(key, "soon");
    const mediaId = message.payload.media_id;
    const started = performance.now();
    const now = () => (performance.now() - started) / 1000;
    const begun = yield* media.processUpload(message, { fencingToken: 1 });
    if (begun._tag !== "Chunked")
        return yield* Effect.die(new Error(begun._tag));
    const handedOut = now();
    const { chunks, version } = begun;
    const reported = yield* Deferred.make();
    const publishPlayable = () => Effect.asVoid(Deferred.succeed(reported, now()));
    const work = Effect.forEach(chunks, (chunk) => media.encodeChunk({ mediaId, version, chunk, fencingToken: 1, onProgress: () => Effect.void, publishPlayable }));
    const first = yield* Effect.raceFirst(Deferred.await(reported), Effect.andThen(work, Effect.die(new Error("nothing was announced"))));
    yield* media.abortChunks(version);
    return { handedOut, first };
});
const localStorage = (folder) => LocalStorage.layer({ folder }).pipe(Layer.provide(ObjectSigner.layer({ key: Redacted.make("a key of this run") })), Layer.provide(PublicUrl.layerFixed("http://127.0.0.1:4000")));
export const run = Effect.fn("bench.firstPlayable")(function* (folder) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const own = yield* fs.makeTempDirectoryScoped({ directory: folder });
    const clip = path.join(own, "clip.mp4");
    const source = `-f lavfi -i testsrc2=s=${size}:r=30:d=${clipSeconds} -f lavfi -i sine=440:d=${clipSeconds}`;
    const coding = "-c:v libx264 -preset ultrafast -crf 38 -pix_fmt yuv420p -c:a aac";
    yield* runFfmpeg(`-v error ${source} ${coding} ${clip}`.split(" "), own);
    const rows = [];
    const found = [];
    yield* Effect.gen(function* () {
        const storage = yield* ObjectStorage;
        yield* storage.setup("media");
        for (const seconds of lengths) {
            const key = `first-${seconds}.mp4`;
            const file = path.join(own, key);
            const again = seconds / clipSeconds - 1;
            yield* runFfmpeg(`-v error -stream_loop ${again} -i ${clip} -c copy ${file}`.split(" "), own);
            yield* storage.put({ bucket: "media", key }, fs.stream(file), { contentType: "video/mp4" });
            yield* fs.remove(file);
            const all = yield* Effect.replicateEffect(timeToPlayable(key), rounds);
            const least = (of) => Math.min(...all.map(of));
            found.push(least(({ first }) => first));
            rows.push([`${seconds} s`, least(({ handedOut }) => handedOut).toFixed(2), (found.at(-1) ?? 0).toFixed(2)]);
        }
    }).pipe(Effect.provide(Layer.provideMerge(UploadPipeline.layer({
        bucket: "media",
        sourceBuckets: ["media"],
        passthrough: false,
        chunks: { minDuration: chunkSeconds, chunkSeconds: chunkSeconds },
    }), localStorage(path.join(own, "objects")))));
    const [short = Number.NaN, longer = Number.NaN, longest = Number.NaN] = found;
    return [
        `Long clips of ${size} in chunks of ${chunkSeconds} s (the first is 8 s), one part at a time on this one machine; the least of ${rounds}.`,
        "",
        Results.markdownTable([["length", "seconds until the parts are handed out", "to the first playable"], ...rows]),
        "",
        `Three minutes took ${(longer / short).toFixed(2)} of the time of one, an hour ${(longest / short).toFixed(2)}. Aim: bounded by the first chunk, not by the length.`,
    ].join("\n");
}, Effect.scoped);
