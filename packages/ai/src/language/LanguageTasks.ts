/**
 * Translations and outlines of transcripts by a language model. Both tasks are optional and never fail a transcription: what is missing is a note
 * in the document. A task is one function here, with its name in metrics.
 */
import type { Transcript, TranscriptOutline, TranscriptWord } from "@armoricore/domain/Transcript"
import type { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Context, Effect, Layer } from "effect"
import { primaryTag } from "../LanguageTag.ts"
import * as AnswerCache from "./AnswerCache.ts"
import { ChatModel, type ModelError } from "./ChatModel.ts"
import { outline } from "./Outline.ts"
import { translate } from "./Translation.ts"

export interface Options {
  /** Languages of every transcript, `CAPTION_LANGUAGES`. */
  readonly languages: ReadonlyArray<string>
  /** Title, summary and chapters of every transcript, `TRANSCRIPT_OUTLINE`. */
  readonly outline: boolean
}

export interface Additions {
  readonly outline: TranscriptOutline | undefined
  readonly translations: ReadonlyArray<{ readonly language: string; readonly words: ReadonlyArray<TranscriptWord> }>
  /** One sentence for each task that failed. */
  readonly notes: ReadonlyArray<string>
}

export const nothing: Additions = { outline: undefined, translations: [], notes: [] }

export class LanguageTasks extends Context.Service<
  LanguageTasks,
  {
    readonly model: string
    /** `languages`: those of this request, beside those of every transcript. */
    readonly run: (
      storage: ObjectStorage["Service"],
      scope: AnswerCache.Scope,
      transcript: Pick<Transcript, "cues" | "language">,
      languages: ReadonlyArray<string>,
    ) => Effect.Effect<Additions>
  }
>()("@armoricore/ai/LanguageTasks") {
  static readonly layer = (options: Options): Layer.Layer<LanguageTasks, never, ChatModel> =>
    Layer.effect(LanguageTasks, make(options))
}

const make = Effect.fnUntraced(function* (options: Options) {
  const model = yield* ChatModel
  return LanguageTasks.of({
    model: model.model,
    run: Effect.fn("LanguageTasks.run")(function* (storage, scope, transcript, languages) {
      if (transcript.cues.length === 0) return nothing
      const ask = AnswerCache.make(storage, model, scope)
      const notes: Array<string> = []
      /** Undefined after a failure. An operator sees what only an operator can change. */
      const attempt = <A>(what: string, task: Effect.Effect<A, ModelError>): Effect.Effect<A | undefined> =>
        Effect.catch(task, (error) => {
          notes.push(`${what} is missing: ${error.message}`)
          const log = error._tag === "ConfigurationError" ? Effect.logError : Effect.logWarning
          return Effect.as(log(`${what} of a transcript is missing`, { media_id: scope.mediaId, error }), undefined)
        })
      const targets = [...new Set([...options.languages, ...languages])].filter(
        (language) => primaryTag(language) !== primaryTag(transcript.language),
      )
      const translated = yield* Effect.forEach(targets, (language) =>
        Effect.map(attempt(`the translation into ${language}`, translate(ask, transcript, language)), (words) =>
          words === undefined ? [] : [{ language, words }],
        ),
      )
      const outlined = options.outline ? yield* attempt("the outline", outline(ask, transcript)) : undefined
      return { outline: outlined, translations: translated.flat(), notes }
    }),
  })
})
