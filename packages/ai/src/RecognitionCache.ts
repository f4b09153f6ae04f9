/**
 * What engines answered, kept in object storage under everything that it depends on. A try that died goes on where it
 * was, a repeated event costs nothing, and the same sound asked for again neither. Keeping is a saving, not a duty:
 * where the storage fails the work goes on without it.
 *
 * Objects lie below `work/transcription/`; a lifecycle rule of the bucket may remove them after some days.
 */
import { sha256 } from "@armoricore/domain/DeterministicId"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect, Schema, Stream } from "effect"
import { type Engine, type EngineError, Recognition } from "./SpeechEngine.ts"

const json = Schema.fromJsonString(Recognition)
const decode = Schema.decodeUnknownEffect(json)
const encode = Schema.encodeEffect(json)

export interface CacheKey {
  /** Of the samples of the whole recording. */
  readonly audioSha256: string
  /** Samples from, and up to but without. */
  readonly startSample: number
  readonly endSample: number
  readonly language: string | undefined
}

/** Takes what is kept, else asks and keeps the answer. */
export const getOrElse = Effect.fn("KeptPieces.orAsk")(function* <R>(
  bucket: string,
  engine: Engine,
  cacheKey: CacheKey,
  recognize: Effect.Effect<Recognition, EngineError, R>,
) {
  const storage = yield* ObjectStorage
  const { audioSha256, startSample, language, endSample } = cacheKey
  const digest = sha256(JSON.stringify([1, engine.name, engine.model, startSample, endSample, language ?? ""]))
  const ref = { bucket, key: `work/transcription/${audioSha256}/${digest}.json` }
  const cached = yield* storage.get(ref).pipe(
    Effect.flatMap(({ body }) => Stream.mkString(Stream.decodeText(body))),
    Effect.flatMap(decode),
    // Nobody wrote it yet, or another version did.
    Effect.catchTag(["NotFound", "SchemaError"], () => Effect.succeed(undefined)),
    Effect.catch((error) => Effect.as(Effect.logWarning(`a kept piece was not read: ${error.message}`), undefined)),
  )
  if (cached !== undefined) return cached
  const recognition = yield* recognize
  yield* encode(recognition).pipe(
    Effect.flatMap((text) =>
      storage.put<never, never>(ref, new TextEncoder().encode(text), { contentType: "application/json" }),
    ),
    Effect.catch((error) => Effect.logWarning(`a piece was not kept: ${error.message}`)),
  )
  return recognition
})
