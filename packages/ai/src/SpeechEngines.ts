/**
 * An ordered list of engines: a chunk goes to the first engine, and to the next one if an engine fails. The result has the
 * engine that succeeded and the errors of the engines before it.
 *
 * If a fallback that produces drafts recognises one chunk, the whole transcript has the quality `draft`.
 */
import { PermanentError } from "@armoricore/domain/Errors"
import { Context, Effect, ExecutionPlan, Layer } from "effect"
import { primaryTag } from "./LanguageTag.ts"
import { type Engine, type EngineError, SpeechEngine } from "./SpeechEngine.ts"

export interface EngineResult<A> {
  readonly value: A
  readonly engine: Engine
  /** Why the engines before it failed, one sentence each. */
  readonly fallbackReasons: ReadonlyArray<string>
}

export class SpeechEngines extends Context.Service<
  SpeechEngines,
  {
    /** In the order of preference. */
    readonly all: readonly [Engine, ...ReadonlyArray<Engine>]
    /** Runs `work` with the first engine that supports the language; after a failure with the next one. */
    readonly withEngine: <A, R>(
      language: string | undefined,
      work: (engine: Engine) => Effect.Effect<A, EngineError, R>,
    ) => Effect.Effect<EngineResult<A>, EngineError, R>
  }
>()("@armoricore/ai/SpeechEngines") {
  static readonly layer = <E, R>(
    first: Layer.Layer<SpeechEngine, E, R>,
    ...others: ReadonlyArray<Layer.Layer<SpeechEngine, E, R>>
  ): Layer.Layer<SpeechEngines, E, R> =>
    Layer.effect(
      SpeechEngines,
      Effect.gen(function* () {
        const buildEngine = (layer: Layer.Layer<SpeechEngine, E, R>) =>
          Effect.map(Layer.build(layer), (context) => Context.get(context, SpeechEngine))
        const head = yield* buildEngine(first)
        return make([head, ...(yield* Effect.forEach(others, buildEngine))])
      }),
    )
}

export const make = (all: readonly [Engine, ...ReadonlyArray<Engine>]): SpeechEngines["Service"] => {
  const executionStep = (engine: Engine) => ({ provide: SpeechEngine.context(engine) })
  const [head, ...others] = all
  const plan = ExecutionPlan.make(executionStep(head), ...others.map(executionStep))
  return {
    all,
    withEngine: Effect.fn("SpeechEngines.withEngine")(function* (language, work) {
      const failures: Array<{ readonly engine: Engine; readonly error: EngineError }> = []
      const attempt = Effect.gen(function* () {
        const engine = yield* SpeechEngine
        const value = yield* (
          supportsLanguage(engine, language) ? work(engine) : unsupportedLanguage(engine, language)
        ).pipe(Effect.tapError((error) => Effect.sync(() => failures.push({ engine, error }))))
        const fallbackReasons = failures.map((failed) => `${failed.engine.name}: ${failed.error.message}`)
        return { value, engine, fallbackReasons }
      })
      return yield* Effect.mapError(Effect.withExecutionPlan(attempt, plan), (lastError) =>
        mostRecoverableError(failures, lastError),
      )
    }),
  }
}

/** A retry may cure a transient error, an operator a configuration error: these win over permanent errors. */
const mostRecoverableError = (
  failures: ReadonlyArray<{ readonly error: EngineError }>,
  lastError: EngineError,
): EngineError => {
  const errors = failures.map(({ error }) => error)
  return (
    errors.find(({ _tag }) => _tag === "TransientError") ??
    errors.find(({ _tag }) => _tag === "ConfigurationError") ??
    errors[0] ??
    lastError
  )
}

const supportsLanguage = ({ capabilities }: Engine, language: string | undefined): boolean =>
  language === undefined || capabilities.languages === "any" || capabilities.languages.includes(primaryTag(language))

const unsupportedLanguage = (engine: Engine, language: string | undefined) =>
  Effect.fail(
    new PermanentError({
      code: "language_not_supported",
      message: `The speech engine ${engine.name} does not understand ${language ?? "this language"}; ask for another language or configure another engine.`,
    }),
  )
