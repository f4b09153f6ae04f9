/**
 * Answers of the language model in object storage, by everything that was asked: a repeated request costs no tokens. They are
 * below `work/transcription/<media_id>/`, so the deletion of the media deletes them.
 */
import { sha256 } from "@armoricore/domain/DeterministicId"
import type { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect, Schema, Stream } from "effect"
import { prefixOf } from "../RecognitionCache.ts"
import type { ChatModel, ModelError, Question } from "./ChatModel.ts"

export interface Scope {
  readonly bucket: string
  readonly mediaId: string
}

/** Asks a question, or returns the stored answer. A faulty one is not stored. Errors of the storage bypass the cache. */
export const make =
  (storage: ObjectStorage["Service"], model: ChatModel["Service"], { bucket, mediaId }: Scope) =>
  <A>(question: Question<A>): Effect.Effect<A, ModelError> => {
    const { input, instruction, maxTokens, task } = question
    const digest = sha256(JSON.stringify([1, model.model, task, instruction, input, maxTokens]))
    const ref = { bucket, key: `${prefixOf(mediaId)}language/${digest}.json` }
    const json = Schema.fromJsonString(question.answer)
    const stored = storage.get(ref).pipe(
      Effect.flatMap(({ body }) => Stream.mkString(Stream.decodeText(body))),
      Effect.flatMap(Schema.decodeUnknownEffect(json)),
      Effect.catchTag(["NotFound", "SchemaError"], () => Effect.succeed(undefined)),
      Effect.catch((error) =>
        Effect.as(Effect.logWarning("a stored answer could not be read", { key: ref.key, error }), undefined),
      ),
    )
    const accepted = Effect.flatMap(model.ask(question), (answer) => {
      const fault = question.faultOf?.(answer)
      return fault === undefined ? Effect.succeed(answer) : Effect.fail(fault)
    })
    const askAndStore = Effect.tap(accepted, (answer) =>
      Schema.encodeEffect(json)(answer).pipe(
        Effect.flatMap((text) =>
          storage.put<never, never>(ref, new TextEncoder().encode(text), { contentType: "application/json" }),
        ),
        Effect.catch((error) => Effect.logWarning("an answer could not be stored", { key: ref.key, error })),
      ),
    )
    return Effect.flatMap(stored, (answer) => (answer === undefined ? askAndStore : Effect.succeed(answer)))
  }

export type Ask = ReturnType<typeof make>
