/**
 * An ordered list of engines: a chunk goes to the first engine, and to the next one if an engine fails. The result has the
 * engine that succeeded and the errors of the engines before it.
 *
 * If a fallback that produces drafts recognises one chunk, the whole transcript has the quality `draft`.
 */
import { PermanentError } from "@armoricore/domain/Errors";
import { Context, Effect, ExecutionPlan, Layer } from "effect";
import { primaryTag } from "./LanguageTag.ts";
import { SpeechEngine } from "./SpeechEngine.ts";
export class SpeechEngines extends Context.Service()("@armoricore/ai/SpeechEngines") {
    static layer = (first, ...others) => Layer.effect(SpeechEngines, Effect.gen(function* () {
        const buildEngine = (layer) => Effect.map(Layer.build(layer), (context) => Context.get(context, SpeechEngine));
        const head = yield* buildEngine(first);
        return make([head, ...(yield* Effect.forEach(others, buildEngine))]);
    }));
}
export const make = (all) => {
    const executionStep = (engine) => ({ provide: SpeechEngine.context(engine) });
    const [head, ...others] = all;
    const plan = ExecutionPlan.make(executionStep(head), ...others.map(executionStep));
    return {
        all,
        withEngine: Effect.fn("SpeechEngines.withEngine")(function* (language, work) {
            const failures = [];
            const attempt = Effect.gen(function* () {
                const engine = yield* SpeechEngine;
                const value = yield* (supportsLanguage(engine, language) ? work(engine) : unsupportedLanguage(engine, language)).pipe(Effect.tapError((error) => Effect.sync(() => failures.push({ engine, error }))));
                const fallbackReasons = failures.map((failed) => `${failed.engine.name}: ${failed.error.message}`);
                return { value, engine, fallbackReasons };
            });
            return yield* Effect.mapError(Effect.withExecutionPlan(attempt, plan), (lastError) => mostRecoverableError(failures, lastError));
        }),
    };
};
/** A retry may cure a transient error, an operator a configuration error: these win over permanent errors. */
const mostRecoverableError = (failures, lastError) => {
    const errors = failures.map(({ error }) => error);
    return (errors.find(({ _tag }) => _tag === "TransientError") ??
        errors.find(({ _tag }) => _tag === "ConfigurationError") ??
        errors[0] ??
        lastError);
};
const supportsLanguage = ({ capabilities }, language) => language === undefined || capabilities.languages === "any" || capabilities.languages.includes(primaryTag(language));
const unsupportedLanguage = (engine, language) => Effect.fail(new PermanentError({
    code: "language_not_supported",
    message: `The speech engine ${engine.name} does not understand ${language ?? "this language"}; ask for another language or configure another engine.`,
}));
