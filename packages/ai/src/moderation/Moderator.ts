/**
 * Decides what happens to a message: first by the rules, then by a model if one is configured. `check` never fails: while
 * the model is unavailable, `failMode` decides (`open`: messages pass, `closed`: messages are removed).
 */
import { Context, Effect, Layer } from "effect"
import type { HttpClient } from "effect/http"
import * as ModelModerator from "./ModelModerator.ts"
import * as ModerationRules from "./ModerationRules.ts"
import { combine, type ModeratedMessage, type Verdict } from "./Verdict.ts"

export interface Options {
  /** Absent: no rules. */
  readonly rules?: ModerationRules.Options
  /** Absent: no model. */
  readonly model?: ModelModerator.Options
  /** Default `open`. */
  readonly failMode?: "open" | "closed"
}

export class Moderator extends Context.Service<
  Moderator,
  {
    /** Undefined: the message is acceptable. */
    readonly check: (message: ModeratedMessage) => Effect.Effect<Verdict | undefined>
    /** As `takeFinishedFloods` of the rules. */
    readonly takeFinishedFloods: ModerationRules.ModerationRules["takeFinishedFloods"]
    /** False: neither rules nor a model, so every message is acceptable. */
    readonly isActive: boolean
    readonly hasModel: boolean
  }
>()("@armoricore/ai/Moderator") {
  static readonly layer = (options: Options): Layer.Layer<Moderator, never, HttpClient.HttpClient> =>
    Layer.effect(
      Moderator,
      Effect.gen(function* () {
        const rules = options.rules === undefined ? undefined : ModerationRules.make(options.rules)
        const model = options.model === undefined ? undefined : yield* ModelModerator.make(options.model)
        const modelVerdict = (message: ModeratedMessage) =>
          model === undefined
            ? Effect.succeed(undefined)
            : model
                .check(message)
                .pipe(
                  Effect.catch((error) =>
                    Effect.as(
                      Effect.logWarning(error.message),
                      options.failMode === "closed" ? unavailableVerdict : undefined,
                    ),
                  ),
                )
        return {
          hasModel: model !== undefined,
          isActive: rules !== undefined || model !== undefined,
          takeFinishedFloods: rules?.takeFinishedFloods ?? (() => Effect.succeed([])),
          check: Effect.fn("Moderator.check")(function* (message) {
            const ruleVerdict = rules === undefined ? undefined : yield* rules.check(message)
            // The model cannot change a removal, so it is not called.
            return ruleVerdict?.action === "remove" ? ruleVerdict : combine(ruleVerdict, yield* modelVerdict(message))
          }),
        }
      }),
    )
}

const unavailableVerdict: Verdict = { action: "remove", reasons: ["moderation_unavailable"] }
