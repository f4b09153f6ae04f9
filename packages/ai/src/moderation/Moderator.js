/**
 * Decides what happens to a message: first by the rules, then by a model if one is configured. `check` never fails: while
 * the model is unavailable, `failMode` decides (`open`: messages pass, `closed`: messages are removed).
 */
import { Context, Effect, Layer } from "effect";
import * as ModelModerator from "./ModelModerator.ts";
import * as ModerationRules from "./ModerationRules.ts";
import { combine } from "./Verdict.ts";
export class Moderator extends Context.Service()("@armoricore/ai/Moderator") {
    static layer = (options) => Layer.effect(Moderator, Effect.gen(function* () {
        const rules = options.rules === undefined ? undefined : ModerationRules.make(options.rules);
        const model = options.model === undefined ? undefined : yield* ModelModerator.make(options.model);
        const modelVerdict = (message) => model === undefined
            ? Effect.succeed(undefined)
            : model
                .check(message)
                .pipe(Effect.catch((error) => Effect.as(Effect.logWarning(error.message), options.failMode === "closed" ? unavailableVerdict : undefined)));
        return {
            hasModel: model !== undefined,
            isActive: rules !== undefined || model !== undefined,
            takeFinishedFloods: rules?.takeFinishedFloods ?? (() => Effect.succeed([])),
            check: Effect.fn("Moderator.check")(function* (message) {
                const ruleVerdict = rules === undefined ? undefined : yield* rules.check(message);
                // The model cannot change a removal, so it is not called.
                return ruleVerdict?.action === "remove" ? ruleVerdict : combine(ruleVerdict, yield* modelVerdict(message));
            }),
        };
    }));
}
const unavailableVerdict = { action: "remove", reasons: ["moderation_unavailable"] };
