/**
 * A cache of engine results in object storage; the key has all inputs of the recognition. After a crash the next attempt
 * continues with the first missing chunk, and a repeated request costs no engine calls. Storage errors are logged and
 * bypass the cache. A result without text is not stored, because the engine may have failed without an error.
 *
 * Everything of one media is below `work/transcription/<media_id>/`, so that its deletion finds all results. A lifecycle
 * rule of the bucket may expire the objects after some days.
 */
import { sha256 } from "@armoricore/domain/DeterministicId"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect, Schema, Stream } from "effect"
import { type Engine, type EngineError, Recognition } from "./SpeechEngine.ts"

const json = Schema.fromJsonString(Recognition)
const decode = Schema.decodeUnknownEffect(json)
const encode = Schema.encodeEffect(json)

/** The bucket, and what the results in it belong to. */
export interface CacheScope {
  readonly bucket: string
  readonly mediaId: string
  /** The request that asks the engine again: only its own earlier attempts are reused. Absent: those of all requests. */
  readonly forcedBy?: string | undefined
}

export interface CacheKey {
  /** Hash of the samples of the whole recording. */
  readonly audioSha256: string
  /** Inclusive; `endSample` is exclusive. */
  readonly startSample: number
  readonly endSample: number
  readonly language: string | undefined
  readonly vocabulary?: string | undefined
}

export const prefixOf = (mediaId: string): string => `work/transcription/${mediaId}/`

/** Returns the cached result, or runs `recognize` and stores its result. */
export const getOrElse = Effect.fn("RecognitionCache.getOrElse")(function* <R>(
  { bucket, forcedBy, mediaId }: CacheScope,
  engine: Engine,
  cacheKey: CacheKey,
  recognize: Effect.Effect<Recognition, EngineError, R>,
) {
  const storage = yield* ObjectStorage
  const { audioSha256, startSample, language, endSample, vocabulary } = cacheKey
  const inputs = [1, engine.name, engine.model, startSample, endSample, language ?? ""]
  const further = [...(forcedBy === undefined ? [] : [forcedBy]), ...(vocabulary === undefined ? [] : [{ vocabulary }])]
  const digest = sha256(JSON.stringify([...inputs, ...further]))
  const ref = { bucket, key: `${prefixOf(mediaId)}${audioSha256}/${digest}.json` }
  const cached = yield* storage.get(ref).pipe(
    Effect.flatMap(({ body }) => Stream.mkString(Stream.decodeText(body))),
    Effect.flatMap(decode),
    // Not cached yet, or written by another version.
    Effect.catchTag(["NotFound", "SchemaError"], () => Effect.succeed(undefined)),
    Effect.catch((error) =>
      Effect.as(Effect.logWarning("a cached recognition could not be read", { key: ref.key, error }), undefined),
    ),
  )
  if (cached !== undefined) return cached
  const recognition = yield* recognize
  if (![...recognition.words, ...recognition.segments].some(({ text }) => /\S/u.test(text))) return recognition
  yield* encode(recognition).pipe(
    Effect.flatMap((text) =>
      storage.put<never, never>(ref, new TextEncoder().encode(text), { contentType: "application/json" }),
    ),
    Effect.catch((error) => Effect.logWarning("a recognition could not be cached", { key: ref.key, error })),
  )
  return recognition
})
