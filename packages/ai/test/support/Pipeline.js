import * as SpeechEngines from "@armoricore/ai/SpeechEngines";
import { Transcriber } from "@armoricore/ai/Transcriber";
import { Transcript } from "@armoricore/domain/Transcript";
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms";
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import * as MemoryStorage from "@armoricore/storage/memory/MemoryStorage";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls";
import * as Programs from "@armoricore/testing/Programs";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { Effect, FileSystem, Layer, Schema, Stream } from "effect";
/** Pass to `describe.skipIf`. */
export const isFfmpegMissing = [Programs.requireProgram("ffmpeg"), Programs.requireProgram("ffprobe")].some((need) => need.missing);
/** Resolved once for each test file. */
export const programs = FfmpegPrograms.layer().pipe(Layer.provideMerge(NodeServices.layer));
export const pipeline = (engine, changes = {}) => Transcriber.layer({ bucket: "media", sourceBuckets: ["media"], ...changes }).pipe(Layer.provideMerge(SpeechEngines.SpeechEngines.layer(engine)), Layer.provideMerge(ScratchDir.layer()), Layer.provideMerge(Layer.mergeAll(Layer.fresh(MemoryStorage.layer), Layer.fresh(MemoryState.layer), Layer.succeed(PlaybackUrls, {
    keysFor: () => Effect.succeed({ url: "http://keys.invalid/keys", relative: "../keys" }),
    urlFor: ({ bucket, key }) => Effect.succeed(`http://cdn.invalid/${bucket}/${key}`),
}))));
let requestCount = 0;
/** An event as a backend sends it. */
export const transcriptionRequest = (mediaId, filePath, language, eventId = `00000000-0000-4000-8000-${String(++requestCount).padStart(12, "0")}`) => ({
    event_type: "transcription.requested",
    event_id: eventId,
    timestamp: "2026-01-31T12:00:00Z",
    source: "php-backend",
    payload: {
        media_id: mediaId,
        user_id: "u1",
        source_file_path: filePath,
        ...(language === undefined ? {} : { language }),
    },
});
/** Puts a local file or bytes into the bucket of uploads. */
export const storeUpload = Effect.fnUntraced(function* (key, content) {
    const fs = yield* FileSystem.FileSystem;
    const storage = yield* ObjectStorage;
    const bytes = typeof content === "string" ? yield* fs.readFile(content) : content;
    yield* storage.put({ bucket: "media", key }, bytes, { contentType: "video/mp4" });
    return `s3://media/${key}`;
});
/** An object's text, with its content type. */
export const readObject = Effect.fnUntraced(function* (key) {
    const storage = yield* ObjectStorage;
    const { body, info } = yield* storage.get({ bucket: "media", key });
    return { text: yield* Stream.mkString(Stream.decodeText(body)), contentType: info.contentType };
});
/** The object key in the URL of a result. */
export const objectKey = (url) => url.replace("http://cdn.invalid/media/", "").replace("s3://media/", "");
const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Transcript));
export const readTranscript = Effect.fnUntraced(function* (filePath) {
    return yield* decode((yield* readObject(objectKey(filePath))).text);
});
