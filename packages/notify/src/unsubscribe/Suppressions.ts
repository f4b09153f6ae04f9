/**
 * The suppression list as deliveries use it. `layer` uses the list in the state; with `layerNone` no address is
 * suppressed.
 */
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import type { Target } from "@armoricore/domain/NotificationState"
import type { KeyValue } from "@armoricore/state/KeyValue"
import { type Addition, SuppressionList } from "@armoricore/state/SuppressionList"
import { Context, Effect, Layer, Option } from "effect"
import { hashOf } from "../request/Target.ts"

export type { Addition, Reason } from "@armoricore/state/SuppressionList"

type StateError = TransientError | ConfigurationError

export class Suppressions extends Context.Service<
  Suppressions,
  {
    /** The reason of a suppression; undefined: the message may be sent. Called for every delivery, so it has no span. */
    readonly reasonFor: (target: Target, category?: string) => Effect.Effect<string | undefined, StateError>
    /** As `reasonFor`, of an address by its hash; only the entry of the category. */
    readonly reasonForHash: (hash: string, category: string) => Effect.Effect<string | undefined, StateError>
    /** Suppresses an address by its hash; with a category, only e-mail of that category. */
    readonly add: (hash: string, addition: Addition, category?: string) => Effect.Effect<void, StateError>
    readonly remove: (hash: string, category?: string) => Effect.Effect<void, StateError>
  }
>()("@armoricore/notify/Suppressions") {
  static readonly layer: Layer.Layer<Suppressions, never, KeyValue> = Layer.effect(
    Suppressions,
    Effect.map(SuppressionList, (list) => ({
      reasonFor: (target, category) => {
        if (target.channel !== "email") return Effect.succeed(undefined)
        const hash = hashOf(target)
        const reasonAt = (category?: string) =>
          Effect.map(list.get(hash, category), (entry) => (Option.isSome(entry) ? entry.value.reason : undefined))
        const addressReason = reasonAt()
        return category === undefined
          ? addressReason
          : Effect.flatMap(addressReason, (reason) =>
              reason === undefined ? reasonAt(category) : Effect.succeed(reason),
            )
      },
      reasonForHash: (hash, category) =>
        Effect.map(list.get(hash, category), (entry) => (Option.isSome(entry) ? entry.value.reason : undefined)),
      add: Effect.fn("Suppressions.add")(function* (hash: string, addition: Addition, category?: string) {
        // Hashes and categories of this service are valid.
        yield* list.add({ hash, category }, addition).pipe(Effect.catchTag("PermanentError", Effect.die))
      }),
      remove: Effect.fn("Suppressions.remove")(function* (hash: string, category?: string) {
        yield* list.remove({ hash, category }).pipe(Effect.catchTag("PermanentError", Effect.die))
      }),
    })),
  ).pipe(Layer.provide(SuppressionList.layer))

  static readonly layerNone: Layer.Layer<Suppressions> = Layer.succeed(Suppressions, {
    reasonFor: () => Effect.succeed(undefined),
    reasonForHash: () => Effect.succeed(undefined),
    add: () => Effect.void,
    remove: () => Effect.void,
  })
}
