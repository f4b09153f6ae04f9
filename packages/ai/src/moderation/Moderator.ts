/**
 * What to do about a message: the rules first, then a model where one is configured. It always answers; what a dead
 * model means (`open`: the message stays, `closed`: it goes) is the operator's choice.
 */
import { Context, Effect, Layer } from "effect"
import type { HttpClient } from "effect/http"
import * as ModelModerator from "./ModelModerator.ts"
import * as Rules from "./Rules.ts"
import { both, type Message, type Verdict } from "./Verdict.ts"

export interface Options {
  /** Absent: no rules. */
  readonly rules?: Rules.Options
  /** Absent: no model. */
  readonly model?: ModelModerator.Options
  /** What happens to messages while the model is away. Default `open`. */
  readonly whenDown?: "open" | "closed"
}

export class Moderator extends Context.Service<
  Moderator,
  {
    /** Undefined: nothing against it. */
    readonly check: (message: Message) => Effect.Effect<Verdict | undefined>
  }
>()("@armoricore/ai/Moderator") {
  static readonly layer = (options: Options): Layer.Layer<Moderator, never, HttpClient.HttpClient> =>
    Layer.effect(
      Moderator,
      Effect.gen(function* () {
        const rules = options.rules === undefined ? undefined : Rules.make(options.rules)
        const model = options.model === undefined ? undefined : yield* ModelModerator.make(options.model)
        const opinion = (message: Message) =>
          model === undefined
            ? Effect.succeed(undefined)
            : model
                .check(message)
                .pipe(
                  Effect.catch((error) =>
                    Effect.as(
                      Effect.logWarning(error.message),
                      options.whenDown === "closed" ? unavailable : undefined,
                    ),
                  ),
                )
        return {
          check: Effect.fn("Moderator.check")(function* (message) {
            const ruled = rules === undefined ? undefined : yield* rules.check(message)
            // What is removed anyway needs no second opinion.
            return ruled?.action === "remove" ? ruled : both(ruled, yield* opinion(message))
          }),
        }
      }),
    )
}

const unavailable: Verdict = { action: "remove", reasons: ["moderation_unavailable"] }
