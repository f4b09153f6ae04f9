/** The media pipeline on in-memory ports, with a real ffmpeg. */
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import { Quota } from "@armoricore/media/pipeline/Quota";
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir";
import { resultEventId } from "@armoricore/domain/DeterministicId";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls";
import * as MemoryStorage from "@armoricore/storage/memory/MemoryStorage";
import * as Programs from "@armoricore/testing/Programs";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { Context, Effect, FileSystem, Layer, Path, Stream } from "effect";
/** The parent of the work folders of one build. */
export class ScratchParent extends Context.Service()("test/ScratchParent") {
}
/** Pass to `describe.skipIf`. */
export const isFfmpegMissing = [Programs.requireProgram("ffmpeg"), Programs.requireProgram("ffprobe")].some((need) => need.missing);
export const playbackUrls = Layer.succeed(PlaybackUrls, {
    keysFor: () => Effect.succeed({ url: "http://keys.invalid/keys", relative: "../keys" }),
    urlFor: ({ bucket, key }) => Effect.succeed(`http://cdn.invalid/${bucket}/${key}`),
});
export const programs = FfmpegPrograms.layer().pipe(Layer.provideMerge(NodeServices.layer));
export const options = { bucket: "media", sourceBuckets: ["media"] };
/** Each build has new ports and its own work folder. */
export const pipeline = (changes = {}, storageLayer = Layer.effect(ObjectStorage, ObjectStorage), programsLayer = Layer.effect(FfmpegPrograms, FfmpegPrograms)) => pipelineWith(playbackUrls, changes, storageLayer, programsLayer);
/** The same with other playback URLs. */
export const pipelineWith = (playbackLayer, changes = {}, storageLayer = Layer.effect(ObjectStorage, ObjectStorage), programsLayer = Layer.effect(FfmpegPrograms, FfmpegPrograms)) => Layer.unwrap(Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem;
    const parent = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-media-test-" });
    return UploadPipeline.layer({ ...options, ...changes }).pipe(Layer.provide(programsLayer), Layer.provideMerge(Quota.layerNoop), Layer.provideMerge(ScratchDir.layer(parent)), Layer.provideMerge(Layer.mergeAll(Layer.provide(storageLayer, Layer.fresh(MemoryStorage.layer)), Layer.fresh(MemoryState.layer), playbackLayer)), Layer.provideMerge(Layer.succeed(ScratchParent, parent)));
})).pipe(Layer.provideMerge(programs));
let uploads = 0;
/** An event as a backend would send it. */
export const uploaded = (mediaId, filePath, eventId = `00000000-0000-4000-8000-${String(++uploads).padStart(12, "0")}`) => ({
    event_type: "media.uploaded",
    event_id: eventId,
    timestamp: "2026-01-31T12:00:00Z",
    source: "php-backend",
    payload: { media_id: mediaId, user_id: "u1", file_path: filePath },
});
/** Uploads a local file or bytes to the bucket. */
export const storeUpload = Effect.fnUntraced(function* (key, content) {
    const fs = yield* FileSystem.FileSystem;
    const storage = yield* ObjectStorage;
    const bytes = typeof content === "string" ? yield* fs.readFile(content) : content;
    yield* storage.put({ bucket: "media", key }, bytes, { contentType: "video/mp4" });
    return `s3://media/${key}`;
});
/** Downloads all objects below a prefix to a folder. */
export const fetchAll = Effect.fnUntraced(function* (prefix, folder) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const storage = yield* ObjectStorage;
    yield* Stream.runForEach(storage.list("media", prefix), ({ key }) => Effect.gen(function* () {
        const file = path.join(folder, key.slice(prefix.length));
        yield* fs.makeDirectory(path.dirname(file), { recursive: true });
        const { body } = yield* storage.get({ bucket: "media", key });
        yield* Stream.run(body, fs.sink(file));
    }));
});
/** The event that the worker publishes after the final failure of an upload. */
export const failedEvent = (cause, code) => ({
    event_type: "media.failed",
    event_id: resultEventId(cause.event_id, "media.failed"),
    timestamp: "2026-01-31T12:00:01Z",
    source: "media",
    payload: {
        media_id: cause.payload.media_id,
        user_id: cause.payload.user_id,
        error: { code, message: code },
        failed_at: "2026-01-31T12:00:01Z",
    },
});
/** The prefix that a result was published below. */
export const prefixOf = (ready) => ready.playback_urls.hls.slice("http://cdn.invalid/media/".length, -"master.m3u8".length);
