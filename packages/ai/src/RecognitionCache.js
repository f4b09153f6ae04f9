/**
 * A cache of engine results in object storage; the key has all inputs of the recognition. After a crash the next attempt
 * continues with the first missing chunk, and a repeated request costs no engine calls. Storage errors are logged and
 * bypass the cache. A result without text is not stored, because the engine may have failed without an error.
 *
 * Everything of one media is below `work/transcription/<media_id>/`, so that its deletion finds all results. A lifecycle
 * rule of the bucket may expire the objects after some days.
 */
import { sha256 } from "@armoricore/domain/DeterministicId";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Effect, Schema, Stream } from "effect";
import { Recognition } from "./SpeechEngine.ts";
const json = Schema.fromJsonString(Recognition);
const decode = Schema.decodeUnknownEffect(json);
const encode = Schema.encodeEffect(json);
export const prefixOf = (mediaId) => `work/transcription/${mediaId}/`;
/** Returns the cached result, or runs `recognize` and stores its result. */
export const getOrElse = Effect.fn("RecognitionCache.getOrElse")(function* ({ bucket, forcedBy, mediaId }, engine, cacheKey, recognize) {
    const storage = yield* ObjectStorage;
    const { audioSha256, startSample, language, endSample } = cacheKey;
    const inputs = [1, engine.name, engine.model, startSample, endSample, language ?? ""];
    const digest = sha256(JSON.stringify(forcedBy === undefined ? inputs : [...inputs, forcedBy]));
    const ref = { bucket, key: `${prefixOf(mediaId)}${audioSha256}/${digest}.json` };
    const cached = yield* storage.get(ref).pipe(Effect.flatMap(({ body }) => Stream.mkString(Stream.decodeText(body))), Effect.flatMap(decode), 
    // Not cached yet, or written by another version.
    Effect.catchTag(["NotFound", "SchemaError"], () => Effect.succeed(undefined)), Effect.catch((error) => Effect.as(Effect.logWarning("a cached recognition could not be read", { key: ref.key, error }), undefined)));
    if (cached !== undefined)
        return cached;
    const recognition = yield* recognize;
    if (![...recognition.words, ...recognition.segments].some(({ text }) => /\S/u.test(text)))
        return recognition;
    yield* encode(recognition).pipe(Effect.flatMap((text) => storage.put(ref, new TextEncoder().encode(text), { contentType: "application/json" })), Effect.catch((error) => Effect.logWarning("a recognition could not be cached", { key: ref.key, error })));
    return recognition;
});
